// State machines: the lines on which a coroutine awaits from top to bottom, and how often one followed another.
// Knows: the tables ``moves``, ``states``, ``awaited`` and ``never`` of the data, and what a box says.
// column.js draws.
const Machine = (() => {
  const START = -1,
    EARLIER = -2,
    END = -3,
    MANY = 40;

  function make(section) {
    const { el, data: D } = Page,
      { number, ms } = Words;
    const side = el("nav.side.kinds", { "aria-label": "Coroutines" }),
      box = el("div.drawing", { tabindex: 0, role: "region", "aria-label": "State machine" });
    let machines = null;

    // {root, function, moves, states, never} of every coroutine: the program's own before others, and of these the one
    // that waited longest first.
    function collect() {
      const by = new Map();
      D.moves.function.forEach((fn, i) => {
        if (!by.has(fn)) by.set(fn, { function: fn, moves: [], states: new Map(), never: [], begun: 0, wait: 0 });
        const machine = by.get(fn),
          move = { from: D.moves.from[i], to: D.moves.to[i], count: D.moves.count[i], run: D.moves.run_ns[i] };
        machine.moves.push(move);
        if (move.from === START || move.from === EARLIER) machine.begun += move.count;
      });
      D.states.location.forEach((location, i) => {
        const machine = by.get(D.locations.function[location]),
          wait = D.states.wait_ns[i];
        machine.states.set(location, { count: D.states.count[i], wait, run: D.states.run_ns[i], awaited: [] });
        machine.wait += wait;
      });
      D.awaited.location.forEach((location, i) => {
        const machine = by.get(D.locations.function[location]);
        machine.states.get(location).awaited.push([D.awaited.function[i], D.awaited.count[i]]);
      });
      D.never.function.forEach((fn, i) => by.get(fn).never.push(D.never.line[i]));
      const unsaid = new Set(D.unsaid.function),
        roots = new Set(D.tasks.function);
      for (const machine of by.values()) {
        machine.root = roots.has(machine.function);
        machine.unsaid = unsaid.has(machine.function);
      }
      const own = (machine) => Words.fn(machine.function)[3];
      machines = [...by.values()].sort((a, b) => own(b) - own(a) || b.wait - a.wait);
      side.replaceChildren(
        ...["tasks", "coroutines that they await"].flatMap((title, i) => {
          const mine = machines.filter((machine) => machine.root === !i);
          return mine.length
            ? [
                el("h3", null, title),
                ...mine.map(
                  (machine) =>
                    (machine.button = el(
                      "button",
                      { type: "button", onclick: () => show(machine) },
                      el("span", null, Words.fn(machine.function)[0]),
                      el("span.dim", null, `×${number(machine.begun)}, waited ${ms(machine.wait)}`),
                    )),
                ),
              ]
            : [];
        }),
      );
      if (machines.length) show(machines[0]);
      else if (!Page.data.about.figures.detail.includes("calls"))
        box.replaceChildren(el("p.dim", null, "Not known: calls of coroutines were not recorded (--detail awaits)."));
      else box.replaceChildren(el("p.dim", null, "No coroutine ran."));
    }

    function show(machine) {
      for (const other of machines) other.button.setAttribute("aria-current", other === machine);
      const [name] = Words.fn(machine.function);
      box.replaceChildren(
        el("h3", null, name, " ", el("code", null, Words.defined(machine.function))),
        el(
          "p.dim",
          null,
          `begun ${number(machine.begun)} times. A box is a line on which it awaits: how often it waited there, and `,
          "for how long; an arrow says how often one followed another, and what ran in between; to the left it goes ",
          "back. ",
          machine.never.length > 0 && "Dashed: it never waited there; it never came there, or never had to. ",
          machine.unsaid && "Lines at which it never waited are not known: an older version recorded it.",
        ),
        el("div.wide", null, draw(machine, name)),
      );
      const first = box.querySelector(".box rect"),
        room = box.clientWidth; // the boxes in sight, where there is little room
      box.scrollTop = 0;
      if (first) box.scrollLeft = room < 700 ? first.getBoundingClientRect().x - box.getBoundingClientRect().x - 12 : 0;
    }

    function draw(machine, name) {
      const states = [...machine.states.keys()].sort(
          (x, y) => machine.states.get(y).count - machine.states.get(x).count,
        ),
        ends = [...new Set(machine.moves.map((move) => move.to).filter((to) => to <= END))].sort((x, y) => y - x),
        sum = (state, side) => machine.moves.reduce((all, move) => all + (move[side] === state ? move.count : 0), 0),
        outer = (id, title, count) => ({ id, title, lines: [`${number(count)} times`], outer: true });
      const entered = states.slice(0, MANY).map((state) => {
        const { count, wait, run, awaited } = machine.states.get(state),
          [inside] = awaited.map(([fn]) => machines.find((other) => other.function === fn)).filter(Boolean);
        return {
          id: state,
          line: D.locations.line[state],
          title: Words.place(state),
          share: wait / Math.max(machine.wait, 1),
          pick: inside && inside !== machine ? () => show(inside) : null,
          lines: [
            what(state, awaited),
            `×${number(count)}, waited ${ms(wait)}, ${ms(wait / count)} each` + (run ? `, ran ${ms(run)}` : ""),
          ],
        };
      });
      const [, file] = Words.fn(machine.function);
      const never = machine.never.slice(0, MANY).map((line) => ({
        id: `never ${line}`,
        line,
        title: `${file}:${line}`,
        lines: ["never waited here"],
        never: true,
      }));
      const lines = [...entered, ...never].sort((x, y) => x.line - y.line), // as in the source
        more = states.length + machine.never.length - lines.length;
      const earlier = sum(EARLIER, "from");
      const boxes = [
        outer(START, "start", sum(START, "from")),
        ...(earlier ? [outer(EARLIER, "begun before the recording", earlier)] : []),
        ...lines,
        ...ends.map((state) => outer(state, D.words.ends[END - state], sum(state, "to"))),
      ];
      const arrows = machine.moves.map(({ from, to, count, run }) => ({
        from,
        to,
        weight: count,
        text: `×${number(count)}  ${ms(run)}`,
      }));
      return [
        Column.draw(boxes, arrows, `State machine of ${name}`),
        more > 0 ? el("p.dim", null, `${number(more)} states that were entered least are not drawn`) : "",
      ];
    }
    // What it awaits at a state: coroutines of the program's by name, else what they wait for, by the shapes there.
    const reasons = new Map();
    function what(state, awaited) {
      if (!reasons.size) {
        D.shapes.location.forEach((location, shape) => {
          if (!reasons.has(location)) reasons.set(location, new Set());
          reasons.get(location).add(Words.awaited(shape));
        });
      }
      const by = [...awaited].sort((a, b) => b[1] - a[1]).map(([fn]) => Words.fn(fn)),
        own = by.filter((fn) => fn[3]).map((fn) => fn[0]),
        others = [...(reasons.get(state) ?? [])];
      if (own.length) return `awaits ${own.slice(0, 3).join(", ")}`;
      return `waits for ${(others.length ? others : by.map((fn) => fn[0])).slice(0, 3).join(", ")}`;
    }

    section.append(el("h2.visually-hidden", null, "State machines"), el("div.split.turned", null, side, box));
    Select.listen((changed, { view }) => {
      if (changed.has("view") && view === "machines" && !machines) collect();
    });
    Machine.show = (fn) => {
      Select.set({ view: "machines" });
      const found = machines.find((machine) => machine.function === fn);
      if (found) show(found);
      else box.replaceChildren(el("p.dim", null, "It never ran."));
    };
  }

  return { make };
})();
