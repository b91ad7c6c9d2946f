// What is said of a task, as columns: those of tasks.csv, under the same names, and a few that follow from them.
// Knows: each column's title, width, value to sort by, text to show, and text for CSV. Knows no table.
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
  const time = (said, none = "unknown") => ({
    value: said,
    show: (task) => (said(task) < 0 ? none : Words.ms(said(task))),
    csv: (task) => (said(task) < 0 ? "" : said(task) / 1e6),
    numeric: true,
  });
  const flag = (said) => ({ value: said, show: (task) => (said(task) ? "yes" : ""), csv: (task) => `${!!said(task)}` });

  const efficiency = (task) => {
    const life = column("life_ns")(task);
    return life ? column("run_ns")(task) / life : -1;
  };
  // Where a task stands, by ``said`` of its last await; of one whose awaits are not in the page nobody knows here.
  const standing = (said) => (task) => {
    const row = Words.standing(task);
    return row >= 0 ? said(row) : Words.unfinished(task) && !column("whole")(task) ? "left out" : "";
  };
  const point = standing((row) => Words.place(Page.data.shapes.location[Page.data.awaits.shape[row]]));
  const awaiting = standing((row) => Words.exactTarget(row));
  const reason = standing((row) => Words.reason(row));
  const awaiters = (task) => Page.data.awaiters(task).join(" ");

  // Sorted by what is certain; exact in CSV, with its bounds beside it.
  const ready = {
    value: column("ready_ns"),
    show: (task) => Words.readyOf(task),
    csv: (task) => (column("more_ns")(task) ? "" : column("ready_ns")(task) / 1e6),
    numeric: true,
  };

  // ``rare`` ones are left out of the table where no task has anything, ``hidden`` ones always.
  const ALL = [
    { key: "id", title: "id", width: 62, ...id((task) => task) },
    { key: "name", title: "name", width: "minmax(170px,2fr)", ...word((task) => Words.name(task)) },
    {
      key: "state",
      title: "state",
      width: 104,
      ...word((task) => Words.state(task)),
      csv: (task) => Words.exportedState(task),
      show: (task) => Page.el("span.state", { "data-state": Words.state(task) }, Words.state(task)),
    },
    { key: "kind_name", title: "coroutine", width: "minmax(150px,1.4fr)", ...word((task) => Words.kind(task)) },
    { key: "created_at_ms", title: "created", width: 96, ...time(column("created_ns")) },
    { key: "duration_ms", title: "duration", width: 96, ...time(column("life_ns")) },
    { key: "run_time_ms", title: "run", width: 88, ...time(column("run_ns")) },
    { key: "wait_time_ms", title: "wait", width: 88, ...time(column("wait_ns")) },
    { key: "ready_time_ms", title: "ready", width: 126, ...ready },
    { key: "ready_min_ms", title: "ready, least", hidden: true, ...time(column("ready_ns")) },
    { key: "ready_max_ms", title: "ready, most", hidden: true, ...time(column("most_ns")) },
    {
      key: "efficiency",
      title: "efficiency",
      width: 92,
      value: efficiency,
      show: (task) => Words.share(column("run_ns")(task), column("life_ns")(task)),
      csv: (task) => (efficiency(task) < 0 ? "" : efficiency(task)),
      numeric: true,
    },
    { key: "poll_count", title: "polls", width: 70, ...count(column("polls")) },
    { key: "parent_id", title: "parent", width: 70, ...id(column("parent")) },
    { key: "await_point", title: "await point", width: 170, rare: true, ...place(point) },
    { key: "awaiting", title: "awaiting", width: 150, rare: true, ...word(awaiting) },
    { key: "reason", title: "reason", width: 110, rare: true, ...word(reason) },
    { key: "error", title: "error", width: 220, rare: true, ...word((task) => Words.error(task)) },
    { key: "tags", title: "tags", width: 150, rare: true, ...word((task) => Words.tags(task)) },
    { key: "location", title: "spawned at", width: 170, ...place((task) => Words.place(column("location")(task))) },
    {
      key: "ended_at_ms",
      title: "ended",
      width: 96,
      ...time((task) => (column("ended")(task) ? column("end_ns")(task) : -1), "–"),
    },
    { key: "awaiters", title: "awaited by", width: 110, rare: true, ...word(awaiters) },
    { key: "kind", title: "kind", width: 70, ...word((task) => (column("driven")(task) ? "driven" : "task")) },
    { key: "closed", title: "closed", width: 70, rare: true, ...flag(column("closed")) },
    { key: "created_before_recording", title: "older", width: 70, rare: true, ...flag(column("before")) },
    {
      key: "created_at_first_step",
      title: "first step",
      width: 84,
      rare: true,
      ...flag((task) => !column("created_seen")(task)),
    },
    {
      key: "pid",
      title: "process",
      width: 84,
      rare: true,
      ...id(column("pid")),
      value: (task) => (Page.data.about.figures.processes.length > 1 ? column("pid")(task) : 0),
    },
    { key: "exact", title: "exact", hidden: true, ...flag((task) => !column("inexact")(task)) },
  ];

  function shown() {
    const { tasks } = Page.data;
    const some = (value) => {
      for (let task = 1; task <= tasks.length; task++) if (value(task)) return true;
      return false;
    };
    const found = ALL.filter((field) => !field.hidden && (!field.rare || some(field.value))),
      last = found.at(-1);
    // Where there are several processes, whose a task is belongs to its name.
    return last.key === "pid" ? found.toSpliced(2, 0, last).slice(0, -1) : found;
  }
  function csv(tasks) {
    const beside = Object.entries(Page.data.about.of_all);
    return Words.csv([
      [...ALL.map((field) => field.key), ...beside.map(([key]) => key)],
      ...Array.from(tasks, (task) => [...ALL.map((field) => field.csv(task)), ...beside.map(([, said]) => said)]),
    ]);
  }

  return { ALL, shown, csv };
})();
