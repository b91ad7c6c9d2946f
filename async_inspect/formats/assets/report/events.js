// The event log: every event a row; filtered by kind, task and text; a click goes to the moment in the timeline.
// Knows: the events of the data.
const Events = (() => {
  function make(section) {
    const { el, data: D } = Page,
      { number } = Words,
      { events } = D;
    const filter = { kind: "", task: 0, text: "" };
    let shown = null,
      all = null;
    const count = el("output.dim", { "aria-live": "polite" });
    const list = List.make({
      label: "Events",
      height: 24,
      columns: [
        { title: "id", key: "id", width: 82, numeric: true, cell: (i) => `${events.id[shown[i]]}` },
        { title: "time", key: "time", width: 130, numeric: true, cell: (i) => Words.exact(events.ts_ns[shown[i]]) },
        {
          title: "kind",
          key: "kind",
          width: 130,
          cell: (i) =>
            el(
              "span.kind",
              { "data-kind": D.words.kinds[events.kind[shown[i]]] },
              D.words.kinds[events.kind[shown[i]]],
            ),
        },
        { title: "task", key: "task", width: 72, numeric: true, cell: (i) => `${events.task[shown[i]] || ""}` },
        { title: "details", key: "details", width: "minmax(420px,1fr)", cell: (i) => Words.details(shown[i]) },
      ],
      pick: (i) => {
        const event = shown[i],
          { from, to } = Select.chosen;
        Select.set({
          view: "timeline",
          task: events.task[event],
          ...Select.around(events.ts_ns[event], Math.min(to - from, D.duration / 50)),
        });
      },
      current: (i) => events.task[shown[i]] > 0 && events.task[shown[i]] === Select.chosen.task,
    });
    const byTask = Page.typed("task", "task id", (text) => {
      filter.task = parseInt(text, 10) || 0;
      arrange();
    });
    const byKind = Page.select(
      "kind",
      [["", "all kinds"], ...D.words.kinds.map((kind, code) => [code, kind])],
      (value) => {
        filter.kind = value;
        arrange();
      },
    );
    const byText = Page.typed("search events", "search details", (text) => {
      filter.text = text;
      arrange();
    });

    function arrange() {
      const text = filter.text.toLowerCase(),
        kind = filter.kind === "" ? -1 : +filter.kind;
      all ??= Int32Array.from({ length: events.length }, (_, i) => i);
      shown = all.filter(
        (i) =>
          (kind < 0 || events.kind[i] === kind) &&
          (!filter.task || events.task[i] === filter.task) &&
          (!text || Words.details(i).toLowerCase().includes(text)),
      );
      list.resize(shown.length);
      count.textContent =
        shown.length === events.length
          ? `${number(events.length)} events`
          : `${number(shown.length)} of ${number(events.length)} events`;
    }
    function csv() {
      return Words.csv([
        ["event_id", "task_id", "timestamp_ms", "kind", "details"],
        ...Array.from(shown, (i) => [
          events.id[i],
          events.task[i] || "",
          events.ts_ns[i] / 1e6,
          D.words.kinds[events.kind[i]],
          Words.details(i),
        ]),
      ]);
    }

    section.append(
      el("h2.visually-hidden", null, "Events"),
      el(
        "div.tools",
        null,
        byText,
        byKind,
        byTask,
        count,
        Page.button("copy as CSV", () => Page.copy(csv())),
        el("span.hint", null, "a row goes to its moment in the timeline"),
      ),
      list.element,
    );
    Select.listen((changed, { view }) => {
      if (changed.has("view") && view === "events" && !shown) arrange();
      if (changed.has("task") && shown) list.again();
    });
    Events.only = (task) => {
      Object.assign(filter, { kind: "", task, text: "" });
      byKind.value = byText.value = "";
      byTask.value = `${task}`;
      arrange();
      Select.set({ view: "events" });
    };
  }

  return { make };
})();
