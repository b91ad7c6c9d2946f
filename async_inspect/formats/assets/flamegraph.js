"use strict";
// The flame graph's behaviour: zoom by click, search, reset, details under the mouse.
// A frame is <g class="f" data-s="start" data-r="ran" data-w="waited">, in whole microseconds, so that "lies within"
// is exact; where it is drawn follows from these.
(() => {
  const svg = document.documentElement, SVG = "http://www.w3.org/2000/svg";
  const id = (name) => document.getElementById(name);
  const { pad, width, char } = Object.fromEntries(Object.entries(svg.dataset).map(([key, text]) => [key, +text]));
  const frames = [...document.querySelectorAll(".f")].map((g) => {
    const title = g.querySelector("title").textContent, rect = g.querySelector("rect");
    const start = +g.dataset.s, ran = +g.dataset.r, waited = +g.dataset.w;
    const name = title.replace(/ \([^()]*\)$/, "");
    return { g, rect, title, name, start, end: start + ran + waited, ran, waited, y: +rect.getAttribute("y") };
  });
  const all = frames[0];
  if (!all) return;
  let shown = all;

  const ms = (us) => us < 1000 ? `${us} µs` : `${(us / 1000).toLocaleString("en", { maximumFractionDigits: 3 })} ms`;
  const share = (part, whole) => `${(100 * part / (whole || 1)).toFixed(2)}%`;
  const within = (inner, outer) => inner.start >= outer.start && inner.end <= outer.end;

  function place(frame, x, w) {
    frame.rect.setAttribute("x", x.toFixed(2));
    frame.rect.setAttribute("width", w.toFixed(2));
    const fits = Math.floor((w - 6) / char), { name } = frame;
    let text = frame.g.querySelector("text");
    if (fits < 3) {
      if (text) text.remove();
      return;
    }
    if (!text) {
      text = frame.g.appendChild(document.createElementNS(SVG, "text"));
      text.setAttribute("y", frame.y + 12);
    }
    text.setAttribute("x", (x + 3).toFixed(2));
    const letters = [...name];
    text.textContent = letters.length <= fits ? name : letters.slice(0, fits - 2).join("") + "..";
  }

  function zoom(to) {
    shown = to;
    const scale = width / (to.end - to.start);
    for (const frame of frames) {
      const above = frame !== to && frame.y > to.y && within(to, frame);
      const seen = above || (frame.y <= to.y && within(frame, to));
      frame.g.classList.toggle("off", !seen);
      frame.g.classList.toggle("above", above);
      if (above) place(frame, pad, width);
      else if (seen) place(frame, pad + (frame.start - to.start) * scale, (frame.end - frame.start) * scale);
    }
    id("reset").classList.toggle("off", to === all);
  }

  function search(wanted) {
    let matches = () => false;
    if (wanted) {
      try {
        const pattern = new RegExp(wanted, "i");
        matches = (name) => pattern.test(name);
      } catch {
        matches = (name) => name.toLowerCase().includes(wanted.toLowerCase());
      }
    }
    let sum = 0, until = -1, count = 0;  // frames come parents first, from left to right: none counts twice
    for (const frame of frames) {
      const hit = frame !== all && matches(frame.name);
      frame.g.classList.toggle("hit", hit);
      if (!hit) continue;
      count++;
      if (frame.start >= until) {
        sum += frame.end - frame.start;
        until = frame.end;
      }
    }
    id("matched").textContent = wanted ? `${count} frames match, ${share(sum, all.end)} of the time` : "";
  }

  function tell(frame) {
    const time = frame.end - frame.start, inside = shown !== all && within(frame, shown);
    const relative = inside ? `, ${share(time, shown.end - shown.start)} of what is shown` : "";
    id("details").textContent =
      `${frame.name}: ${ms(time)}, ${share(time, all.end)} of all${relative}; ` +
      `ran ${ms(frame.ran)}, waited ${ms(frame.waited)}`;
  }

  const of = new Map(frames.map((frame) => [frame.g, frame]));
  const hint = id("details").textContent;
  const under = (event) => of.get(event.target.closest(".f"));
  svg.addEventListener("click", (event) => {
    const frame = under(event);
    if (frame) zoom(frame);
  });
  svg.addEventListener("mouseover", (event) => {
    const frame = under(event);
    if (frame) tell(frame);
  });
  svg.addEventListener("mouseout", (event) => {
    if (under(event)) id("details").textContent = hint;
  });
  id("reset").addEventListener("click", () => zoom(all));
  const field = id("search");
  field.addEventListener("input", () => search(field.value));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (event.target === field || shown === all) {
        field.value = "";
        search("");
      } else zoom(all);
    } else if (event.key === "/" && event.target !== field) {
      event.preventDefault();
      field.focus();
    }
  });
  for (const hidden of document.querySelectorAll(".wants-script")) hidden.classList.remove("wants-script");
  id("reset").classList.add("off");
})();
