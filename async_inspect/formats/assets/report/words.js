// Words: times, places, names, stacks as text. The same texts as in the other formats.
// Knows: the data. Knows nothing of the page.
const Words = ((D) => {
  const number = (value) => value.toLocaleString("en-US");

  const decimal = (value, digits) =>
    value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

  // Three digits or more, or all there are, as findings and the summary on the terminal have them (model/text.py).
  function ms(ns) {
    const abs = Math.abs(ns);
    const [value, unit] =
      abs >= 1e10 ? [ns / 1e9, "s"] : abs >= 1e6 ? [ns / 1e6, "ms"] : abs >= 1e3 ? [ns / 1e3, "µs"] : [ns, "ns"];
    const digits = unit === "ns" ? 0 : unit === "s" ? 1 : Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
    return `${value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${unit}`;
  }
  const exact = (ns) => `${(ns / 1e6).toLocaleString("en-US", { minimumFractionDigits: 6 })} ms`;
  const digits = (ns) => {
    const rest = `${ns % 1e6}`.padStart(6, "0").replace(/0+$/, "");
    return `${Math.floor(ns / 1e6)}${rest && `.${rest}`}`;
  };
  // How long something was ready: exactly, or between bounds; what is only known to be a part of the wait is unknown.
  function bounds(least, most, wait) {
    if (least === most) return ms(least);
    if (most >= wait) return least > 0 ? `at least ${ms(least)}` : "unknown";
    const [high, unit] = ms(most).split(" "),
      [low, other] = ms(least).split(" ");
    return least > 0 ? `${low}${unit === other ? "" : ` ${other}`}–${high} ${unit}` : `at most ${high} ${unit}`;
  }
  const readyOf = (task) => {
    const { tasks } = D();
    return bounds(tasks.ready_ns[task - 1], tasks.most_ns[task - 1], tasks.wait_ns[task - 1]);
  };
  function ready(row) {
    const { awaits } = D(),
      wait = awaits.end_ns[row] - awaits.start_ns[row],
      least = Math.max(awaits.ready_ns[row], 0);
    if (awaits.ready_ns[row] < 0) return "unknown";
    return bounds(least, awaits.more_ns[row] < 0 ? wait : least + awaits.more_ns[row], wait);
  }
  const share = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)}%` : "–");

  const NOBODY = ["(other)", "", 0, 0];
  const fn = (row) => D().words.functions[row] ?? NOBODY;
  const defined = (row) => fn(row)[1] && `${fn(row)[1]}:${fn(row)[2]}`;
  const name = (task) => D().words.names[task - 1] || "(no name)";
  const state = (task) => D().words.states[D().tasks.state[task - 1]];
  const exportedState = (task) => D().words.exported_states[D().tasks.state[task - 1]]; // as data.json and CSVs say it
  const shownState = (exported) => D().words.states[D().words.exported_states.indexOf(exported)];
  const kind = (task) => (D().tasks.function[task - 1] < 0 ? "" : fn(D().tasks.function[task - 1])[0]);
  const error = (task) => D().words.errors[task] ?? "";
  const tags = (task) => D().words.tags[task] ?? "";

  function place(location) {
    const { locations } = D();
    return location < 0 ? "" : `${fn(locations.function[location])[1]}:${locations.line[location] || "?"}`;
  }
  const file = (place) => place.slice(place.lastIndexOf("/") + 1); // "streams.py:46", where there is little room
  const at = (location) => (location < 0 ? "" : `${fn(D().locations.function[location])[0]}  ${place(location)}`);

  // What an await of this shape waits for.
  function awaited(shape) {
    const { shapes, words } = D(),
      why = words.reasons[shapes.reason[shape]];
    if (shapes.function[shape] >= 0) return `task ${fn(shapes.function[shape])[0]}`;
    if (shapes.function[shape] === -1) return "a task";
    const type = shapes.awaited[shape];
    return type < 0 ? "its turn" : why || words.strings[type];
  }
  const waiting = (shape) => `waiting for ${awaited(shape)} at ${place(D().shapes.location[shape])}`;
  const type = (shape) => D().words.strings[D().shapes.awaited[shape]] ?? "";

  // One await: what it waited for, exactly.
  function target(row) {
    const task = D().awaits.task[row];
    return task ? `task ${task} (${name(task)})` : awaited(D().awaits.shape[row]);
  }

  const reason = (row) => D().words.reasons[D().shapes.reason[D().awaits.shape[row]]];

  // The same with the type instead of the reason: the words of the exports.
  function exactTarget(row) {
    const task = D().awaits.task[row];
    return task ? `task ${task} (${name(task)})` : type(D().awaits.shape[row]) || "yield";
  }

  // A lock, a queue …; with where it was made.
  function resource(row, made = true) {
    const { words, resources } = D(),
      where = made ? place(resources.location[row]) : "";
    return `${words.resources[row]}${where && ` (made at ${where})`}`;
  }

  // Who woke an await, as people say it; "": not known.
  function woken(row) {
    const { awaits, words } = D(),
      who = awaits.waker[row],
      by = words.wakers[awaits.woken_by[row]];
    if (who) return `woken by task ${who} (${name(who)})`;
    if (by === "itself") return "woke itself: it only yielded";
    return by && `woken by ${["task", "timer", "thread", "signal"].includes(by) ? "a " : ""}${by}`;
  }
  function due(row) {
    const { awaits } = D(),
      after = awaits.due_in_ns[row];
    return after < 0 ? "" : `its timer was due at ${ms(awaits.start_ns[row] + after)}`;
  }

  // The cancel scope or timeout that ended an await; "": none, or not known.
  const scope = (row) => D().words.scopes[D().awaits.scope[row]] ?? "";

  // All that is known of who ended an await, and when: a line each.
  function waking(row) {
    const which = D().awaits.resource[row];
    return [
      which < 0 ? "" : resource(which),
      `ready ${ready(row)}`,
      woken(row),
      scope(row) && `cancelled by ${scope(row)}`,
      due(row),
    ].filter(Boolean);
  }
  // Of a task before its first poll: one that was seen to be created is ready from then on.
  const fresh = (task, length) => {
    const { tasks } = D();
    const seen = tasks.created_seen[task - 1] && !tasks.before[task - 1];
    return `not started for ${ms(length)}${seen ? ", ready all of it" : ""}`;
  };

  // The frames of a shape, outermost first: [name, "file:line"]. From the await point inward they are its chain,
  // outside of it the nodes', each with the line at which the stack has it.
  function stack(row) {
    const { awaits, shapes, nodes, chains, locations } = D(),
      shape = awaits.shape[row],
      functions = [],
      found = [];
    for (let node = nodes.parent[shapes.node[shape]] ?? -1; node >= 0; node = nodes.parent[node])
      functions.unshift(nodes.function[node]);
    let at = shapes.stack[shape];
    for (const which of functions) {
      const location = at < 0 ? -1 : chains.location[at],
        known = location >= 0 && locations.function[location] === which;
      found.push([fn(which)[0], known && locations.line[location] ? place(location) : fn(which)[1]]);
      if (known) at = chains.inner[at];
    }
    for (let chain = shapes.chain[shape]; chain >= 0; chain = chains.inner[chain]) {
      const location = chains.location[chain];
      found.push([fn(locations.function[location])[0], place(location)]);
    }
    return found;
  }
  const stackText = (row) =>
    [
      `task ${D().awaits.of[row]}: ${name(D().awaits.of[row])}`,
      ...stack(row).map(([title, where], depth) => `${"  ".repeat(depth + 1)}${title}  ${where}`),
      `waits for ${target(row)}, ${exact(D().awaits.end_ns[row] - D().awaits.start_ns[row])}`,
    ].join("\n");

  const unfinished = (task) => ["Waiting", "Unknown"].includes(state(task));

  // The await in which a task stands, or stood last, at the recording's end; -1.
  function standing(task) {
    const { awaits } = D();
    if (!unfinished(task)) return -1;
    const last = awaits.first[task] - 1;
    return last >= awaits.first[task - 1] && !awaits.ended[last] ? last : -1;
  }

  // What an event says; the words of events.csv.
  const oneLine = (text) => text.replace(/[\r\n]/g, " ");
  function suspended(shape) {
    const { shapes, locations, chains, words } = D(),
      location = shapes.location[shape];
    let leaf = shapes.chain[shape];
    while (leaf >= 0 && chains.inner[leaf] >= 0) leaf = chains.inner[leaf];
    const inner = leaf < 0 ? location : chains.location[leaf];
    const what = shapes.awaited[shape] >= 0 ? type(shape) : "yield";
    const reason = words.reasons[shapes.reason[shape]];
    return [
      `location=${place(location)}, function=${fn(locations.function[location])[0]}, awaiting=`,
      what,
      ["", "task", "yield"].includes(reason) ? "" : `, reason=${reason}`,
      inner === location ? "" : `, leaf=${fn(locations.function[inner])[0]} at ${place(inner)}`,
    ];
  }
  function begun(row) {
    const { awaits } = D(),
      which = awaits.resource[row],
      due = awaits.due_in_ns[row];
    return `${which < 0 ? "" : `, resource=${resource(which, false)}`}${due < 0 ? "" : `, due_in=${digits(due)}ms`}`;
  }
  function over(row) {
    const { awaits, words } = D(),
      by = words.wakers[awaits.woken_by[row]],
      who = awaits.waker[row] ? ` ${awaits.waker[row]}` : "";
    const least = awaits.ready_ns[row],
      more = awaits.more_ns[row],
      most = more < 0 ? awaits.end_ns[row] - awaits.start_ns[row] : least + more;
    const woke = `${by && `, woken_by=${by}${who}`}${scope(row) && `, cancelled_by=${scope(row)}`}`;
    return least < 0 ? woke : `${woke}, ready=${digits(least)}${least === most ? "" : `..${digits(most)}`}ms`;
  }
  const suspensions = [];
  function details(event) {
    const { events, awaits, tasks, words } = D(),
      { code } = events;
    const kind = events.kind[event],
      row = events.row[event],
      task = events.task[event];
    if (kind === code.InspectionPoint) {
      const [label, message] = words.points[row];
      return `label=${oneLine(label)}, message=${oneLine(message)}`;
    }
    const head = `name=${oneLine(words.names[task - 1])}`;
    if (kind === code.AwaitStarted || kind === code.AwaitEnded) {
      const [before, what, reason, leaf] = (suspensions[awaits.shape[row]] ??= suspended(awaits.shape[row]));
      const more = kind === code.AwaitStarted ? begun(row) : over(row);
      return `${head}, ${before}${awaits.task[row] ? `task ${awaits.task[row]}` : what}${reason}${leaf}${more}`;
    }
    if (kind === code.TaskSpawned) {
      const more = tasks.before[row] ? ", created_before_recording=true" : "";
      return `${head}, parent=${tasks.parent[row] || "None"}, location=${place(tasks.location[row]) || "None"}${more}`;
    }
    if (kind === code.TaskFailed) return `${head}, error=${oneLine(error(task) || "?")}`;
    if (kind === code.StateChanged) return `${head}, state=${exportedState(task)}, reason=closed`;
    return head;
  }

  // RFC 4180.
  const field = (value) => (/[",\r\n]/.test(value) ? `"${`${value}`.replaceAll('"', '""')}"` : `${value}`);
  const csv = (rows) => rows.map((row) => `${row.map(field).join(",")}\r\n`).join("");

  return {
    number,
    decimal,
    ms,
    exact,
    share,
    ready,
    readyOf,
    woken,
    waking,
    fresh,
    resource,
    fn,
    defined,
    name,
    state,
    exportedState,
    shownState,
    kind,
    error,
    tags,
    place,
    file,
    at,
    awaited,
    waiting,
    type,
    target,
    exactTarget,
    reason,
    stack,
    stackText,
    standing,
    unfinished,
    details,
    csv,
  };
})(() => Page.data);
