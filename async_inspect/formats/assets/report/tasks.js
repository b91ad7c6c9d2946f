// The table of tasks: every task a row; sorted, filtered, searched, copied.
// Knows: which columns a task has, and how they compare.
const Tasks = (() => {
  const COLUMNS = [
    // title, key, width, value for sorting, text; numeric ones to the right
    ["id", "id", 62, (t) => t, (t) => `${t}`, true],
    ["name", "name", "minmax(170px,2fr)", (t) => Words.name(t), (t) => Words.name(t)],
    [
      "state",
      "state",
      104,
      (t) => Words.state(t),
      (t) => Page.el("span.state", { "data-state": Words.state(t) }, Words.state(t)),
    ],
    ["coroutine", "kind", "minmax(150px,1.4fr)", (t) => Words.kind(t), (t) => Words.kind(t)],
    [
      "created",
      "created",
      96,
      (t) => Page.data.tasks.created_ns[t - 1],
      (t) => Words.ms(Page.data.tasks.created_ns[t - 1]),
      true,
    ],
    [
      "duration",
      "duration",
      96,
      (t) => Page.data.tasks.life_ns[t - 1],
      (t) => Words.ms(Page.data.tasks.life_ns[t - 1]),
      true,
    ],
    ["run", "run", 88, (t) => Page.data.tasks.run_ns[t - 1], (t) => Words.ms(Page.data.tasks.run_ns[t - 1]), true],
    ["wait", "wait", 88, (t) => Page.data.tasks.wait_ns[t - 1], (t) => Words.ms(Page.data.tasks.wait_ns[t - 1]), true],
    [
      "ready",
      "ready",
      88,
      (t) => Page.data.tasks.ready_ns[t - 1],
      (t) => Words.known(Page.data.tasks.ready_ns[t - 1]),
      true,
    ],
    [
      "efficiency",
      "efficiency",
      92,
      (t) => efficiency(t),
      (t) => Words.share(Page.data.tasks.run_ns[t - 1], Page.data.tasks.life_ns[t - 1]),
      true,
    ],
    [
      "polls",
      "polls",
      70,
      (t) => Page.data.tasks.polls[t - 1],
      (t) => Words.number(Page.data.tasks.polls[t - 1]),
      true,
    ],
    [
      "parent",
      "parent",
      70,
      (t) => Page.data.tasks.parent[t - 1],
      (t) => `${Page.data.tasks.parent[t - 1] || ""}`,
      true,
    ],
    ["await point", "point", 170, (t) => point(t), (t) => point(t)],
    ["awaiting", "awaiting", 130, (t) => awaiting(t), (t) => awaiting(t)],
    ["error", "error", 200, (t) => Words.error(t), (t) => Words.error(t)],
    [
      "spawned at",
      "location",
      170,
      (t) => Words.place(Page.data.tasks.location[t - 1]),
      (t) => Words.place(Page.data.tasks.location[t - 1]),
    ],
  ];
  const efficiency = (task) =>
    Page.data.tasks.life_ns[task - 1] ? Page.data.tasks.run_ns[task - 1] / Page.data.tasks.life_ns[task - 1] : -1;
  function point(task) {
    const row = Words.standing(task);
    return row < 0 ? "" : Words.place(Page.data.shapes.location[Page.data.awaits.shape[row]]);
  }
  const awaiting = (task) => (Words.standing(task) < 0 ? "" : Words.target(Words.standing(task)));

  // The table as CSV, in ms with all digits; unknown is an empty field.
  function asCsv(tasks) {
    const { tasks: t } = Page.data,
      known = (ns) => (ns < 0 ? "" : ns / 1e6);
    const head = [
      "id",
      "name",
      "state",
      "kind_name",
      "created_at_ms",
      "duration_ms",
      "run_time_ms",
      "wait_time_ms",
      "ready_time_ms",
      "efficiency",
      "poll_count",
      "parent_id",
      "await_point",
      "awaiting",
      "error",
      "location",
    ];
    return Words.csv([
      head,
      ...Array.from(tasks, (id) => {
        const i = id - 1;
        return [
          id,
          Words.name(id),
          Words.state(id),
          Words.kind(id),
          t.created_ns[i] / 1e6,
          t.life_ns[i] / 1e6,
          t.run_ns[i] / 1e6,
          t.wait_ns[i] / 1e6,
          known(t.ready_ns[i]),
          efficiency(id) < 0 ? "" : efficiency(id),
          t.polls[i],
          t.parent[i] || "",
          point(id),
          awaiting(id),
          Words.error(id),
          Words.place(t.location[i]),
        ];
      }),
    ]);
  }

  function make(section) {
    const { el, data: D } = Page,
      { number } = Words;
    // Columns in which no task has anything are left out.
    const some = (value) => {
      for (let task = 1; task <= D.tasks.length; task++) if (value(task)) return true;
      return false;
    };
    const columns = COLUMNS.filter(([, key, , value]) => !["point", "awaiting", "error"].includes(key) || some(value));
    const filter = { text: "", state: "", kind: "", tasks: null, why: "" };
    let shown = [],
      order = { key: "id", descending: false };
    const count = el("output.dim", { "aria-live": "polite" });
    const list = List.make({
      label: "Tasks",
      height: 26,
      columns: columns.map(([title, key, width, , text, numeric]) => ({
        title,
        key,
        width,
        numeric,
        cell: (i) => text(shown[i]),
      })),
      pick: (i) => Select.set({ task: shown[i] }),
      current: (i) => shown[i] === Select.chosen.task,
      sorted: (key) => {
        order = {
          key,
          descending:
            order.key === key ? !order.descending : COLUMNS.find((c) => c[1] === key)[5] === true && key !== "id",
        };
        arrange();
      },
    });
    const states = [...new Set(Array.from(D.tasks.state))].sort().map((code) => D.words.states[code]);
    const kinds = [...new Set(Array.from(D.tasks.function))].filter((row) => row >= 0).map((row) => Words.fn(row)[0]);
    const field = Page.typed("search tasks", "search name, coroutine, error, place", (text) => {
      filter.text = text;
      arrange();
    });
    const byState = Page.select("state", [["", "all states"], ...states.map((s) => [s, s])], (value) => {
      filter.state = value;
      arrange();
    });
    const byKind = Page.select(
      "coroutine",
      [["", "all coroutines"], ...[...new Set(kinds)].sort().map((k) => [k, k])],
      (value) => {
        filter.kind = value;
        arrange();
      },
    );
    const why = el("span.chips");

    function arrange() {
      const text = filter.text.toLowerCase(),
        found = [],
        among = filter.tasks && new Set(filter.tasks);
      for (let task = 1; task <= D.tasks.length; task++) {
        if (among && !among.has(task)) continue;
        if (filter.state && Words.state(task) !== filter.state) continue;
        if (filter.kind && Words.kind(task) !== filter.kind) continue;
        if (
          text &&
          ![
            task,
            ...[Words.name, Words.kind, Words.error].map((said) => said(task)),
            Words.place(D.tasks.location[task - 1]),
          ]
            .join(" ")
            .toLowerCase()
            .includes(text)
        )
          continue;
        found.push(task);
      }
      const value = COLUMNS.find((column) => column[1] === order.key)[3],
        keys = new Map(found.map((task) => [task, value(task)]));
      const sign = order.descending ? -1 : 1;
      found.sort((a, b) => (keys.get(a) < keys.get(b) ? -sign : keys.get(a) > keys.get(b) ? sign : a - b));
      shown = found;
      list.marked(order.key, order.descending);
      list.resize(found.length);
      count.textContent =
        found.length === D.tasks.length
          ? `${number(found.length)} tasks`
          : `${number(found.length)} of ${number(D.tasks.length)} tasks`;
      why.replaceChildren(
        ...(among
          ? [
              Page.button(
                `${filter.why}  ×`,
                () => {
                  filter.tasks = null;
                  arrange();
                },
                { title: "show all again" },
              ),
            ]
          : []),
      );
    }

    section.append(
      el("h2.visually-hidden", null, "Tasks"),
      el(
        "div.tools",
        null,
        field,
        byState,
        byKind,
        why,
        count,
        Page.button("copy as CSV", () => Page.copy(asCsv(shown))),
      ),
      list.element,
    );
    Select.listen((changed, chosen) => {
      if (changed.has("view") && chosen.view === "tasks" && !shown.length) arrange();
      if (changed.has("task")) list.show(shown.indexOf(chosen.task));
    });
    // Show these only: {state}, or {tasks, why}.
    Tasks.only = (wanted) => {
      Object.assign(filter, { text: "", state: "", kind: "", tasks: null, why: "" }, wanted);
      field.value = filter.text;
      byState.value = filter.state;
      byKind.value = filter.kind;
      arrange();
      Select.set({ view: "tasks" });
    };
  }

  return { make, asCsv };
})();
