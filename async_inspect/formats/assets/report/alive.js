// How many tasks are alive, over time: the curve above the timeline, and the map of the whole recording.
// Knows: Data's ``alive``, and that the map chooses a part of time.
const Alive = (() => {
  // The most of each of ``width`` pixels.
  function counts(from, step, width) {
    const { at, count } = Page.data.alive,
      found = new Float64Array(Math.max(Math.ceil(width), 1));
    let i = Data.after(at, from) - 1;
    for (let x = 0; x < found.length; x++) {
      const end = from + (x + 1) * step;
      let most = i >= 0 ? count[i] : 0;
      while (i + 1 < at.length && at[i + 1] < end) most = Math.max(most, count[++i]);
      found[x] = most;
    }
    return found;
  }
  const peak = () => Math.max(Page.data.about.figures.peak_concurrency, 1);

  function area(context, from, step, left, width, bottom, height) {
    context.beginPath();
    context.moveTo(left, bottom);
    counts(from, step, width).forEach((value, x) => {
      context.lineTo(left + x, bottom - (value / peak()) * height);
      context.lineTo(left + x + 1, bottom - (value / peak()) * height);
    });
    context.lineTo(left + width, bottom);
    context.fill();
  }

  // The map of all of it; ``look(from, width)`` when a part is chosen.
  function map(canvas, look) {
    const { chosen } = Select,
      duration = Math.max(Page.data.duration, 1);
    const width = () => chosen.to - chosen.from,
      moment = (event) => (event.offsetX / canvas.clientWidth) * duration;
    let grip = null;

    const again = Page.canvas(canvas, (context, w, h) => {
      const c = Page.colours,
        x = (chosen.from / duration) * w,
        wide = Math.max((width() / duration) * w, 3);
      context.fillStyle = c.panel;
      context.fillRect(0, 0, w, h);
      context.fillStyle = c.wait;
      area(context, 0, duration / w, 0, w, h, h - 8);
      context.globalAlpha = 0.55;
      context.fillStyle = c.back;
      context.fillRect(0, 0, x, h);
      context.fillRect(x + wide, 0, w, h);
      context.globalAlpha = 1;
      context.strokeStyle = c.accent;
      context.lineWidth = 2;
      context.strokeRect(x + 1, 1, wide - 2, h - 2);
      context.lineWidth = 1;
    });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      const at = moment(event),
        part = width() < duration * 0.98,
        inside = part && at >= chosen.from && at <= chosen.to;
      grip = inside ? { by: at - chosen.from } : { start: at };
      if (part && !inside) look(at - width() / 2, width());
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!grip) return;
      const at = moment(event);
      if (grip.by !== undefined) look(at - grip.by, width());
      else if (Math.abs(at - grip.start) > duration / 200) look(Math.min(at, grip.start), Math.abs(at - grip.start));
    });
    canvas.addEventListener("pointerup", () => {
      grip = null;
    });
    canvas.addEventListener("dblclick", () => look(0, duration));
    return again;
  }

  return { area, map, peak };
})();
