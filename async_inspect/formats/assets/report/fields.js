// What is said of a task, as columns: which, declared.js says.
// Knows: each column's width, value to sort by, text to show, and text for CSV. Knows no table.
const Fields = (() => {
  const column = (name) => (task) => Page.data.tasks[name][task - 1];
  const word = (said) => ({ value: said, show: said, csv: said });
  const place = (said) => ({
    ...word(said),
    show: (task) => Page.el("span", { title: said(task) }, Words.file(said(task))),
  });
  const count = (said) => ({ value: said, show: (task) => Words.number(said(task)), csv: said, numeric: true });
  const id = (said) => ({
    value: said,
    show: (task) => `${said(task) || ""}`,
    csv: (task) => said(task) || "",
    numeric: true,
  });
  // Times are shown short, and are whole in CSV: ms, with all their digits. -1: there is none, or it isn't known.
  const time = (said) => ({
    value: said,
    show: (task) => (said(task) < 0 ? "unknown" : Words.ms(said(task))),
    csv: (task) => (said(task) < 0 ? "" : said(task) / 1e6),
    numeric: true,
  });
  const flag = (said) => ({ value: said, show: (task) => (said(task) ? "yes" : ""), csv: (task) => `${!!said(task)}` });
  const share = (said) => ({ ...word(said), csv: (task) => (said(task) < 0 ? "" : said(task)), numeric: true });
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
  // Where a task stands, by ``said`` of its last await; of one whose awaits are not in the page nobody knows here.
  const standing = (said) => (task) => {
    const row = Words.standing(task);
    return row >= 0 ? said(row) : Words.unfinished(task) && !column("whole")(task) ? "left out" : "";
  };

  // What is no column as it is (``said``), or is shown in a way of its own.
  const OWN = {
    id: { said: (task) => task, width: 62 },
    name: { said: (task) => Words.name(task), width: "minmax(170px,2fr)" },
    state: {
      said: (task) => Words.state(task),
      width: 104,
      csv: (task) => Words.exportedState(task),
      show: (task) => Page.el("span.state", { "data-state": Words.state(task) }, Words.state(task)),
    },
    kind_name: { said: (task) => Words.kind(task), width: "minmax(150px,1.4fr)" },
    duration_ms: { said: column("life_ns") },
    run_time_ms: { width: 88 },
    wait_time_ms: { said: column("wait_ns"), width: 88 },
    // Sorted by what is certain; exact in CSV, with its bounds beside it.
    ready_time_ms: {
      said: column("ready_ns"),
      width: 126,
      show: (task) => Words.readyOf(task),
      csv: (task) => (column("more_ns")(task) ? "" : column("ready_ns")(task) / 1e6),
    },
    ready_min_ms: { said: column("ready_ns") },
    ready_max_ms: { said: column("most_ns") },
    efficiency: {
      said: efficiency,
      show: (task) => Words.share(column("run_ns")(task), column("life_ns")(task)),
    },
    parent_id: { said: column("parent") },
    await_point: { said: standing((row) => Words.place(Page.data.shapes.location[Page.data.awaits.shape[row]])) },
    awaiting: { said: standing((row) => Words.exactTarget(row)) },
    reason: { said: standing((row) => Words.reason(row)), width: 110 },
    error: { said: (task) => Words.error(task), width: 220 },
    tags: { said: (task) => Words.tags(task) },
    location: { said: (task) => Words.place(column("location")(task)) },
    ended_at_ms: {
      said: (task) => (column("ended")(task) ? column("end_ns")(task) : -1),
      show: (task) => (column("ended")(task) ? Words.ms(column("end_ns")(task)) : "–"),
    },
    awaiters: { said: (task) => Page.data.awaiters(task).join(" "), width: 110 },
    kind: { said: (task) => (column("driven")(task) ? "driven" : "task"), width: 70 },
    created_at_first_step: { said: (task) => !column("created_seen")(task) },
    pid: {
      said: column("pid"),
      width: 84,
      value: (task) => (Page.data.about.figures.processes.length > 1 ? column("pid")(task) : 0),
    },
    exact: { said: (task) => !column("inexact")(task) },
  };
  const ALL = Declared.map(({ key, kind, column: name, label, when, drawer }) => {
    const { said = column(name), ...own } = OWN[key] ?? {},
      [make, width] = KINDS[kind];
    return { key, title: label, when, drawer, width, ...make(said), ...own };
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
      ...Array.from(tasks, (task) => [...ALL.map((field) => field.csv(task)), ...beside.map(([, said]) => said)]),
    ]);
  }

  return { ALL, shown, csv, drawer };
})();
