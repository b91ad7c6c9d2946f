// A directed graph as layers from left to right, drawn in SVG.
// Knows: boxes and arrows. Knows nothing of what they stand for.
const Layers = (() => {
  const WIDE = 200,
    HIGH = 40,
    GAP_X = 130,
    GAP_Y = 14;

  // ``boxes``: [{id, title, more, pick, current, kind, last}], ``arrows``: [{from, to, kind, text, weight}]. Layers
  // follow the arrows of kind "spawn"; boxes that none leads to stand to the left, those that are ``last`` behind all.
  function draw(boxes, arrows, label) {
    const { svg } = Page,
      by = new Map(boxes.map((box) => [box.id, box]));
    const known = arrows.filter((arrow) => by.has(arrow.from) && by.has(arrow.to));
    place(boxes, known, by);
    const width = Math.max(...boxes.map((box) => box.x + WIDE), 0) + 20,
      height = Math.max(...boxes.map((box) => box.y + HIGH), 0) + 30;
    const most = Math.max(...known.map((arrow) => arrow.weight ?? 1), 1);
    return svg(
      "svg.graph",
      { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": label },
      svg(
        "defs",
        null,
        ["spawn", "await", "hold", "want"].map((kind) =>
          svg(
            `marker.${kind}`,
            {
              id: `head-${kind}`,
              viewBox: "0 0 8 8",
              refX: 7,
              refY: 4,
              markerWidth: 7,
              markerHeight: 7,
              markerUnits: "userSpaceOnUse",
              orient: "auto-start-reverse",
            },
            svg("path", { d: "M0 0L8 4L0 8z" }),
          ),
        ),
      ),
      known.map((arrow) => curve(arrow, by.get(arrow.from), by.get(arrow.to), most)),
      boxes.map(box),
      labelled(known, by).map(({ text, label }) => svg("text.arrow", label, Page.fit(text, GAP_X))),
    );
  }

  // The arrows whose text is drawn: where many end at what is ``last``, the heaviest of a kind; a tip has them all.
  function labelled(arrows, by) {
    const heaviest = new Map();
    for (const arrow of arrows) {
      const key = by.get(arrow.to).last ? `${arrow.to} ${arrow.kind}` : arrow;
      if (arrow.text && !(heaviest.get(key)?.weight >= arrow.weight)) heaviest.set(key, arrow);
    }
    return [...heaviest.values()];
  }

  function place(boxes, arrows, by) {
    const below = new Map(boxes.map((box) => [box.id, []])),
      above = new Map(boxes.map((box) => [box.id, 0]));
    for (const { from, to, kind } of arrows) {
      if (kind === "spawn" && from !== to) {
        below.get(from).push(to);
        above.set(to, above.get(to) + 1);
      }
    }
    // Breadth first from those without a parent; who is in a cycle that none of these leads to stands to the left.
    const layer = new Map();
    for (const start of [...boxes.filter((box) => !above.get(box.id)), ...boxes]) {
      const queue = layer.has(start.id) ? [] : [[start.id, start.layer ?? 0]];
      for (const [id, depth] of queue) {
        // which grows
        if (layer.has(id)) continue;
        layer.set(id, depth);
        queue.push(...below.get(id).map((next) => [next, depth + 1]));
      }
    }
    const behind = Math.max(0, ...boxes.filter((box) => !box.last).map((box) => layer.get(box.id))) + 1;
    for (const box of boxes) if (box.last) layer.set(box.id, behind);
    const columns = [];
    for (const box of boxes) (columns[layer.get(box.id)] ??= []).push(box);
    columns.forEach((column, depth) =>
      column.forEach((box, row) => {
        box.x = 10 + depth * (WIDE + GAP_X);
        box.row = row;
      }),
    );
    // Near to what they are connected with, a few rounds.
    for (let round = 0; round < 4; round++) {
      for (const column of columns.slice(1).filter(Boolean)) {
        for (const box of column) {
          const near = arrows
            .filter((arrow) => arrow.from === box.id || arrow.to === box.id)
            .map((arrow) => by.get(arrow.from === box.id ? arrow.to : arrow.from))
            .filter((other) => other.x !== box.x);
          box.wish = near.length ? near.reduce((sum, other) => sum + other.row, 0) / near.length : box.row;
        }
        column
          .sort((a, b) => a.wish - b.wish)
          .forEach((box, row) => {
            box.row = row;
          });
      }
    }
    for (const box of boxes) box.y = 20 + box.row * (HIGH + GAP_Y);
  }

  // The arrow; where its text goes is left in ``label``.
  function curve(arrow, from, to, most) {
    const { svg } = Page,
      { kind, text, weight } = arrow,
      wide = most > 1 ? 1 + 3 * Math.sqrt((weight ?? 1) / most) : 1.5,
      shift = kind === "await" ? 8 : kind === "hold" ? 14 : 0;
    let path,
      x,
      y,
      anchor = "middle";
    if (from === to) {
      [x, y] = [from.x + WIDE / 2, from.y - 10];
      const [left, right, up] = [from.x + 40, from.x + WIDE - 40, from.y - 22];
      path = `M${right} ${from.y}C${right} ${up} ${left} ${up} ${left} ${from.y}`;
    } else {
      const right = to.x > from.x,
        same = to.x === from.x;
      const [x1, y1] = [right || same ? from.x + WIDE : from.x, from.y + HIGH / 2 + shift - 4],
        [x2, y2] = [right ? to.x : to.x + WIDE, to.y + HIGH / 2 + shift - 4];
      const bend = same ? 46 : Math.max(Math.abs(x2 - x1) / 2, 30),
        [d1, d2] = same ? [bend, bend] : right ? [bend, -bend] : [-bend, bend];
      path = `M${x1} ${y1}C${x1 + d1} ${y1} ${x2 + d2} ${y2} ${x2} ${y2}`;
      // The text stands where the arrow ends: few end at one box.
      [x, y, anchor] = same
        ? [x1 + bend, (y1 + y2) / 2, "middle"]
        : [x2 + (right ? -12 : 12), y2 + (shift ? 13 : -5), right ? "end" : "start"];
    }
    arrow.label = { x, y, "text-anchor": anchor };
    return svg(
      `g.arrow.${kind}`,
      null,
      svg("path", { d: path, "stroke-width": wide, "marker-end": `url(#head-${kind})` }),
      svg("title", null, `${from.title} → ${to.title}: ${kind}${text ? ` ${text}` : ""}`),
    );
  }

  function box({ x, y, title, more, pick, current, kind }) {
    const { svg } = Page;
    return svg(
      `g.box${current ? ".current" : ""}${kind ? `.${kind}` : ""}`,
      {
        transform: `translate(${x} ${y})`,
        tabindex: pick ? 0 : null,
        role: pick ? "button" : null,
        onclick: () => pick?.(),
        onkeydown: (event) => event.key === "Enter" && pick?.(),
      },
      svg("rect", { width: WIDE, height: HIGH, rx: 4 }),
      svg("text", { x: 10, y: 17 }, Page.fit(title, WIDE - 14)),
      svg("text.dim", { x: 10, y: 32 }, Page.fit(more ?? "", WIDE - 8)),
      svg("title", null, `${title}\n${more ?? ""}`),
    );
  }

  return { draw };
})();
