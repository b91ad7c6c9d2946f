// The flame graph: frames on canvas, the root on top; search, zoom, the tasks behind a frame.
// Knows: how frames are drawn and found. What a frame is, is in stacks.js.
const Flame = (() => {
  const HEIGHT = 20;

  function make(section) {
    const { el, data: D } = Page,
      { ms, share, number } = Words;
    const canvas = el("canvas.chart.flame", {
      tabindex: 0,
      role: "application",
      "aria-label": "Flame graph of the await tree. Arrows move between frames, Enter zooms, Escape goes back.",
    });
    const depth = el("div"),
      box = el("div.chartbox", null, canvas, depth); // the canvas stays in sight, what is drawn in it scrolls
    const side = el("aside.side", { "aria-label": "The chosen frame" });
    const matched = el("output.dim", { "aria-live": "polite" });
    let weight = "wall",
      up = false,
      sources = null,
      root = null,
      zoomed = null,
      focus = null,
      hits = null,
      wanted = "",
      drawn = [];

    function build() {
      sources ??= Stacks.sources(D);
      root = Stacks.tree(sources, weight, up);
      zoomed = focus = root;
      search(wanted);
      box.scrollTop = 0;
      tell(root);
      size();
    }
    function size() {
      depth.style.height = `${Math.max((root.deepest + 1) * HEIGHT + 2 - box.clientHeight, 0)}px`;
      again();
    }
    const again = Page.canvas(canvas, draw);
    box.addEventListener("scroll", again);
    new ResizeObserver(() => root && size()).observe(box);

    function draw(context, width, height) {
      if (!root) return;
      const c = Page.colours,
        stripes = Page.hatch(context, c.stripe, c.wait);
      context.fillStyle = c.panel;
      context.fillRect(0, 0, width, height);
      drawn = [];
      const path = new Set();
      for (let at = zoomed; at; at = at.parent) path.add(at);
      const step = width / Math.max(zoomed.ns, 1),
        stack = [root];
      while (stack.length) {
        const frame = stack.pop(),
          above = path.has(frame) && frame !== zoomed;
        const x = above ? 0 : (frame.start - zoomed.start) * step,
          w = above ? width : frame.ns * step,
          y = frame.depth * HEIGHT - box.scrollTop;
        if (w < 0.4 || x > width || x + w < 0 || y > height) continue;
        drawn.push({ frame, x, w, y });
        const part = frame.ns ? frame.wait / frame.ns : 0;
        context.globalAlpha = above ? 0.5 : 1;
        context.fillStyle = hits?.has(frame) ? c.hit : frame === root ? c.soft : frame.waits ? stripes : mix(part);
        context.fillRect(x + 0.5, y + 1, Math.max(w - 1, 0.5), HEIGHT - 1);
        context.globalAlpha = 1;
        if (frame === focus) {
          context.strokeStyle = c.ink;
          context.strokeRect(Math.max(x, 0) + 1, y + 1.5, Math.min(w, width) - 2, HEIGHT - 2);
        }
        if (w > 26) {
          const from = Math.max(x, 0),
            text = Page.fit(frame.short, Math.min(x + w, width) - from - 8);
          if (frame.waits && text && !hits?.has(frame)) {
            context.fillStyle = c.wait;
            context.fillRect(from + 2, y + 3, Math.min(Page.width(text) + 6, w - 4), HEIGHT - 5);
          }
          context.fillStyle = hits?.has(frame) ? "#ffffff" : c.ink;
          context.fillText(text, from + 5, y + HEIGHT / 2 + 1, Math.max(Math.min(x + w, width) - from - 8, 1));
        }
        if (above) stack.push(frame.children.find((child) => path.has(child)));
        else stack.push(...frame.children);
      }
      if (root.ns === 0) {
        context.fillStyle = c.dim;
        context.fillText("No stack took any time.", 8, 40);
      }
    }
    // From ran to waited in five steps, as flamegraph.svg has them.
    const mixes = new Map();
    Page.watchers.push(() => mixes.clear());
    function mix(part) {
      const step = part === 0 ? 0 : part === 1 ? 4 : 1 + Math.min(2, Math.floor(3 * part));
      if (!mixes.has(step))
        mixes.set(step, getComputedStyle(document.documentElement).getPropertyValue(`--k${step}`).trim());
      return mixes.get(step);
    }

    function search(text) {
      wanted = text;
      hits = null;
      matched.textContent = "";
      if (text && root) {
        let matches;
        try {
          const pattern = new RegExp(text, "i");
          matches = (name) => pattern.test(name);
        } catch {
          matches = (name) => name.toLowerCase().includes(text.toLowerCase());
        }
        hits = new Set();
        let ns = 0;
        const stack = root.children.map((child) => [child, false]);
        while (stack.length) {
          const [frame, inside] = stack.pop(),
            hit = matches(`${frame.name} ${frame.place}`);
          if (hit) hits.add(frame);
          if (hit && !inside) ns += frame.ns;
          for (const child of frame.children) stack.push([child, inside || hit]);
        }
        matched.textContent = `${number(hits.size)} frames match, ${share(ns, root.ns)} of the time`;
      }
      again();
    }

    // The panel: the frame's times, its stack, the tasks behind it.
    function tell(frame) {
      focus = frame;
      const y = frame.depth * HEIGHT;
      if (y < box.scrollTop) box.scrollTop = y;
      else if (y + HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = y + HEIGHT - box.clientHeight;
      const behind = frame === root ? [] : Stacks.tasks(D, frame, weight),
        path = [];
      for (let at = frame; at.parent; at = at.parent) path.unshift(at);
      const text = (up ? path.toReversed() : path)
        .map((one, depth) => `${"  ".repeat(depth)}${one.waits ? one.name : `${one.name}  ${one.place}`}`)
        .join("\n");
      side.replaceChildren(
        el("h3", null, frame.name),
        (!frame.waits && frame.place && el("p", null, el("code", null, frame.place))) || "",
        el(
          "dl.facts",
          null,
          [
            ["time", `${ms(frame.ns)}, ${share(frame.ns, root.ns)} of all`],
            ["ran", ms(frame.run)],
            ["waited", ms(frame.wait)],
            ...(frame.calls && !up ? [["calls", number(frame.calls)]] : []),
            ...(Number.isNaN(frame.calls) && !up ? [["calls", "not known"]] : []),
          ].map(([key, value]) => [el("dt", null, key), el("dd", null, value)]),
        ),
        el(
          "div.group",
          null,
          frame === root ? null : Page.button("zoom", () => zoom(frame)),
          zoomed === root ? null : Page.button("all", () => zoom(root)),
          frame === root ? null : Page.button("copy stack", () => Page.copy(text)),
          behind.length
            ? Page.button("in the table", () => Tasks.only({ tasks: behind.map(([task]) => task), why: frame.name }))
            : null,
        ),
        behind.length ? el("h4", null, `${number(behind.length)} task${behind.length > 1 ? "s" : ""} behind it`) : "",
        behind.length
          ? el(
              "ul.plain",
              null,
              behind
                .slice(0, 100)
                .map(([task, ns]) => el("li", null, Summary.taskLink(task), el("span.numeric", null, ms(ns)))),
            )
          : "",
        behind.length > 100 ? el("p.dim", null, `and ${number(behind.length - 100)} more`) : "",
        frame === root
          ? el(
              "p.dim",
              null,
              "A frame's width is its time, of all tasks together. Click a frame to see what is behind it, ",
              "double-click to zoom, Esc to go back, / to search.",
            )
          : "",
      );
      canvas.setAttribute("aria-description", `${frame.name}, ${ms(frame.ns)}`);
      again();
    }
    function zoom(frame) {
      zoomed = frame;
      tell(frame);
    }
    const under = (event) =>
      drawn.findLast(
        ({ x, w, y }) =>
          event.offsetX >= x && event.offsetX <= x + w && event.offsetY >= y && event.offsetY < y + HEIGHT,
      )?.frame;
    canvas.addEventListener("click", (event) => {
      const frame = under(event);
      if (frame) tell(frame);
    });
    canvas.addEventListener("dblclick", (event) => {
      const frame = under(event);
      if (frame) zoom(frame);
    });
    canvas.addEventListener("pointermove", (event) => {
      const frame = under(event);
      if (frame && event.pointerType === "mouse")
        Page.tip(
          event,
          el("b", null, frame.name),
          el("div", null, `${ms(frame.ns)}, ${share(frame.ns, root.ns)}`),
          el("div.dim", null, `ran ${ms(frame.run)}, waited ${ms(frame.wait)}`),
        );
      else Page.tip(null);
    });
    canvas.addEventListener("pointerleave", () => Page.tip(null));
    canvas.addEventListener("keydown", (event) => {
      const siblings = focus.parent?.children ?? [root],
        index = siblings.indexOf(focus);
      const to = {
        ArrowUp: focus.parent,
        ArrowDown: focus.children[0],
        ArrowLeft: siblings[index - 1],
        ArrowRight: siblings[index + 1],
      }[event.key];
      if (event.key.startsWith("Arrow")) {
        event.preventDefault();
        if (to) tell(to);
      } else if (event.key === "Enter") zoom(focus);
      else if (event.key === "Escape") zoom(zoomed.parent ?? root);
    });
    const field = Page.typed("search frames", "search (/)", search);
    section.addEventListener("keydown", (event) => {
      if (event.key === "/" && event.target !== field) {
        event.preventDefault();
        field.focus();
      }
    });

    section.append(
      el("h2.visually-hidden", null, "Flame graph"),
      el(
        "div.tools",
        null,
        Page.choice(
          "what is counted",
          [
            ["wall", "wall"],
            ["run", "run"],
            ["wait", "wait"],
          ],
          weight,
          (value) => {
            weight = value;
            build();
          },
        ),
        Page.choice(
          "direction",
          [
            ["down", "top-down"],
            ["up", "bottom-up"],
          ],
          "down",
          (value) => {
            up = value === "up";
            build();
          },
        ),
        field,
        matched,
        el("span.legend", null, el("i.run"), "ran", el("i.wait"), "waited"),
      ),
      el("div.split", null, box, side),
    );
    Select.listen((changed, { view }) => {
      if (changed.has("view") && view === "flame" && !root) build();
    });
  }

  return { make };
})();
