// The timeline: a Gantt chart on canvas, with a curve of how many tasks are alive, and a map of all of it.
// Knows: positions and texts. Bars are drawn by paint.js, input is in moves.js.
const Timeline = (() => {
  const MIN_NS = 200;

  function make(section) {
    const { el, data: D } = Page,
      { ms } = Words,
      { chosen } = Select,
      { TOP } = Chart,
      duration = Math.max(D.duration, 1);
    const main = el("canvas.chart", {
      tabindex: 0,
      role: "application",
      "aria-label":
        "Timeline of all tasks. W and S zoom, A and D or arrows move, Enter opens the task under the cursor.",
    });
    const map = el("canvas.map", {
      role: "img",
      "aria-label": "Tasks alive over the whole recording; drag to choose a part",
    });
    const status = el("output.dim.spare", { "aria-live": "polite" });
    const v = {
      mode: "nested",
      pitch: 20,
      top: 0,
      cursor: 0,
      pointer: null,
      folded: new Set(),
      order: { tasks: new Int32Array(0), depth: new Int32Array(0) },
      rows: [],
      tracks: null,
    };
    const gutter = (width) => Chart.gutter(v, width),
      count = () => Chart.count(v),
      trackOf = (row) => Chart.trackOf(v, row),
      scale = (width) => Chart.scale(v, width);

    let all, packed;
    function arrange() {
      if (v.mode === "lanes") {
        packed ??= { rows: Tracks.lanes(D) };
        packed.tracks ??= Tracks.make(D, packed.rows);
        Object.assign(v, packed);
      } else {
        all ??= Tracks.make(
          D,
          Array.from({ length: D.tasks.length }, (_, i) => [i + 1]),
        );
        v.tracks = all;
        v.order = Tracks.nested(D, v.folded);
      }
      v.cursor = Math.min(v.cursor, Math.max(count() - 1, 0));
      again();
    }

    // --- drawing ---

    const again = Page.canvas(main, (...picture) => {
        if (!v.tracks) arrange(); // the first time it is seen
        draw(v, ...picture);
      }),
      againMap = Alive.map(map, look),
      draw = Chart.make(() => again());

    // --- moving ---

    function look(from, width) {
      width = Math.max(Math.min(width, duration), Math.min(MIN_NS, duration));
      from = Math.max(0, Math.min(from, duration - width));
      Select.set({ from, to: from + width });
    }
    function zoom(factor, share = 0.5) {
      const width = chosen.to - chosen.from,
        now = Math.max(Math.min(width * factor, duration), MIN_NS);
      look(chosen.from + (width - now) * share, now);
    }
    const pan = (share) => look(chosen.from + share * (chosen.to - chosen.from), chosen.to - chosen.from);
    function fitRows() {
      v.pitch = Math.max(2, Math.min(20, (main.clientHeight - TOP) / Math.max(count(), 1)));
      v.top = 0;
      again();
    }
    function rowOf(task) {
      return v.mode === "lanes" ? D.tasks.lane[task - 1] : v.order.tasks.indexOf(task);
    }
    function reveal(task) {
      if (!task || !v.tracks) return;
      if (v.mode === "nested") {
        let opened = false;
        for (let at = D.tasks.parent[task - 1]; at; at = D.tasks.parent[at - 1]) opened = v.folded.delete(at) || opened;
        if (opened) arrange();
      }
      const row = rowOf(task),
        y = row * v.pitch - v.top,
        room = (main.clientHeight || 600) - TOP;
      v.cursor = Math.max(row, 0);
      if (y < 0 || y > room - v.pitch) v.top = Math.max(0, row * v.pitch - room / 2);
      again();
    }

    // --- asking ---

    function under(x, y) {
      const left = gutter(main.clientWidth),
        row = Math.floor((y - TOP + v.top) / v.pitch);
      if (y < TOP || row < 0 || row >= count()) return null;
      const moment = chosen.from + (x - left) * scale(main.clientWidth),
        found = { row, moment, left: x < left };
      if (v.mode === "nested") found.task = v.order.tasks[row];
      if (x < left) return found;
      // The bar under the mouse, or the nearest within two pixels.
      for (const near of [0, -1, 1, -2, 2]) {
        const i = v.tracks.find(trackOf(row), moment + near * scale(main.clientWidth));
        if (i >= 0 && v.tracks.kind[i] !== Tracks.NONE) return { ...found, segment: i, task: v.tracks.who[i] };
      }
      return found;
    }
    function tell(event, found) {
      const { task, segment } = found;
      const lines = [el("b", null, `task ${task}  ${Words.name(task)}`)];
      if (segment === undefined) {
        lines.push(
          el(
            "div",
            null,
            `${Words.state(task)}, ${ms(D.tasks.life_ns[task - 1])}: `,
            `ran ${ms(D.tasks.run_ns[task - 1])}, waited ${ms(D.tasks.wait_ns[task - 1])}`,
          ),
        );
      } else {
        const kind = v.tracks.kind[segment],
          row = v.tracks.row[segment],
          from = v.tracks.at[segment],
          length = v.tracks.at[segment + 1] - from;
        if (kind === Tracks.RUN) lines.push(el("div", null, el("i.run"), `ran ${ms(length)}`));
        else if (kind === Tracks.WAIT || kind === Tracks.READY) {
          const whole = D.awaits.end_ns[row] - D.awaits.start_ns[row];
          lines.push(el("div", null, el("i.wait"), `waited ${ms(whole)} for ${Words.target(row)}`));
          const type = Words.type(D.awaits.shape[row]);
          if (type) lines.push(el("div.dim", null, type));
          lines.push(...Words.waking(row).map((text) => el("div.dim", null, text)));
          lines.push(Page.stack(Words.stack(row), 16));
        } else
          lines.push(
            el(
              "div",
              null,
              kind === Tracks.NEW ? Words.fresh(task, length) : "its polls and awaits are not in this file",
            ),
          );
        lines.push(el("div.dim", null, `at ${ms(from)}`));
      }
      Page.tip(event, lines);
    }

    function choose(event) {
      const found = under(event.offsetX, event.offsetY);
      if (!found) return;
      v.cursor = found.row;
      const indent = v.mode === "nested" ? Math.min(v.order.depth[found.row], 8) * 10 : 0;
      if (found.left && D.children(found.task).length && event.offsetX < 22 + indent) {
        if (!v.folded.delete(found.task)) v.folded.add(found.task);
        arrange();
      } else if (found.task) {
        Select.set({ task: found.task });
        if (event.pointerType !== "mouse") tell(event, found);
      }
      again();
    }
    function moveTo(row) {
      v.cursor = Math.max(0, Math.min(count() - 1, row));
      const y = v.cursor * v.pitch - v.top,
        room = main.clientHeight - TOP;
      if (y < 0) v.top = v.cursor * v.pitch;
      else if (y > room - v.pitch) v.top = (v.cursor + 1) * v.pitch - room;
      const task = v.mode === "nested" && v.order.tasks[v.cursor];
      if (task) main.setAttribute("aria-description", `task ${task} ${Words.name(task)}`);
      again();
    }
    // The task of the cursor's row; of a lane, the one in the middle of the picture.
    function atCursor() {
      if (v.mode === "nested") return v.order.tasks[v.cursor];
      return v.tracks.who[Math.max(v.tracks.find(v.cursor, (chosen.from + chosen.to) / 2), 0)];
    }
    Moves.listen(main, {
      left: () => gutter(main.clientWidth),
      onBar: ({ offsetX, offsetY }) =>
        offsetX > main.clientWidth - 12 && offsetY > TOP && count() * v.pitch > main.clientHeight - TOP,
      start: () => ({ from: chosen.from, top: v.top }),
      drag({ dx, dy, bar: onBar, start }) {
        if (onBar) v.top = start.top + (dy * count() * v.pitch) / (main.clientHeight - TOP);
        else {
          v.top = start.top - dy;
          look(start.from - dx * scale(main.clientWidth), chosen.to - chosen.from);
        }
        Page.tip(null);
        again();
      },
      zoom,
      pan,
      choose,
      scroll(by) {
        v.top += by;
        again();
      },
      point(event) {
        v.pointer = event && { x: event.offsetX, y: event.offsetY };
        const found = event && under(event.offsetX, event.offsetY);
        if (found?.task) tell(event, found);
        else Page.tip(null);
        again();
      },
      enter(event) {
        const found = under(event.offsetX, event.offsetY);
        if (found?.segment === undefined) return;
        const from = v.tracks.at[found.segment],
          length = v.tracks.at[found.segment + 1] - from;
        look(from - length / 2, length * 2);
      },
      keys: {
        w: () => zoom(0.7),
        s: () => zoom(1 / 0.7),
        "+": () => zoom(0.7),
        "-": () => zoom(1 / 0.7),
        a: () => pan(-0.2),
        d: () => pan(0.2),
        ArrowLeft: () => pan(-0.1),
        ArrowRight: () => pan(0.1),
        ArrowUp: () => moveTo(v.cursor - 1),
        ArrowDown: () => moveTo(v.cursor + 1),
        PageUp: () => moveTo(v.cursor - 20),
        PageDown: () => moveTo(v.cursor + 20),
        Home: () => Select.set(Select.home()),
        0: () => Select.set(Select.home()),
        Enter: () => count() && Select.set({ task: atCursor() }),
      },
    });
    main.addEventListener("focus", again);
    main.addEventListener("blur", again);

    // --- around it ---

    section.append(
      el("h2.visually-hidden", null, "Timeline"),
      el(
        "div.tools",
        null,
        Page.choice(
          "rows",
          [
            ["nested", "by parent"],
            ["lanes", "packed"],
          ],
          v.mode,
          (value) => {
            v.mode = value;
            v.top = 0;
            arrange();
          },
        ),
        el(
          "div.group",
          null,
          Page.button("−", () => zoom(1 / 0.6), { title: "zoom out (S)", "aria-label": "zoom out" }),
          Page.button("+", () => zoom(0.6), { title: "zoom in (W)", "aria-label": "zoom in" }),
          Page.button("all", () => Select.set(Select.home()), { title: "all tasks (0); the map below holds all time" }),
          Page.button("fit rows", fitRows, { class: "spare", title: "all rows at once, as far as they fit" }),
          Page.button(
            "rows 1:1",
            () => {
              v.pitch = 20;
              again();
            },
            { class: "spare", title: "rows one can read" },
          ),
        ),
        el(
          "span.legend",
          null,
          el("i.run"),
          "ran",
          el("i.wait"),
          "waited",
          el("i.ready"),
          "ready to run",
          el("i.new"),
          "not started",
        ),
        status,
        el("span.hint", null, "wheel zooms, drag moves, Shift-wheel scrolls; W A S D, arrows"),
      ),
      map,
      main,
    );
    Select.listen((changed) => {
      if (changed.has("from") || changed.has("to")) {
        status.textContent = `${ms(chosen.from)} – ${ms(chosen.to)}`;
        again();
        againMap();
      }
      if (changed.has("task")) reveal(chosen.task);
      if (changed.has("view") && chosen.view === "timeline") {
        if (!v.tracks) arrange();
        reveal(chosen.task);
      }
    });
  }

  return { make };
})();
