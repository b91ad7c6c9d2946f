// What all views use of a page: elements, canvases, colours, the tip under the mouse, copying.
// Knows: the browser. Knows nothing of tasks. Names go in as text nodes only, never as markup.
const Page = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  // An element: ("a.button", {href, onclick, …}, children …). Children are nodes, text, or lists of these.
  function build(element, properties, children) {
    for (const [key, value] of Object.entries(properties ?? {})) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value === false || value === null || value === undefined) continue;
      else element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  }
  function el(name, properties, ...children) {
    const [tag, ...classes] = name.split(".");
    const element = document.createElement(tag);
    if (classes.length) element.className = classes.join(" ");
    return build(element, properties, children);
  }
  function svg(name, properties, ...children) {
    const [tag, ...classes] = name.split(".");
    const element = document.createElementNS(SVG, tag);
    if (classes.length) element.setAttribute("class", classes.join(" "));
    return build(element, properties, children);
  }
  const id = (name) => document.getElementById(name);

  // --- colours ---

  let colours = {},
    numbers = {};
  // ``now``: without waiting for a frame.
  function repaint(now) {
    const style = getComputedStyle(document.documentElement);
    colours = {};
    numbers = {};
    for (const name of [
      "back",
      "panel",
      "ink",
      "dim",
      "line",
      "accent",
      "run",
      "wait",
      "stripe",
      "ready",
      "dot",
      "soft",
      "hit",
      "bad",
    ]) {
      colours[name] = style.getPropertyValue(`--${name}`).trim();
      const [r, g, b] = colours[name].match(/\w\w/g).map((two) => parseInt(two, 16));
      numbers[name] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0; // a pixel
    }
    for (const again of watchers) again(now === true);
  }
  const watchers = [];

  // --- canvas ---

  let letter = 7; // a letter's width, on average
  const FONT = '12px system-ui, "DejaVu Sans", sans-serif';
  // A canvas as large as its box, drawn anew when that, the colours, or what it shows change: at most once a frame.
  function canvas(element, draw) {
    const context = element.getContext("2d", { alpha: false });
    let due = false,
      ratio = 1;
    function frame() {
      due = false;
      const { clientWidth: width, clientHeight: height } = element;
      if (!width || !height) return;
      ratio = Math.min(devicePixelRatio || 1, 2);
      if (element.width !== Math.round(width * ratio) || element.height !== Math.round(height * ratio)) {
        element.width = Math.round(width * ratio);
        element.height = Math.round(height * ratio);
      }
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.font = FONT;
      context.textBaseline = "middle";
      letter = context.measureText("waiting for Client._request at app.py:12").width / 38;
      draw(context, width, height, ratio);
    }
    function again(now) {
      if (now === true) frame();
      else if (!due) {
        requestAnimationFrame(frame);
        due = true;
      }
    }
    new ResizeObserver(() => again()).observe(element);
    watchers.push(again);
    return again;
  }
  // Text cut to a width, by the average width of its letters, so that it costs no measuring.
  function fit(text, width) {
    const letters = Math.floor(width / letter);
    return text.length <= letters ? text : letters < 3 ? "" : `${text.slice(0, letters - 1)}…`;
  }
  const width = (text) => text.length * letter;
  function hatch(context, colour, back) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const t = tile.getContext("2d");
    t.fillStyle = back;
    t.fillRect(0, 0, 6, 6);
    t.strokeStyle = colour;
    for (const x of [-6, 0, 6]) {
      t.moveTo(x - 1, 7);
      t.lineTo(x + 7, -1);
    }
    t.stroke();
    return context.createPattern(tile, "repeat");
  }

  // --- the tip ---

  function tip(event, ...children) {
    const box = id("tip");
    if (!event) {
      box.hidden = true;
      return;
    }
    box.replaceChildren(...children.flat(9));
    box.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = box;
    box.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 4))}px`;
    const below = event.clientY + 18;
    box.style.top = `${below + height < innerHeight ? below : Math.max(4, event.clientY - height - 12)}px`;
  }

  // A stack, [[name, place], …] from the outermost frame on; of more than ``most`` frames the middle is left out.
  function stack(frames, most) {
    const line = ([name, place], depth) =>
      el("div.frame", { style: `padding-left:${Math.min(depth, 14) * 9}px` }, name, " ", el("code", null, place));
    if (frames.length <= most) return frames.map(line);
    const first = Math.floor(most / 4),
      last = frames.length - (most - first);
    return [
      frames.slice(0, first).map(line),
      el("div.frame", null, `… ${last - first} frames more …`),
      frames.slice(last).map((frame, i) => line(frame, first + i)),
    ];
  }

  // --- copying ---

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // no permission: the old way
      const field = el("textarea", { style: "position:fixed;opacity:0" });
      document.body.append(field);
      field.value = text;
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    say("copied");
  }
  let fade;
  function say(text) {
    id("message").textContent = text;
    clearTimeout(fade);
    fade = setTimeout(() => (id("message").textContent = ""), 2500);
  }

  // A row of choices of which one holds.
  function choice(label, options, chosen, onchange) {
    const group = el("div.choice", { role: "group", "aria-label": label });
    for (const [value, text] of options) {
      const button = el(
        "button",
        {
          type: "button",
          "aria-pressed": value === chosen,
          "data-value": value,
          onclick: () => {
            for (const other of group.children) other.setAttribute("aria-pressed", other === button);
            onchange(value);
          },
        },
        text,
      );
      button.setAttribute("aria-pressed", value === chosen);
      group.append(button);
    }
    return group;
  }
  const button = (text, onclick, more) => el("button", { type: "button", onclick, ...more }, text);
  const select = (label, options, onchange) =>
    el(
      "select",
      { "aria-label": label, onchange: (event) => onchange(event.target.value) },
      options.map(([value, text]) => el("option", { value }, text)),
    );

  // Waits until typing pauses.
  function typed(label, placeholder, onchange) {
    let timer;
    return el("input", {
      type: "search",
      "aria-label": label,
      placeholder,
      oninput: (event) => {
        clearTimeout(timer);
        timer = setTimeout(() => onchange(event.target.value), 120);
      },
    });
  }

  return {
    data: null,
    el,
    svg,
    id,
    canvas,
    fit,
    hatch,
    tip,
    stack,
    copy,
    say,
    choice,
    button,
    select,
    typed,
    repaint,
    watchers,
    width,
    get colours() {
      return colours;
    },
    get numbers() {
      return numbers;
    },
  };
})();
