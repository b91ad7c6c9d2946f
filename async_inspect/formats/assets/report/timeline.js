// The timeline: a Gantt chart on canvas, with a curve of how many tasks are alive, and a map of all of it.
// Knows: what is where, and what it says. How bars look paint.js knows, how they are moved moves.js.
const Timeline = (() => {
  const CURVE = 44, AXIS = 22, TOP = CURVE + AXIS, MIN_NS = 200;

  function make(section) {
    const { el, data: D } = Page, { ms } = Words, { chosen } = Select, duration = Math.max(D.duration, 1);
    const main = el("canvas.chart", { tabindex: 0, role: "application", "aria-label": "Timeline of all tasks. W and S zoom, A and D or arrows move, Enter opens the task under the cursor." });
    const map = el("canvas.map", { role: "img", "aria-label": "Tasks alive over the whole recording; drag to choose a part" });
    const status = el("output.dim.spare", { "aria-live": "polite" });
    let mode = "nested", pitch = 20, top = 0, cursor = 0, pointer = null;
    const folded = new Set();
    let order = { tasks: new Int32Array(0), depth: new Int32Array(0) }, rows = [], tracks = null;

    const gutter = (width) => mode === "lanes" ? 0 : width < 600 ? 92 : 210;
    const count = () => mode === "lanes" ? rows.length : order.tasks.length;
    const trackOf = (row) => mode === "lanes" ? row : order.tasks[row] - 1;

    let all, packed;
    function arrange() {
      if (mode === "lanes") {
        packed ??= { rows: Tracks.lanes(D) };
        packed.tracks ??= Tracks.make(D, packed.rows);
        ({ rows, tracks } = packed);
      } else {
        all ??= Tracks.make(D, Array.from({ length: D.tasks.length }, (_, i) => [i + 1]));
        tracks = all;
        order = Tracks.nested(D, folded);
      }
      cursor = Math.min(cursor, Math.max(count() - 1, 0));
      again();
    }

    // --- drawing ---

    const again = Page.canvas(main, draw), againMap = Alive.map(map, look);
    const scale = (width) => (chosen.to - chosen.from) / Math.max(width - gutter(width), 1);

    function draw(context, width, height, ratio) {
      if (!tracks) arrange();  // the first time it is seen
      const left = gutter(width), c = Page.colours, step = scale(width);
      top = Math.max(0, Math.min(top, count() * pitch - (height - TOP)));
      context.fillStyle = c.panel;
      context.fillRect(0, 0, width, height);
      bars(context, left, width, height, ratio, step);
      labels(context, left, width, height, step);
      curve(context, left, width, step);
      axis(context, left, width, height, step);
      bar(context, width, height);
      if (pointer && pointer.x > left) {
        context.fillStyle = c.dim;
        context.fillRect(pointer.x, CURVE, 1, height);
      }
    }

    const paint = Paint.make();
    let coarse = 1, calm;
    function bars(context, left, width, height, ratio, step) {
      const w = Math.round((width - left) * ratio), h = Math.round((height - TOP) * ratio), begun = performance.now();
      if (w <= 0 || h <= 0) return;
      paint.begin(w, h);
      const last = Math.min(count(), Math.ceil((top + height - TOP) / pitch));
      for (let row = Math.floor(top / pitch); row < last; row++) {
        const y0 = Math.round((row * pitch - top) * ratio), y1 = Math.round(((row + 1) * pitch - top) * ratio);
        const mine = mode === "nested" && order.tasks[row] === chosen.task;
        paint.row(tracks, trackOf(row), chosen.from, step / ratio, y0, y1, ratio, coarse, mine);
      }
      paint.put(context, Math.round(left * ratio), Math.round(TOP * ratio));
      hurry(performance.now() - begun);
    }
    // Where a frame would take too long it gets fewer pixels; once nothing moves any more, all of them.
    function hurry(ms) {
      if (ms > 16) coarse = Math.min(coarse + 1, 4);
      else if (coarse > 1 && ms < 7) coarse--;
      clearTimeout(calm);
      if (coarse === 1) return;
      calm = setTimeout(() => {
        coarse = 1;
        again();
      }, 160);
    }

    function labels(context, left, width, height, step) {
      const c = Page.colours, last = Math.min(count(), Math.ceil((top + height - TOP) / pitch));
      context.save();
      context.beginPath();
      context.rect(0, TOP, width, height - TOP);
      context.clip();
      if (left) {
        context.fillStyle = c.line;
        context.fillRect(left - 1, TOP, 1, height);
      }
      for (let row = Math.floor(top / pitch); row < last && pitch >= 11; row++) {
        const y = TOP + row * pitch - top, task = mode === "nested" ? order.tasks[row] : 0;
        if (task) {
          const indent = 6 + Math.min(order.depth[row], width < 600 ? 3 : 8) * 10, below = D.children(task).length;
          if (task === chosen.task) {
            context.fillStyle = c.soft;
            context.fillRect(0, y, left - 1, pitch);
            context.fillStyle = c.accent;
            context.fillRect(0, y, 3, pitch);
          }
          context.fillStyle = c.dim;
          if (below) context.fillText(folded.has(task) ? "▸" : "▾", indent, y + pitch / 2);
          context.fillStyle = ["Failed", "Unknown"].includes(Words.state(task)) ? c.bad : c.ink;
          context.fillText(Page.fit(Words.name(task), left - indent - 18), indent + 12, y + pitch / 2, Math.max(left - indent - 16, 1));
        }
        inside(context, row, y, left, width, step, mode === "lanes");
      }
      if (document.activeElement === main && count()) {
        context.strokeStyle = c.accent;
        context.strokeRect(0.5, TOP + cursor * pitch - top + 0.5, width - 1, pitch - 1);
      }
      context.restore();
    }

    // What is written into bars that have room for it.
    function inside(context, row, y, left, width, step, names) {
      const { at, kind, who } = tracks, track = trackOf(row), end = tracks.first[track + 1];
      let i = Math.max(tracks.find(track, chosen.from), tracks.first[track]), told = 0;
      const x = (moment) => left + (moment - chosen.from) / step;
      for (let looked = 0; i < end - 1 && at[i] < chosen.to && told < 40 && looked < 400; looked++, i++) {
        const from = Math.max(x(at[i]), left), to = Math.min(x(at[i + 1]), width), wide = to - from;
        if (wide < 44 || kind[i] === Tracks.NONE) continue;
        const words = kind[i] === Tracks.WAIT ? `${Words.target(tracks.row[i])}  ${ms(at[i + 1] - at[i])}`
          : kind[i] === Tracks.RUN ? ms(at[i + 1] - at[i]) : kind[i] === Tracks.READY ? "ready" : "";
        const text = Page.fit(names ? `${Words.name(who[i])} · ${words}` : words, wide - 10);
        if (!text) continue;
        const space = Page.width(text) + 6;
        if (kind[i] === Tracks.WAIT) {
          context.fillStyle = Page.colours.wait;
          context.fillRect(from + 3, y + pitch * 0.24, Math.min(space, wide - 6), pitch * 0.46);
        }
        context.fillStyle = kind[i] === Tracks.RUN ? "#1d1206" : Page.colours.ink;
        context.fillText(text, from + 5, y + pitch / 2 - 0.5, wide - 6);
        told++;
      }
    }

    function curve(context, left, width, step) {
      const c = Page.colours, peak = Words.number(Alive.peak());
      context.fillStyle = c.panel;
      context.fillRect(0, 0, width, TOP);
      context.fillStyle = c.stripe;
      Alive.area(context, chosen.from, step, left, width - left, CURVE, CURVE - 8);
      context.fillStyle = c.dim;
      context.fillText(left > 150 ? `tasks alive (at most ${peak})` : left ? `alive (≤ ${peak})` : "tasks alive", 8, left ? CURVE / 2 : 9);
    }

    function ticks(width) {
      const about = (chosen.to - chosen.from) / Math.max(width / 110, 1), power = 10 ** Math.floor(Math.log10(about));
      return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= about);
    }
    function axis(context, left, width, height, step) {
      const c = Page.colours, gap = ticks(width - left);
      context.fillStyle = c.back;
      context.fillRect(0, CURVE, width, AXIS);
      for (let moment = Math.ceil(chosen.from / gap) * gap; moment <= chosen.to; moment += gap) {
        const x = left + (moment - chosen.from) / step;
        context.fillStyle = c.dim;
        context.fillText(label(moment, gap), x + 4, CURVE + AXIS / 2);
        context.fillRect(x, CURVE, 1, AXIS);
        context.globalAlpha = 0.25;
        context.fillRect(x, TOP, 1, height);
        context.globalAlpha = 1;
      }
    }
    function label(ns, gap) {
      const [unit, size] = gap >= 1e8 ? ["s", 1e9] : gap >= 1e5 ? ["ms", 1e6] : ["µs", 1e3];
      const digits = Math.max(0, Math.ceil(-Math.log10(gap / size) - 1e-9));
      return `${(ns / size).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${unit}`;
    }

    function bar(context, width, height) {
      const all = count() * pitch, room = height - TOP;
      if (all <= room) return;
      context.fillStyle = Page.colours.dim;
      context.globalAlpha = 0.5;
      context.fillRect(width - 6, TOP + top / all * room, 5, Math.max(room * room / all, 24));
      context.globalAlpha = 1;
    }

    // --- moving ---

    function look(from, width) {
      width = Math.max(Math.min(width, duration), Math.min(MIN_NS, duration));
      from = Math.max(0, Math.min(from, duration - width));
      Select.set({ from, to: from + width });
    }
    function zoom(factor, share = 0.5) {
      const width = chosen.to - chosen.from, now = Math.max(Math.min(width * factor, duration), MIN_NS);
      look(chosen.from + (width - now) * share, now);
    }
    const pan = (share) => look(chosen.from + share * (chosen.to - chosen.from), chosen.to - chosen.from);
    function fitRows() {
      pitch = Math.max(2, Math.min(20, (main.clientHeight - TOP) / Math.max(count(), 1)));
      top = 0;
      again();
    }
    function rowOf(task) {
      return mode === "lanes" ? D.tasks.lane[task - 1] : order.tasks.indexOf(task);
    }
    function reveal(task) {
      if (!task || !tracks) return;
      if (mode === "nested") {
        let opened = false;
        for (let at = D.tasks.parent[task - 1]; at; at = D.tasks.parent[at - 1]) opened = folded.delete(at) || opened;
        if (opened) arrange();
      }
      const row = rowOf(task), y = row * pitch - top, room = (main.clientHeight || 600) - TOP;
      cursor = Math.max(row, 0);
      if (y < 0 || y > room - pitch) top = Math.max(0, row * pitch - room / 2);
      again();
    }

    // --- asking ---

    function under(x, y) {
      const left = gutter(main.clientWidth), row = Math.floor((y - TOP + top) / pitch);
      if (y < TOP || row < 0 || row >= count()) return null;
      const moment = chosen.from + (x - left) * scale(main.clientWidth), found = { row, moment, left: x < left };
      if (mode === "nested") found.task = order.tasks[row];
      if (x < left) return found;
      // The bar under the mouse, or the nearest within two pixels.
      for (const near of [0, -1, 1, -2, 2]) {
        const i = tracks.find(trackOf(row), moment + near * scale(main.clientWidth));
        if (i >= 0 && tracks.kind[i] !== Tracks.NONE) return { ...found, segment: i, task: tracks.who[i] };
      }
      return found;
    }
    function tell(event, found) {
      const { task, segment } = found;
      const lines = [el("b", null, `task ${task}  ${Words.name(task)}`)];
      if (segment === undefined) {
        lines.push(el("div", null, `${Words.state(task)}, ${ms(D.tasks.life_ns[task - 1])}: ran ${ms(D.tasks.run_ns[task - 1])}, waited ${ms(D.tasks.wait_ns[task - 1])}`));
      } else {
        const kind = tracks.kind[segment], row = tracks.row[segment], from = tracks.at[segment], length = tracks.at[segment + 1] - from;
        if (kind === Tracks.RUN) lines.push(el("div", null, el("i.run"), `ran ${ms(length)}`));
        else if (kind === Tracks.WAIT || kind === Tracks.READY) {
          const whole = D.awaits.end_ns[row] - D.awaits.start_ns[row];
          lines.push(el("div", null, el("i.wait"), `waited ${ms(whole)} for ${Words.target(row)}`));
          const type = Words.type(D.awaits.shape[row]);
          if (type) lines.push(el("div.dim", null, type));
          lines.push(el("div.dim", null, `ready ${Words.known(D.awaits.ready_ns[row])}`));
          lines.push(Words.stack(row).map(([name, place], depth) => el("div.frame", { style: `padding-left:${Math.min(depth, 12) * 8}px` }, name, " ", el("code", null, place))));
        } else lines.push(el("div", null, kind === Tracks.NEW ? `not started for ${ms(length)}` : "its polls and awaits are not in this file"));
        lines.push(el("div.dim", null, `at ${ms(from)}`));
      }
      Page.tip(event, lines);
    }

    function choose(event) {
      const found = under(event.offsetX, event.offsetY);
      if (!found) return;
      cursor = found.row;
      const indent = mode === "nested" ? Math.min(order.depth[found.row], 8) * 10 : 0;
      if (found.left && D.children(found.task).length && event.offsetX < 22 + indent) {
        if (!folded.delete(found.task)) folded.add(found.task);
        arrange();
      } else if (found.task) {
        Select.set({ task: found.task });
        if (event.pointerType !== "mouse") tell(event, found);
      }
      again();
    }
    function moveTo(row) {
      cursor = Math.max(0, Math.min(count() - 1, row));
      const y = cursor * pitch - top, room = main.clientHeight - TOP;
      if (y < 0) top = cursor * pitch;
      else if (y > room - pitch) top = (cursor + 1) * pitch - room;
      const task = mode === "nested" && order.tasks[cursor];
      if (task) main.setAttribute("aria-description", `task ${task} ${Words.name(task)}`);
      again();
    }
    // The task of the cursor's row; of a lane, the one in the middle of the picture.
    function atCursor() {
      if (mode === "nested") return order.tasks[cursor];
      return tracks.who[Math.max(tracks.find(cursor, (chosen.from + chosen.to) / 2), 0)];
    }
    Moves.listen(main, {
      left: () => gutter(main.clientWidth),
      onBar: ({ offsetX, offsetY }) => offsetX > main.clientWidth - 12 && offsetY > TOP && count() * pitch > main.clientHeight - TOP,
      start: () => ({ from: chosen.from, top }),
      drag({ dx, dy, bar: onBar, start }) {
        if (onBar) top = start.top + dy * count() * pitch / (main.clientHeight - TOP);
        else {
          top = start.top - dy;
          look(start.from - dx * scale(main.clientWidth), chosen.to - chosen.from);
        }
        Page.tip(null);
        again();
      },
      zoom, pan, choose,
      scroll(by) {
        top += by;
        again();
      },
      point(event) {
        pointer = event && { x: event.offsetX, y: event.offsetY };
        const found = event && under(event.offsetX, event.offsetY);
        if (found?.task) tell(event, found);
        else Page.tip(null);
        again();
      },
      enter(event) {
        const found = under(event.offsetX, event.offsetY);
        if (found?.segment === undefined) return;
        const from = tracks.at[found.segment], length = tracks.at[found.segment + 1] - from;
        look(from - length / 2, length * 2);
      },
      keys: {
        w: () => zoom(0.7), s: () => zoom(1 / 0.7), "+": () => zoom(0.7), "-": () => zoom(1 / 0.7),
        a: () => pan(-0.2), d: () => pan(0.2), ArrowLeft: () => pan(-0.1), ArrowRight: () => pan(0.1),
        ArrowUp: () => moveTo(cursor - 1), ArrowDown: () => moveTo(cursor + 1),
        PageUp: () => moveTo(cursor - 20), PageDown: () => moveTo(cursor + 20),
        Home: () => look(0, duration), "0": () => look(0, duration),
        Enter: () => count() && Select.set({ task: atCursor() }),
      },
    });
    main.addEventListener("focus", again);
    main.addEventListener("blur", again);

    // --- around it ---

    section.append(
      el("h2.visually-hidden", null, "Timeline"),
      el("div.tools", null,
        Page.choice("rows", [["nested", "by parent"], ["lanes", "packed"]], mode, (value) => {
          mode = value;
          top = 0;
          arrange();
        }),
        el("div.group", null,
          Page.button("−", () => zoom(1 / 0.6), { title: "zoom out (S)", "aria-label": "zoom out" }),
          Page.button("+", () => zoom(0.6), { title: "zoom in (W)", "aria-label": "zoom in" }),
          Page.button("all", () => look(0, duration), { title: "the whole recording (0)" }),
          Page.button("fit rows", fitRows, { class: "spare", title: "all rows at once, as far as they fit" }),
          Page.button("rows 1:1", () => { pitch = 20; again(); }, { class: "spare", title: "rows one can read" }),
        ),
        el("span.legend", null, el("i.run"), "ran", el("i.wait"), "waited", el("i.ready"), "ready to run", el("i.new"), "not started"),
        status,
        el("span.hint", null, "wheel zooms, drag moves, Shift-wheel scrolls; W A S D, arrows"),
      ),
      map, main,
    );
    Select.listen((changed) => {
      if (changed.has("from") || changed.has("to")) {
        status.textContent = `${ms(chosen.from)} – ${ms(chosen.to)}`;
        again();
        againMap();
      }
      if (changed.has("task")) reveal(chosen.task);
      if (changed.has("view") && chosen.view === "timeline") {
        if (!tracks) arrange();
        reveal(chosen.task);
      }
    });
  }

  return { make };
})();
