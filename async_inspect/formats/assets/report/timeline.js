// The timeline: a Gantt chart on canvas, with a curve of how many tasks are alive, and a map of all of it.
// Knows: how it is drawn, moved and asked. Rows are painted pixel by pixel into one image, so that a frame costs its
// pixels, however many bars there are.
const Timeline = (() => {
  const CURVE = 44, AXIS = 22, TOP = CURVE + AXIS, MIN_NS = 200;

  function make(section) {
    const { el, data: D } = Page, { ms } = Words, { chosen } = Select, duration = Math.max(D.duration, 1);
    const main = el("canvas.chart", { tabindex: 0, role: "img", "aria-label": "Timeline of all tasks. W and S zoom, A and D or arrows move, Enter opens the task under the cursor." });
    const map = el("canvas.map", { role: "img", "aria-label": "Tasks alive over the whole recording; drag to choose a part" });
    const status = el("output.dim", { "aria-live": "polite" });
    let mode = "nested", pitch = 20, top = 0, cursor = 0, pointer = null;
    const folded = new Set();
    let order = { tasks: new Int32Array(0), depth: new Int32Array(0) }, rows = [], tracks = null;
    let image, pixels, share = new Uint8Array(0), what = new Uint8Array(0);

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

    const again = Page.canvas(main, draw), againMap = Page.canvas(map, drawMap);
    const scale = (width) => (chosen.to - chosen.from) / Math.max(width - gutter(width), 1);

    function draw(context, width, height, ratio) {
      if (!tracks) arrange();  // the first time it is seen
      const left = gutter(width), c = Page.colours, step = scale(width);
      top = Math.max(0, Math.min(top, count() * pitch - (height - TOP)));
      context.fillStyle = c.panel;
      context.fillRect(0, 0, width, height);
      paint(context, left, width, height, ratio, step);
      labels(context, left, width, height, step);
      curve(context, left, width, step);
      axis(context, left, width, height, step);
      bar(context, width, height);
      if (pointer && pointer.x > left) {
        context.fillStyle = c.dim;
        context.fillRect(pointer.x, CURVE, 1, height);
      }
    }

    // The bars. Ran: full and solid, up to the part of the pixel's time that ran. Waited: lower, hatched. Could have
    // run: dotted. Not started: a line.
    function paint(context, left, width, height, ratio, step) {
      const w = Math.round((width - left) * ratio), h = Math.round((height - TOP) * ratio);
      if (w <= 0 || h <= 0) return;
      if (!image || image.width !== w || image.height !== h) {
        image = new ImageData(w, h);
        pixels = new Uint32Array(image.data.buffer);
        share = new Uint8Array(w);
        what = new Uint8Array(w);
      }
      const n = Page.numbers;
      pixels.fill(n.panel);
      const last = Math.min(count(), Math.ceil((top + height - TOP) / pitch));
      for (let row = Math.floor(top / pitch); row < last; row++) {
        const y0 = Math.round((row * pitch - top) * ratio), y1 = Math.round(((row + 1) * pitch - top) * ratio);
        if (mode === "nested" && order.tasks[row] === chosen.task) pixels.fill(n.soft, Math.max(y0, 0) * w, Math.min(y1, h) * w);
        tracks.pixels(trackOf(row), chosen.from, step / ratio, w, share, what);
        const pad = y1 - y0 > 6 * ratio ? Math.round(2 * ratio) : y1 - y0 > 2 ? 1 : 0, size = y1 - y0 - pad;
        const low = size > 6 ? Math.round(size * 0.22) : 0, middle = y0 + (size >> 1), thick = Math.max(1, Math.round(ratio));
        for (let y = Math.max(y0, 0); y < Math.min(y0 + size, h); y++) {
          const line = y * w, up = y0 + size - y, inside = y >= y0 + low && y < y0 + size - low;
          for (let x = 0; x < w; x++) {
            const part = share[x];
            if (part && (part === 255 || up <= Math.max(part * size >> 8, size * 0.4))) pixels[line + x] = n.run;
            else {
              const kind = what[x];
              if (kind === Tracks.NONE) continue;
              if (kind === Tracks.WAIT) {
                if (inside) pixels[line + x] = (x + y) % 6 === 0 ? n.stripe : n.wait;
              } else if (kind === Tracks.READY) {
                if (inside) pixels[line + x] = (x & 3) === 0 && (y & 3) === 0 ? n.dot : n.ready;
              } else if (kind === Tracks.NEW) {
                if (y >= middle && y < middle + thick) pixels[line + x] = n.dim;
              } else if (inside && (x + y) % 4 === 0) pixels[line + x] = n.dim;
            }
          }
        }
      }
      context.putImageData(image, Math.round(left * ratio), Math.round(TOP * ratio));
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
          context.fillText(Page.fit(Words.name(task), left - indent - 18), indent + 12, y + pitch / 2);
        }
        bars(context, row, y, left, width, step, mode === "lanes");
      }
      if (document.activeElement === main && count()) {
        context.strokeStyle = c.accent;
        context.strokeRect(0.5, TOP + cursor * pitch - top + 0.5, width - 1, pitch - 1);
      }
      context.restore();
    }

    // What is written into bars that have room for it.
    function bars(context, row, y, left, width, step, names) {
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
        context.fillText(text, from + 5, y + pitch / 2 - 0.5);
        told++;
      }
    }

    // How many tasks are alive: the most of each pixel's time.
    function alive(from, step, width) {
      const { at, count: value } = D.alive, found = new Float64Array(Math.max(Math.ceil(width), 1));
      let i = Data.after(at, from) - 1;
      for (let x = 0; x < found.length; x++) {
        const end = from + (x + 1) * step;
        let most = i >= 0 ? value[i] : 0;
        while (i + 1 < at.length && at[i + 1] < end) most = Math.max(most, value[++i]);
        found[x] = most;
      }
      return found;
    }
    const peak = Math.max(D.about.figures.peak_concurrency, 1);
    function area(context, values, left, bottom, height) {
      context.beginPath();
      context.moveTo(left, bottom);
      values.forEach((value, x) => {
        context.lineTo(left + x, bottom - value / peak * height);
        context.lineTo(left + x + 1, bottom - value / peak * height);
      });
      context.lineTo(left + values.length, bottom);
      context.fill();
    }
    function curve(context, left, width, step) {
      const c = Page.colours;
      context.fillStyle = c.panel;
      context.fillRect(0, 0, width, TOP);
      context.fillStyle = c.stripe;
      area(context, alive(chosen.from, step, width - left), left, CURVE, CURVE - 8);
      context.fillStyle = c.dim;
      const text = `tasks alive (at most ${Words.number(peak)})`;
      if (left > 150) context.fillText(text, 8, CURVE / 2);
      else context.fillText(text, left + 6, 10);
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

    function drawMap(context, width, height) {
      const c = Page.colours;
      context.fillStyle = c.panel;
      context.fillRect(0, 0, width, height);
      context.fillStyle = c.wait;
      area(context, alive(0, duration / width, width), 0, height, height - 8);
      const x = chosen.from / duration * width, w = Math.max((chosen.to - chosen.from) / duration * width, 3);
      context.globalAlpha = 0.55;
      context.fillStyle = c.back;
      context.fillRect(0, 0, x, height);
      context.fillRect(x + w, 0, width, height);
      context.globalAlpha = 1;
      context.strokeStyle = c.accent;
      context.lineWidth = 2;
      context.strokeRect(x + 1, 1, w - 2, height - 2);
      context.lineWidth = 1;
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
    function scroll(by) {
      top += by;
      again();
    }
    function fitRows() {
      pitch = Math.max(2, Math.min(20, (main.clientHeight - TOP) / Math.max(count(), 1)));
      top = 0;
      again();
    }
    function rowOf(task) {
      return mode === "lanes" ? D.tasks.lane[task - 1] : order.tasks.indexOf(task);
    }
    function reveal(task) {
      if (!task) return;
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

    let drag = null;
    const pointers = new Map();
    main.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, event);
      main.setPointerCapture(event.pointerId);
      const onBar = event.offsetX > main.clientWidth - 12 && event.offsetY > TOP && count() * pitch > main.clientHeight - TOP;
      drag = { x: event.clientX, y: event.clientY, from: chosen.from, top, moved: false, onBar };
    });
    main.addEventListener("pointermove", (event) => {
      pointer = { x: event.offsetX, y: event.offsetY };
      if (pointers.has(event.pointerId)) {
        if (pointers.size === 2) {
          const [other] = [...pointers.values()].filter((one) => one.pointerId !== event.pointerId), old = pointers.get(event.pointerId);
          const was = Math.abs(old.clientX - other.clientX), is = Math.abs(event.clientX - other.clientX);
          if (was > 8 && is > 8) zoom(was / is);
          pointers.set(event.pointerId, event);
          drag = null;
          return;
        }
        if (drag) {
          const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
          if (Math.abs(dx) + Math.abs(dy) > 4) drag.moved = true;
          if (drag.moved) {
            if (drag.onBar) top = drag.top + dy * count() * pitch / (main.clientHeight - TOP);
            else {
              top = drag.top - dy;
              look(drag.from - dx * scale(main.clientWidth), chosen.to - chosen.from);
            }
            Page.tip(null);
            again();
          }
        }
        return;
      }
      const found = under(event.offsetX, event.offsetY);
      if (found?.task) tell(event, found);
      else Page.tip(null);
      again();
    });
    main.addEventListener("pointerup", (event) => {
      pointers.delete(event.pointerId);
      const found = drag && !drag.moved && under(event.offsetX, event.offsetY);
      drag = null;
      if (!found) return;
      cursor = found.row;
      const fold = found.left && mode === "nested" && D.children(found.task).length && event.offsetX < 22 + Math.min(order.depth[found.row], 8) * 10;
      if (fold) {
        if (!folded.delete(found.task)) folded.add(found.task);
        arrange();
      } else if (found.task) {
        Select.set({ task: found.task });
        if (event.pointerType !== "mouse") tell(event, found);
      }
      again();
    });
    main.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
    main.addEventListener("pointerleave", () => {
      pointer = null;
      Page.tip(null);
      again();
    });
    main.addEventListener("dblclick", (event) => {
      const found = under(event.offsetX, event.offsetY);
      if (found?.segment !== undefined) {
        const from = tracks.at[found.segment], length = tracks.at[found.segment + 1] - from;
        look(from - length / 2, length * 2);
      }
    });
    main.addEventListener("wheel", (event) => {
      event.preventDefault();
      const left = gutter(main.clientWidth);
      if (event.shiftKey || event.offsetX < left) scroll(event.deltaY || event.deltaX);
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(event.deltaX / (main.clientWidth - left));
      else zoom(1.0015 ** event.deltaY, (event.offsetX - left) / (main.clientWidth - left));
    }, { passive: false });
    main.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const rows = (by) => {
        cursor = Math.max(0, Math.min(count() - 1, cursor + by));
        const y = cursor * pitch - top, room = main.clientHeight - TOP;
        if (y < 0 || y > room - pitch) top = cursor * pitch - (by < 0 ? 0 : room - pitch);
        again();
      };
      const act = {
        w: () => zoom(0.7), s: () => zoom(1 / 0.7), "+": () => zoom(0.7), "-": () => zoom(1 / 0.7),
        a: () => pan(-0.2), d: () => pan(0.2), ArrowLeft: () => pan(-0.1), ArrowRight: () => pan(0.1),
        ArrowUp: () => rows(-1), ArrowDown: () => rows(1), PageUp: () => rows(-20), PageDown: () => rows(20),
        Home: () => look(0, duration), "0": () => look(0, duration), Enter: () => {
          const task = mode === "nested" ? order.tasks[cursor] : tracks.who[Math.max(tracks.find(cursor, (chosen.from + chosen.to) / 2), 0)];
          if (task) Select.set({ task });
        },
      }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (act) {
        event.preventDefault();
        act();
      }
    });
    main.addEventListener("focus", again);
    main.addEventListener("blur", again);

    let grip = null;
    map.addEventListener("pointerdown", (event) => {
      map.setPointerCapture(event.pointerId);
      const at = event.offsetX / map.clientWidth * duration, width = chosen.to - chosen.from;
      const inside = at >= chosen.from && at <= chosen.to && width < duration * 0.98;
      grip = inside ? { by: at - chosen.from } : { start: at };
      if (!inside && width < duration * 0.98) look(at - width / 2, width);
    });
    map.addEventListener("pointermove", (event) => {
      if (!grip) return;
      const at = event.offsetX / map.clientWidth * duration, width = chosen.to - chosen.from;
      if (grip.by !== undefined) look(at - grip.by, width);
      else if (Math.abs(at - grip.start) > duration / 200) look(Math.min(at, grip.start), Math.abs(at - grip.start));
    });
    map.addEventListener("pointerup", () => grip = null);
    map.addEventListener("dblclick", () => look(0, duration));

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
          Page.button("fit rows", fitRows, { title: "all rows at once, as far as they fit" }),
          Page.button("rows 1:1", () => { pitch = 20; again(); }, { title: "rows one can read" }),
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
    Timeline.frame = () => again.now();
    Timeline.look = look;
    Timeline.box = (task) => ({ row: rowOf(task), pitch, top, head: TOP, gutter: gutter(main.clientWidth) });
  }

  return { make };
})();
