// The table of tasks: every task a row; sorted, filtered, searched, copied.
// Knows: which tasks are shown, and in which order. The columns are in fields.js.
const Tasks = (() => {
  function make(section) {
    const { el, data: D } = Page,
      { number } = Words;
    const filter = { text: "", state: "", kind: "", tasks: null, why: "" };
    let shown = [],
      order = { key: "id", descending: false };
    const count = el("output.dim", { "aria-live": "polite" });
    const list = List.make({
      label: "Tasks",
      height: 26,
      columns: Fields.shown().map((field) => ({ ...field, cell: (i) => field.show(shown[i]) })),
      pick: (i) => Select.set({ task: shown[i] }),
      current: (i) => shown[i] === Select.chosen.task,
      sorted: (key) => {
        const numeric = key !== "id" && fieldOf(key).numeric; // the largest first
        order = { key, descending: order.key === key ? !order.descending : numeric };
        arrange();
      },
    });
    const fieldOf = (key) => Fields.ALL.find((field) => field.key === key);
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
            ...[Words.name, Words.kind, Words.tags, Words.error].map((get) => get(task)),
            Words.place(D.tasks.location[task - 1]),
          ]
            .join(" ")
            .toLowerCase()
            .includes(text)
        )
          continue;
        found.push(task);
      }
      const value = fieldOf(order.key).value,
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
        Page.button("copy as CSV", () => Page.copy(Fields.csv(shown))),
      ),
      list.element,
    );
    Select.listen((changed, chosen) => {
      if (changed.has("view") && chosen.view === "tasks" && !shown.length) arrange();
      if (changed.has("task")) list.show(shown.indexOf(chosen.task));
    });
    // Which tasks are shown, in their order.
    Tasks.shown = () => {
      if (!shown.length) arrange();
      return shown;
    };
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

  return { make };
})();
