// Printing: the summary, the current view, and the tasks as in the table; in light colours.
// The columns about a task are in fields.js.
const Paper = (() => {
  const MOST = 200,
    TIMES = ["created_at_ms", "duration_ms", "run_time_ms", "wait_time_ms", "ready_time_ms"],
    KEYS = ["id", "name", "state", "kind_name", ...TIMES, "poll_count", "await_point", "error"];

  function make(section) {
    const { el } = Page,
      { number } = Words,
      root = document.documentElement;
    let theme = null;

    function fill() {
      const tasks = Tasks.shown(),
        fields = Fields.shown().filter((field) => KEYS.includes(field.key)),
        cell = (name, { numeric }, content) => el(numeric ? `${name}.numeric` : name, null, content);
      section.replaceChildren(
        el("h2", null, "Tasks"),
        el(
          "table",
          null,
          el(
            "thead",
            null,
            el(
              "tr",
              null,
              fields.map((field) => cell("th", field, field.title)),
            ),
          ),
          el(
            "tbody",
            null,
            Array.from(tasks.slice(0, MOST), (task) =>
              el(
                "tr",
                null,
                fields.map((field) => cell("td", field, field.show(task))),
              ),
            ),
          ),
        ),
        tasks.length > MOST
          ? el("p.dim", null, `${number(tasks.length - MOST)} more tasks are not printed: ${MOST} rows at most are`)
          : "",
      );
    }
    window.addEventListener("beforeprint", () => {
      fill();
      theme ??= root.dataset.theme;
      root.dataset.theme = "light";
      Page.repaint(true);
    });
    window.addEventListener("afterprint", () => {
      if (theme) root.dataset.theme = theme;
      theme = null;
      Page.repaint();
    });
  }

  return { make };
})();
