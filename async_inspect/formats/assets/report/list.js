// A table of any number of rows, of which only the visible ones have elements.
// Knows: scrolling. Its owner draws the rows. Above LIMIT pixels, the most that browsers support, the scroll bar moves
// faster than the rows.
const List = (() => {
  const LIMIT = 8e6;

  // ``columns``: [{title, key, width, numeric, cell(index) -> text or node}]; ``pick(index)``: a row was chosen.
  // ``sorted(key)``: a title was; without it, titles are no buttons.
  function make({ label, columns, height = 26, pick, sorted, current }) {
    const { el } = Page;
    const template = columns.map(({ width }) => (typeof width === "number" ? `${width}px` : width)).join(" ");
    const least = columns.reduce(
      (sum, { width }) => sum + (typeof width === "number" ? width : parseInt(width.slice(7), 10)),
      0,
    );
    const head = el(
      "div.row.head",
      { role: "row" },
      columns.map((column) =>
        el(
          `div.cell${column.numeric ? ".numeric" : ""}`,
          { role: "columnheader", "data-key": column.key, "aria-sort": "none" },
          sorted
            ? Page.button(column.title, () => sorted(column.key), { title: `sort by ${column.title}` })
            : column.title,
        ),
      ),
    );
    const body = el("div.rows", { role: "rowgroup" });
    const space = el("div.space");
    const scroller = el("div.scroller", { tabindex: 0, role: "table", "aria-label": label }, head, space, body);
    scroller.style.setProperty("--columns", template);
    scroller.style.setProperty("--least", `${least}px`);
    scroller.style.setProperty("--height", `${height}px`);
    let count = 0,
      focus = -1,
      due = false;
    const HEAD = 28;
    const room = () => Math.max(scroller.clientHeight - HEAD, height);
    const full = () => count * height,
      shown = () => Math.min(full(), LIMIT);
    // The row at the top, which may be a fraction.
    function top() {
      const hidden = shown() - room();
      return hidden <= 0 ? 0 : ((scroller.scrollTop / hidden) * (full() - room())) / height;
    }
    function draw() {
      due = false;
      const first = Math.max(0, Math.floor(top())),
        last = Math.min(count, Math.ceil(first + room() / height) + 1);
      const found = [];
      for (let i = first; i < last; i++) {
        found.push(
          el(
            "div.row",
            {
              role: "row",
              "aria-rowindex": i + 2,
              "data-index": i,
              "aria-selected": current?.(i) ? "true" : null,
              class: `row${current?.(i) ? " current" : ""}${i === focus ? " focus" : ""}`,
              onclick: () => {
                focus = i;
                pick?.(i);
              },
            },
            columns.map((column) => {
              const content = column.cell(i);
              return el(
                `div.cell${column.numeric ? ".numeric" : ""}`,
                { role: "cell", title: typeof content === "string" ? content : null },
                content,
              );
            }),
          ),
        );
      }
      body.style.transform = `translateY(${scroller.scrollTop - (top() - first) * height}px)`;
      body.replaceChildren(...found);
    }
    function again() {
      if (!due) requestAnimationFrame(draw);
      due = true;
    }
    function resize(n) {
      count = n;
      focus = Math.min(focus, n - 1);
      space.style.height = `${shown()}px`;
      scroller.setAttribute("aria-rowcount", n + 1);
      again();
    }
    function show(index) {
      if (index < 0 || index >= count) return;
      focus = index;
      const from = top(),
        lines = room() / height;
      if (index < from || index > from + lines - 1) {
        const hidden = shown() - room(),
          wanted = Math.max(0, index - Math.floor(lines / 2));
        scroller.scrollTop = hidden <= 0 ? 0 : Math.min(1, (wanted * height) / (full() - room())) * hidden;
      }
      again();
    }
    scroller.addEventListener("scroll", again);
    scroller.addEventListener("keydown", (event) => {
      const page = Math.max(1, Math.floor(room() / height) - 1);
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -count, End: count }[event.key];
      if (step && !event.target.closest("button")) {
        event.preventDefault();
        show(Math.max(0, Math.min(count - 1, focus + step)));
      } else if (event.key === "Enter" && event.target === scroller && focus >= 0) pick?.(focus);
    });
    new ResizeObserver(again).observe(scroller);
    function marked(key, descending) {
      for (const cell of head.children) {
        cell.setAttribute("aria-sort", cell.dataset.key !== key ? "none" : descending ? "descending" : "ascending");
      }
    }
    return { element: scroller, resize, show, again, marked };
  }

  return { make };
})();
