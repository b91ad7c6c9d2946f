// Input on a chart, as actions: pan, zoom, scroll, point, choose.
// Knows: mouse, wheel, touch and keys. Knows nothing of the chart but its size.
const Moves = (() => {
  // ``on``: left() (pixels that are no time), onBar(event), zoom(factor, part), pan(part), drag({dx, dy, bar, start}),
  // start() (what drag gets back), scroll(pixels), point(event or null), choose(event), enter(event), keys (by name).
  function listen(canvas, on) {
    const pointers = new Map();
    let drag = null;

    canvas.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, event);
      canvas.setPointerCapture(event.pointerId);
      drag = { x: event.clientX, y: event.clientY, moved: false, bar: on.onBar(event), start: on.start() };
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!pointers.has(event.pointerId)) on.point(event);
      else if (pointers.size === 2) pinch(event);
      else if (drag) {
        const dx = event.clientX - drag.x,
          dy = event.clientY - drag.y;
        drag.moved ||= Math.abs(dx) + Math.abs(dy) > 4;
        if (drag.moved) on.drag({ dx, dy, ...drag });
      }
    });
    function pinch(event) {
      const [other] = [...pointers.values()].filter((one) => one.pointerId !== event.pointerId);
      const was = Math.abs(pointers.get(event.pointerId).clientX - other.clientX);
      const is = Math.abs(event.clientX - other.clientX);
      if (was > 8 && is > 8) on.zoom(was / is, 0.5);
      pointers.set(event.pointerId, event);
      drag = null;
    }
    canvas.addEventListener("pointerup", (event) => {
      pointers.delete(event.pointerId);
      if (drag && !drag.moved) on.choose(event);
      drag = null;
    });
    canvas.addEventListener("pointercancel", (event) => {
      pointers.delete(event.pointerId);
      drag = null;
    });
    canvas.addEventListener("pointerleave", () => on.point(null));
    canvas.addEventListener("dblclick", on.enter);
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const left = on.left(),
          room = canvas.clientWidth - left;
        if (event.shiftKey || event.offsetX < left) on.scroll(event.deltaY || event.deltaX);
        else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) on.pan(event.deltaX / room);
        else on.zoom(1.0015 ** event.deltaY, (event.offsetX - left) / room);
      },
      { passive: false },
    );
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const act = on.keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
  }

  return { listen };
})();
