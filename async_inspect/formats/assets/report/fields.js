// The columns about a task: those of declared.js, with what the page needs besides.
// Knows: each column's width, value to sort by, text to show, and text for CSV. Knows no table.
const Fields = (() => {
  const column = (name) => (task) => Page.data.tasks[name][task - 1];
  const word = (get) => ({ value: get, show: get, csv: get });
  const place = (get) => ({
    ...word(get),
    show: (task) => Page.el("span", { title: get(task) }, Words.file(get(task))),
  });
  const count = (get) => ({ value: get, show: (task) => Words.number(get(task)), csv: get, numeric: true });
  const id = (get) => ({
    value: get,
    show: (task) => `${get(task) || ""}`,
    csv: (task) => get(task) || "",
    numeric: true,
  });
  // Times are shown short, and are whole in CSV: ms, with all their digits. -1: there is none, or it isn't known.
  const time = (get) => ({
    value: get,
    show: (task) => (get(task) < 0 ? "unknown" : Words.ms(get(task))),
    csv: (task) => (get(task) < 0 ? "" : get(task) / 1e6),
    numeric: true,
  });
  const flag = (get) => ({ value: get, show: (task) => (get(task) ? "yes" : ""), csv: (task) => `${!!get(task)}` });
  const share = (get) => ({ ...word(get), csv: (task) => (get(task) < 0 ? "" : get(task)), numeric: true });
  // How a field of each kind is shown, and how wide.
  const KINDS = {
    id: [id, 70],
    text: [word, 150],
    place: [place, 170],
    count: [count, 70],
    time: [time, 96],
    share: [share, 92],
    flag: [flag, 84],
  };

  const efficiency = (task) => {
    const life = column("life_ns")(task);
    return life ? column("run_ns")(task) / life : -1;
  };
  // ``get`` of the await in which an unfinished task is; "left out" where its awaits are not in the page.
  const ofLastAwait = (get) => (task) => {
    const row = Words.standing(task);
    return row >= 0 ? get(row) : Words.unfinished(task) && !column("whole")(task) ? "left out" : "";
  };

  // Overrides by key: where the value is no column of the data (``get``), or is shown in a special way.
  const OWN = {
    id: { get: (task) => task, width: 62 },
    name: { get: (task) => Words.name(task), width: "minmax(170px,2fr)" },
    state: {
      get: (task) => Words.state(task),
      width: 104,
      csv: (task) => Words.exportedState(task),
      show: (task) => Page.el("span.state", { "data-state": Words.state(task) }, Words.state(task)),
    },
    kind_name: { get: (task) => Words.kind(task), width: "minmax(150px,1.4fr)" },
    duration_ms: { get: column("life_ns") },
    run_time_ms: { width: 88 },
    wait_time_ms: { get: column("wait_ns"), width: 88 },
    // Sorted by what is certain; exact in CSV, with its bounds beside it.
    ready_time_ms: {
      get: column("ready_ns"),
      width: 126,
      show: (task) => Words.readyOf(task),
      csv: (task) => (column("more_ns")(task) ? "" : column("ready_ns")(task) / 1e6),
    },
    ready_min_ms: { get: column("ready_ns") },
    ready_max_ms: { get: column("most_ns") },
    efficiency: {
      get: efficiency,
      show: (task) => Words.share(column("run_ns")(task), column("life_ns")(task)),
    },
    parent_id: { get: column("parent") },
    await_point: { get: ofLastAwait((row) => Words.place(Page.data.shapes.location[Page.data.awaits.shape[row]])) },
    awaiting: { get: ofLastAwait((row) => Words.exactTarget(row)) },
    reason: { get: ofLastAwait((row) => Words.reason(row)), width: 110 },
    error: { get: (task) => Words.error(task), width: 220 },
    tags: { get: (task) => Words.tags(task) },
    location: { get: (task) => Words.place(column("location")(task)) },
    ended_at_ms: {
      get: (task) => (column("ended")(task) ? column("end_ns")(task) : -1),
      show: (task) => (column("ended")(task) ? Words.ms(column("end_ns")(task)) : "–"),
    },
    awaiters: { get: (task) => Page.data.awaiters(task).join(" "), width: 110 },
    kind: { get: (task) => (column("driven")(task) ? "driven" : "task"), width: 70 },
    created_at_first_step: { get: (task) => !column("created_seen")(task) },
    pid: {
      get: column("pid"),
      width: 84,
      value: (task) => (Page.data.about.figures.processes.length > 1 ? column("pid")(task) : 0),
    },
    exact: { get: (task) => !column("inexact")(task) },
  };
  const ALL = Declared.map(({ key, kind, column: name, label, when, drawer }) => {
    const { get = column(name), ...own } = OWN[key] ?? {},
      [make, width] = KINDS[kind];
    return { key, title: label, when, drawer, width, ...make(get), ...own };
  });

  function shown() {
    const { tasks } = Page.data;
    const some = (value) => {
      for (let task = 1; task <= tasks.length; task++) if (value(task)) return true;
      return false;
    };
    const found = ALL.filter(({ when, value }) => when === "always" || (when === "known" && some(value))),
      pid = found.findIndex((field) => field.key === "pid");
    // Where there are several processes, whose a task is belongs to its name.
    if (pid >= 0) found.splice(2, 0, ...found.splice(pid, 1));
    return found;
  }
  // Of one task what its drawer has no own way for: titles, and what is shown.
  const drawer = (task) => ALL.filter((field) => field.drawer).map((field) => [field.title, field.show(task)]);
  function csv(tasks) {
    const beside = Object.entries(Page.data.about.of_all);
    return Words.csv([
      [...ALL.map((field) => field.key), ...beside.map(([key]) => key)],
      ...Array.from(tasks, (task) => [...ALL.map((field) => field.csv(task)), ...beside.map(([, get]) => get)]),
    ]);
  }

  return { ALL, shown, csv, drawer };
})();
