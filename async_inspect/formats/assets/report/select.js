// The selection: view, task, span of time; and the same as the page's fragment (#task=12&t=…).
// Knows: how a fragment is read and written. Views listen to changes; no view knows another.
const Select = (() => {
  const chosen = { view: "summary", task: 0, from: 0, to: 0, node: "" };
  const listeners = [];
  let timer,
    seen = ""; // the page's fragment when it was last read or written

  const listen = (listener) => listeners.push(listener);
  function tell(changed) {
    for (const listener of listeners) listener(changed, chosen);
    clearTimeout(timer);
    timer = setTimeout(write, 150);
  }
  // Listeners get what has changed; ``set({task: 12})``.
  function set(wanted) {
    const changed = new Set(Object.keys(wanted).filter((key) => wanted[key] !== chosen[key]));
    if (!changed.size) return;
    Object.assign(chosen, wanted);
    tell(changed);
  }

  // The part of time that is shown if none is asked for: all of it, or where it is mostly empty, that in which tasks
  // lived (a recording begins with the imports of its program).
  let known = null;
  function home() {
    const { duration, alive } = Page.data;
    if (!known) {
      const first = alive.at[0] ?? 0,
        last = alive.at[alive.at.length - 1] ?? duration,
        room = (last - first) * 0.02;
      known = { from: 0, to: duration };
      if (last > first && last - first < duration * 0.8) {
        known = { from: Math.max(0, first - room), to: Math.min(duration, last + room) };
      }
    }
    return known;
  }

  const ms = (ns) => `${ns / 1e6}`;
  function fragment() {
    const parts = [`view=${chosen.view}`];
    if (chosen.task) parts.push(`task=${chosen.task}`);
    const { from, to } = home();
    if (chosen.from !== from || chosen.to !== to) parts.push(`t=${ms(chosen.from)}-${ms(chosen.to)}`);
    return `#${parts.join("&")}`;
  }
  // A fragment that somebody has set since is what he wants to see: its "hashchange" is still under way.
  function write() {
    if (location.hash !== seen) read();
    else {
      if (fragment() !== seen) history.replaceState(null, "", fragment());
      seen = location.hash;
    }
  }
  // t is in ms: "from-to", or one moment, around which a hundredth of the recording is shown.
  function read() {
    seen = location.hash;
    const { data } = Page,
      words = new URLSearchParams(location.hash.slice(1)),
      wanted = {};
    const task = parseInt(words.get("task"), 10);
    if (task >= 1 && task <= data.tasks.length) wanted.task = task;
    const [from, to] = (words.get("t") ?? "").split("-").map((text) => parseFloat(text) * 1e6);
    if (from >= 0 && to > from) Object.assign(wanted, { from, to: Math.min(to, data.duration) });
    else if (from >= 0) Object.assign(wanted, around(from));
    const view = words.get("view");
    if (document.getElementById(`view-${view}`)) wanted.view = view;
    else if (wanted.to) wanted.view = "timeline";
    else if (wanted.task) wanted.view = "tasks";
    set(wanted);
  }
  function around(moment, width = Page.data.duration / 100) {
    const { duration } = Page.data,
      from = Math.max(0, Math.min(moment - width / 2, duration - width));
    return { from, to: Math.min(duration, from + width) };
  }

  return { chosen, listen, set, read, around, home };
})();
