// State machines: a coroutine's await points as states from top to bottom, and how often one followed another.
// Knows: the tables ``roots`` and ``others`` of the data, and in which order states stand. column.js draws.
const Machine = (() => {
  const START = -1,
    END = -2,
    MANY = 40;

  function make(section) {
    const { el, data: D } = Page,
      { number, ms } = Words;
    const side = el("nav.side.kinds", { "aria-label": "Coroutines" }),
      box = el("div.drawing", { tabindex: 0, role: "region", "aria-label": "State machine" });
    let machines = null;

    // {root, function, moves, states} of every coroutine, the one that waited longest first.
    function collect() {
      machines = [];
      for (const [table, root] of [
        ["roots", true],
        ["others", false],
      ]) {
        const by = new Map(),
          get = (fn) => {
            if (!by.has(fn)) by.set(fn, { root, function: fn, moves: [], states: new Map(), begun: 0, wait: 0 });
            return by.get(fn);
          };
        const moves = D[table],
          states = D[`${table}_states`];
        moves.function.forEach((fn, i) => {
          const machine = get(fn),
            move = { from: moves.from[i], to: moves.to[i], count: moves.count[i], run: moves.run_ns[i] };
          machine.moves.push(move);
          if (move.from === START) machine.begun += move.count;
        });
        states.function.forEach((fn, i) => {
          const machine = get(fn);
          machine.states.set(states.location[i], { count: states.count[i], wait: states.wait_ns[i] });
          machine.wait += states.wait_ns[i];
        });
        machines.push(
          ...[...by.values()]
            .filter((machine) => Words.fn(machine.function)[3] || root)
            .sort((a, b) => b.wait - a.wait),
        );
      }
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
          `begun ${number(machine.begun)} times; `,
          machine.root ? "its tasks' await points, wherever they stand. " : "the await points in its own frame. ",
          "A state says how often and how long it waited there, an arrow how often and how long it ran in between; ",
          "to the left it goes back.",
        ),
        el("div.wide", null, draw(machine, name)),
      );
      const first = box.querySelector(".box rect"),
        room = box.clientWidth; // the boxes in sight, where there is little room
      if (first) box.scrollLeft = room < 700 ? first.getBoundingClientRect().x - box.getBoundingClientRect().x - 12 : 0;
    }

    // The states in the order in which they are first met, the likeliest first.
    function ordered(machine) {
      const next = new Map(),
        found = [],
        seen = new Set();
      for (const move of [...machine.moves].sort((a, b) => b.count - a.count)) {
        if (!next.has(move.from)) next.set(move.from, []);
        next.get(move.from).push(move.to);
      }
      const ends = new Set(),
        queue = [START];
      while (queue.length) {
        const state = queue.shift();
        if (seen.has(state)) continue;
        seen.add(state);
        if (state <= END) ends.add(state);
        else if (state >= 0) found.push(state);
        queue.unshift(...(next.get(state) ?? []).filter((to) => !seen.has(to)));
      }
      const most = [...found].sort((a, b) => machine.states.get(b).count - machine.states.get(a).count).slice(0, MANY),
        kept = new Set(most);
      return {
        states: found.filter((state) => kept.has(state)),
        left: found.length - kept.size,
        ends: [...ends].sort((a, b) => b - a),
      };
    }

    function draw(machine, name) {
      const { states, left, ends } = ordered(machine),
        ended = machine.root ? D.words.states : D.words.outcomes;
      const arrived = (state) => machine.moves.reduce((sum, move) => sum + (move.to === state ? move.count : 0), 0);
      const boxes = [
        { id: START, title: "start", lines: [`${number(machine.begun)} times`], outer: true },
        ...states.map((state) => {
          const { count, wait } = machine.states.get(state),
            fn = Words.fn(D.locations.function[state])[0];
          return {
            id: state,
            title: Words.place(state),
            share: wait / Math.max(machine.wait, 1),
            lines: [
              fn === name ? waited(state) : `${fn}, ${waited(state)}`,
              `×${number(count)}, waited ${ms(wait)}, on average ${ms(wait / count)}`,
            ],
          };
        }),
        ...ends.map((state) => ({
          id: state,
          title: ended[END - state],
          lines: [`${number(arrived(state))} times`],
          outer: true,
        })),
      ];
      const arrows = machine.moves.map(({ from, to, count, run }) => ({
        from,
        to,
        weight: count,
        text: `×${number(count)}  ${ms(run)}`,
      }));
      return [
        Column.draw(boxes, arrows, `State machine of ${name}`),
        left > 0 ? el("p.dim", null, `${number(left)} states that were entered least are not drawn`) : "",
      ];
    }
    // What is waited for at a state, by the shapes that stand there.
    const reasons = new Map();
    function waited(state) {
      if (!reasons.size) {
        D.shapes.location.forEach((location, shape) => {
          if (!reasons.has(location)) reasons.set(location, new Set());
          reasons.get(location).add(Words.awaited(shape));
        });
      }
      return `waits for ${[...(reasons.get(state) ?? [])].slice(0, 3).join(", ")}`;
    }

    section.append(el("h2.visually-hidden", null, "State machines"), el("div.split.turned", null, side, box));
    Select.listen((changed, { view }) => {
      if (changed.has("view") && view === "machines" && !machines) collect();
    });
    Machine.show = (fn) => {
      Select.set({ view: "machines" });
      const found = machines.find((machine) => machine.function === fn);
      if (found) show(found);
    };
  }

  return { make };
})();
