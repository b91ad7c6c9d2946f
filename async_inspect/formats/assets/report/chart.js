// The picture of a timeline: names, bars and what is written into them, the curve above, the axis.
// Knows: the positions in a picture, whose state is ``v``: {mode, pitch, top, cursor, pointer, folded, order, rows,
// tracks}; the part of time is Select's. Bars are drawn by paint.js. Knows nothing of input.
const Chart = (() => {
  const CURVE = 44,
    AXIS = 22,
    TOP = CURVE + AXIS;

  const gutter = (v, width) => (v.mode === "lanes" ? 0 : width < 600 ? 92 : 210);
  const count = (v) => (v.mode === "lanes" ? v.rows.length : v.order.tasks.length);
  const trackOf = (v, row) => (v.mode === "lanes" ? row : v.order.tasks[row] - 1);
  const scale = (v, width) => (Select.chosen.to - Select.chosen.from) / Math.max(width - gutter(v, width), 1);

  // ``again``: to be called when it wants to draw once more.
  function make(again) {
    function draw(v, context, width, height, ratio) {
      const left = gutter(v, width),
        c = Page.colours,
        step = scale(v, width);
      v.top = Math.max(0, Math.min(v.top, count(v) * v.pitch - (height - TOP)));
      context.fillStyle = c.panel;
      context.fillRect(0, 0, width, height);
      bars(v, context, left, width, height, ratio, step);
      labels(v, context, left, width, height, step);
      curve(v, context, left, width, step);
      axis(v, context, left, width, height, step);
      bar(v, context, width, height);
      if (v.pointer && v.pointer.x > left) {
        context.fillStyle = c.dim;
        context.fillRect(v.pointer.x, CURVE, 1, height);
      }
    }

    const paint = Paint.make();
    let coarse = 1,
      calm;
    function bars(v, context, left, width, height, ratio, step) {
      const w = Math.round((width - left) * ratio),
        h = Math.round((height - TOP) * ratio),
        begun = performance.now();
      if (w <= 0 || h <= 0) return;
      paint.begin(w, h);
      const last = Math.min(count(v), Math.ceil((v.top + height - TOP) / v.pitch));
      for (let row = Math.floor(v.top / v.pitch); row < last; row++) {
        const y0 = Math.round((row * v.pitch - v.top) * ratio),
          y1 = Math.round(((row + 1) * v.pitch - v.top) * ratio);
        const mine = v.mode === "nested" && v.order.tasks[row] === Select.chosen.task;
        paint.row(v.tracks, trackOf(v, row), Select.chosen.from, step / ratio, y0, y1, ratio, coarse, mine);
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

    function labels(v, context, left, width, height, step) {
      const c = Page.colours,
        last = Math.min(count(v), Math.ceil((v.top + height - TOP) / v.pitch));
      context.save();
      context.beginPath();
      context.rect(0, TOP, width, height - TOP);
      context.clip();
      if (left) {
        context.fillStyle = c.line;
        context.fillRect(left - 1, TOP, 1, height);
      }
      for (let row = Math.floor(v.top / v.pitch); row < last && v.pitch >= 11; row++) {
        const y = TOP + row * v.pitch - v.top,
          task = v.mode === "nested" ? v.order.tasks[row] : 0;
        if (task) {
          const indent = 6 + Math.min(v.order.depth[row], width < 600 ? 3 : 8) * 10,
            below = Page.data.children(task).length,
            first = begins(v, row),
            process = first && left > 150 ? `pid ${Page.data.tasks.pid[task - 1]}` : "",
            room = left - indent - 18 - (process && Page.width(process) + 8);
          if (task === Select.chosen.task) {
            context.fillStyle = c.soft;
            context.fillRect(0, y, left - 1, v.pitch);
            context.fillStyle = c.accent;
            context.fillRect(0, y, 3, v.pitch);
          }
          context.fillStyle = c.dim;
          if (below) context.fillText(v.folded.has(task) ? "▸" : "▾", indent, y + v.pitch / 2);
          context.fillStyle = ["Failed", "Unknown"].includes(Words.state(task)) ? c.bad : c.ink;
          context.fillText(Page.fit(Words.name(task), room), indent + 12, y + v.pitch / 2, Math.max(room + 2, 1));
          if (first) edge(context, process, y, left, width, v.pitch);
        }
        inside(v, context, row, y, left, width, step, v.mode === "lanes");
      }
      if (document.activeElement === context.canvas && count(v)) {
        context.strokeStyle = c.accent;
        context.strokeRect(0.5, TOP + v.cursor * v.pitch - v.top + 0.5, width - 1, v.pitch - 1);
      }
      context.restore();
    }

    // Whether a row is the first of its process, where there are several.
    function begins(v, row) {
      const { tasks, about } = Page.data,
        { pid } = tasks;
      if (about.figures.processes.length < 2) return false;
      return !row || pid[v.order.tasks[row - 1] - 1] !== pid[v.order.tasks[row] - 1];
    }
    function edge(context, text, y, left, width, pitch) {
      context.fillStyle = Page.colours.dim;
      context.fillRect(0, Math.round(y), width, 1);
      context.textAlign = "right";
      context.fillText(text, left - 6, y + pitch / 2);
      context.textAlign = "left";
    }

    // What is written into bars that have room for it.
    function inside(v, context, row, y, left, width, step, names) {
      const { at, kind, who } = v.tracks,
        track = trackOf(v, row),
        end = v.tracks.first[track + 1];
      let i = Math.max(v.tracks.find(track, Select.chosen.from), v.tracks.first[track]),
        written = 0;
      const x = (moment) => left + (moment - Select.chosen.from) / step;
      for (let tried = 0; i < end - 1 && at[i] < Select.chosen.to && written < 40 && tried < 400; tried++, i++) {
        const from = Math.max(x(at[i]), left),
          to = Math.min(x(at[i + 1]), width),
          wide = to - from;
        if (wide < 44 || kind[i] === Tracks.NONE) continue;
        const words =
          kind[i] === Tracks.WAIT
            ? `${Words.target(v.tracks.row[i])}  ${Words.ms(at[i + 1] - at[i])}`
            : kind[i] === Tracks.RUN
              ? Words.ms(at[i + 1] - at[i])
              : kind[i] === Tracks.READY
                ? "ready"
                : "";
        const text = Page.fit(names ? `${Words.name(who[i])} · ${words}` : words, wide - 10);
        if (!text) continue;
        const space = Page.width(text) + 6;
        if (kind[i] === Tracks.WAIT) {
          context.fillStyle = Page.colours.wait;
          context.fillRect(from + 3, y + v.pitch * 0.24, Math.min(space, wide - 6), v.pitch * 0.46);
        }
        context.fillStyle = kind[i] === Tracks.RUN ? "#1d1206" : Page.colours.ink;
        context.fillText(text, from + 5, y + v.pitch / 2 - 0.5, wide - 6);
        written++;
      }
    }

    function curve(v, context, left, width, step) {
      const c = Page.colours,
        peak = Words.number(Alive.peak());
      context.fillStyle = c.panel;
      context.fillRect(0, 0, width, TOP);
      context.fillStyle = c.stripe;
      Alive.area(context, Select.chosen.from, step, left, width - left, CURVE, CURVE - 8);
      context.fillStyle = c.dim;
      context.fillText(
        left > 150 ? `tasks alive (at most ${peak})` : left ? `alive (≤ ${peak})` : "tasks alive",
        8,
        left ? CURVE / 2 : 9,
      );
    }

    function ticks(width) {
      const about = (Select.chosen.to - Select.chosen.from) / Math.max(width / 110, 1),
        power = 10 ** Math.floor(Math.log10(about));
      return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= about);
    }
    function axis(v, context, left, width, height, step) {
      const c = Page.colours,
        gap = ticks(width - left);
      context.fillStyle = c.back;
      context.fillRect(0, CURVE, width, AXIS);
      for (let moment = Math.ceil(Select.chosen.from / gap) * gap; moment <= Select.chosen.to; moment += gap) {
        const x = left + (moment - Select.chosen.from) / step;
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
      return `${Words.decimal(ns / size, digits)} ${unit}`;
    }

    function bar(v, context, width, height) {
      const all = count(v) * v.pitch,
        room = height - TOP;
      if (all <= room) return;
      context.fillStyle = Page.colours.dim;
      context.globalAlpha = 0.5;
      context.fillRect(width - 6, TOP + (v.top / all) * room, 5, Math.max((room * room) / all, 24));
      context.globalAlpha = 1;
    }

    return draw;
  }

  return { make, gutter, count, trackOf, scale, TOP };
})();
