// A state machine as a column of boxes: an arrow to the next box goes straight down, one that skips boxes down on the
// right, one back up on the left, and one to the same box is a loop.
// Knows: boxes and arrows. Knows nothing of coroutines.
const Column = (() => {
  const HIGH = 54,
    GAP = 40,
    WIDE = 360,
    LANE = 24,
    STEP = HIGH + GAP;

  // ``boxes``: [{id, title, lines, share, outer, never, pick}] from top to bottom; ``arrows`` between their ids:
  // [{from, to, text, weight}].
  function draw(boxes, arrows, label) {
    const { svg } = Page,
      row = new Map(boxes.map((box, i) => [box.id, i]));
    const found = arrows
      .filter(({ from, to }) => row.has(from) && row.has(to))
      .map((arrow) => ({ ...arrow, a: row.get(arrow.from), b: row.get(arrow.to) }));
    const skips = found.filter(({ a, b }) => b > a + 1),
      backs = found.filter(({ a, b }) => b < a);
    const right = lanes(skips),
      left = 120 + lanes(backs) * LANE;
    const width = left + WIDE + right * LANE + 40,
      height = boxes.length * STEP;
    const most = Math.max(...found.map(({ weight }) => weight), 1);
    const head = (id, kind) =>
      svg(
        `marker.${kind}`,
        {
          id,
          viewBox: "0 0 8 8",
          refX: 7,
          refY: 4,
          markerWidth: 8,
          markerHeight: 8,
          markerUnits: "userSpaceOnUse",
          orient: "auto",
        },
        svg("path", { d: "M0 0L8 4L0 8z" }),
      );
    return svg(
      "svg.graph.machine",
      { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": label },
      svg("defs", null, head("head-on", "on"), head("head-back", "back")),
      found.map((arrow) => curve(arrow, left, most > 1 ? 1 + 3 * Math.sqrt(arrow.weight / most) : 1.5)),
      boxes.map((box, i) => state(box, left, 4 + i * STEP)),
    );
  }

  // Each arrow its lane: the nearest that is free from one end to the other; the short ones choose first.
  function lanes(arrows) {
    const busy = [];
    for (const arrow of arrows.sort((x, y) => Math.abs(x.a - x.b) - Math.abs(y.a - y.b))) {
      const low = Math.min(arrow.a, arrow.b),
        high = Math.max(arrow.a, arrow.b);
      let lane = 0;
      while ((busy[lane] ??= []).some(([from, to]) => low < to && from < high)) lane++;
      busy[lane].push([low, high]);
      arrow.lane = lane;
    }
    return busy.length;
  }

  function curve({ a, b, lane, text, from, to, weight }, left, wide) {
    const { svg } = Page,
      y = (at, part) => 4 + at * STEP + HIGH * part,
      round = 10;
    let path, label;
    if (b === a + 1) {
      path = `M${left + WIDE / 2} ${y(a, 1)}V${y(b, 0)}`;
      label = { x: left + WIDE / 2 + 8, y: y(a, 1) + GAP / 2 + 4 };
    } else if (a === b) {
      path = `M${left} ${y(a, 0.2)}C${left - 40} ${y(a, 0.1)} ${left - 40} ${y(a, 0.65)} ${left} ${y(a, 0.5)}`;
      label = { x: left - 36, y: y(a, 0.35) + 4, "text-anchor": "end" };
    } else {
      const back = b < a,
        [edge, out] = back ? [left, -1] : [left + WIDE, 1];
      const x = back ? left - 112 - lane * LANE : edge + 22 + lane * LANE,
        [start, end] = back ? [y(a, 0.72), y(b, 0.72)] : [y(a, 0.6), y(b, 0.4)];
      const turn = back ? -round : round;
      const bend = x - out * round;
      path = `M${edge} ${start}H${bend}Q${x} ${start} ${x} ${start + turn}`;
      path += `V${end - turn}Q${x} ${end} ${bend} ${end}H${edge}`;
      label = { transform: `translate(${x} ${(start + end) / 2}) rotate(-90)`, y: -5, "text-anchor": "middle" };
    }
    const back = b <= a;
    return svg(
      `g.arrow${back ? ".back" : ""}`,
      { "data-from": from, "data-to": to, "data-count": weight },
      svg("path", { d: path, "stroke-width": wide, "marker-end": `url(#${back ? "head-back" : "head-on"})` }),
      svg("text.arrow", label, text),
    );
  }

  function state({ id, title, lines, share, outer, never, pick }, x, y) {
    const { svg } = Page;
    return svg(
      `g.box${outer ? ".outer" : ""}${never ? ".never" : ""}`,
      {
        transform: `translate(${x} ${y})`,
        "data-state": id,
        tabindex: pick ? 0 : null,
        role: pick ? "button" : null,
        onclick: () => pick?.(),
        onkeydown: (event) => event.key === "Enter" && pick?.(),
      },
      svg("rect", { width: WIDE, height: HIGH, rx: outer ? HIGH / 2 : 4 }),
      share > 0 && svg("rect.share", { width: Math.max(WIDE * share, 1), height: 4, y: HIGH - 4 }),
      [title, ...lines].map((text, i) =>
        svg(
          i ? "text.dim" : "text",
          { x: outer ? 22 : 12, y: (outer ? 24 : 18) + 14 * i },
          Page.fit(text, (WIDE - 20) * (i ? 12 / 11 : 1)),
        ),
      ),
      svg("title", null, [title, ...lines].join("\n")),
    );
  }

  return { draw };
})();
