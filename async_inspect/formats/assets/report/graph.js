// The task graph: which task spawned, awaited and held what; by coroutine, or around one task.
// Knows: parents, the edges, the holds and the queues of the data.
const Graph = (() => {
  const MANY = 24; // boxes beside one task, or single tasks in one picture

  function make(section) {
    const { el, data: D } = Page,
      { number, ms } = Words;
    const drawing = el("div.drawing", { tabindex: 0, role: "region", "aria-label": "Task graph" }),
      caption = el("p.dim");
    let mode = "",
      due = true;
    const modes = Page.choice(
      "what a box is",
      [
        ["kinds", "by coroutine"],
        ["task", "around the chosen task"],
      ],
      "kinds",
      (value) => {
        mode = value;
        draw();
      },
    );
    const state = (task) => `${Words.state(task)}, ${ms(D.tasks.life_ns[task - 1])}`;
    const boxOf = (task, more) => ({
      id: task,
      title: `${task}  ${Words.name(task)}`,
      more: state(task),
      pick: () => Select.set({ task }),
      current: task === Select.chosen.task,
      kind: Words.state(task),
      ...more,
    });
    // What is held or waited for; where it is much, all that is alike and was made at one place.
    const things = new Set([...D.holds.resource, ...D.queues.resource]),
      alike = new Map();
    const likeOf = (row) => `${D.words.resources[row].replace(/ \d+/, "")} ${D.resources.location[row]}`;
    for (const row of things) alike.set(likeOf(row), (alike.get(likeOf(row)) ?? 0) + 1);
    const thing = (row, together) => {
      const number = together ? alike.get(likeOf(row)) : 1,
        where = Words.place(D.resources.location[row]);
      return {
        id: number > 1 ? `r${likeOf(row)}` : `r${row}`,
        title: number > 1 ? D.words.resources[row].replace(/ \d+/, ` ×${number}`) : D.words.resources[row],
        more: where && `made at ${Words.file(where)}`,
        kind: "resource",
        last: true,
      };
    };
    // How often one awaited another, itself or by what gathers tasks.
    const awaited = (count, gathered, ns) =>
      [count && `×${number(count)} ${ms(ns)}`, gathered && `gathered${gathered > 1 ? ` ×${number(gathered)}` : ""}`]
        .filter(Boolean)
        .join(", ");

    // Each box all tasks of one coroutine; where there are few tasks, each its own.
    function kinds() {
      const boxes = new Map(),
        arrows = new Map(),
        single = D.tasks.length <= MANY;
      const id = (task) => (single ? task : `k${D.tasks.function[task - 1]}`);
      for (let task = 1; task <= D.tasks.length; task++) {
        const key = id(task),
          fn = D.tasks.function[task - 1];
        if (!boxes.has(key))
          boxes.set(
            key,
            single
              ? boxOf(task)
              : {
                  id: key,
                  title: Words.kind(task) || "never started",
                  count: 0,
                  life: 0,
                  pick: () => Tasks.only({ kind: fn < 0 ? "" : Words.fn(fn)[0] }),
                },
          );
        if (single) continue;
        const box = boxes.get(key);
        box.count++;
        box.life += D.tasks.life_ns[task - 1];
      }
      for (const box of boxes.values())
        box.more ??= `${number(box.count)} task${box.count > 1 ? "s" : ""}, ${ms(box.life)}`;
      const add = (from, to, kind, count, ns) => {
        const key = `${from} ${to} ${kind}`;
        if (!arrows.has(key)) arrows.set(key, { from, to, kind, weight: 0, count: 0, gathered: 0, ns: 0 });
        const arrow = arrows.get(key);
        arrow.weight += count || 1;
        arrow.count += count;
        arrow.gathered += count ? 0 : 1;
        arrow.ns += ns;
      };
      for (let task = 1; task <= D.tasks.length; task++)
        if (D.tasks.parent[task - 1]) add(id(D.tasks.parent[task - 1]), id(task), "spawn", 1, 0);
      D.edges.task.forEach((task, i) =>
        add(id(task), id(D.edges.awaited[i]), "await", D.edges.count[i], D.edges.wait_ns[i]),
      );
      for (const [kind, of, ns] of [
        ["hold", D.holds, D.holds.held_ns],
        ["want", D.queues, D.queues.wait_ns],
      ])
        of.task.forEach((task, i) => {
          if (!task) return;
          const box = thing(of.resource[i], things.size > MANY);
          boxes.set(box.id, box);
          add(id(task), box.id, kind, of.count[i], ns[i]);
        });
      for (const arrow of arrows.values()) {
        arrow.text =
          arrow.kind === "spawn"
            ? arrow.weight > 1
              ? `×${number(arrow.weight)}`
              : ""
            : awaited(arrow.count, arrow.gathered, arrow.ns);
      }
      return [
        [...boxes.values()],
        [...arrows.values()],
        single
          ? "Each box is a task."
          : "Each box is all tasks of one coroutine: how many, and how long they lived in all.",
      ];
    }

    // One task with the tasks and resources around it.
    function around(task) {
      const boxes = new Map([[task, boxOf(task)]]),
        arrows = [],
        left = { spawned: 0, awaited: 0, held: 0, things: 0 };
      const include = (other, what) => {
        if (!boxes.has(other)) {
          if (boxes.size > MANY) {
            left[what]++;
            return false;
          }
          boxes.set(other, boxOf(other));
        }
        return true;
      };
      const parent = D.tasks.parent[task - 1];
      if (parent && include(parent))
        arrows.push({
          from: parent,
          to: task,
          kind: "spawn",
          text: Words.file(Words.place(D.tasks.location[task - 1])),
        });
      D.edges.task.forEach((who, i) => {
        const other = who === task ? D.edges.awaited[i] : D.edges.awaited[i] === task ? who : 0;
        if (other && include(other, "awaited"))
          arrows.push({
            from: who,
            to: D.edges.awaited[i],
            kind: "await",
            text: awaited(D.edges.count[i], D.edges.count[i] ? 0 : 1, D.edges.wait_ns[i]),
            weight: D.edges.count[i] || 1,
          });
      });
      for (const child of D.children(task))
        if (include(child, "spawned")) arrows.push({ from: task, to: child, kind: "spawn" });
      // What it held or waited for, and who else held what it waited for.
      const wanted = new Set(),
        touch = (kind, of, i, ns) => {
          const box = thing(of.resource[i], false);
          if (!boxes.has(box.id) && kept.size >= MANY) return left.things++;
          kept.add(box.id);
          boxes.set(box.id, box);
          return arrows.push({
            from: of.task[i],
            to: box.id,
            kind,
            text: awaited(of.count[i], 0, ns[i]),
            weight: of.count[i],
          });
        },
        kept = new Set();
      D.queues.task.forEach((who, i) => {
        if (who !== task) return;
        wanted.add(D.queues.resource[i]);
        touch("want", D.queues, i, D.queues.wait_ns);
      });
      D.holds.task.forEach((who, i) => {
        const mine = who === task,
          other = who && wanted.has(D.holds.resource[i]);
        if (mine || (other && include(who, "held"))) touch("hold", D.holds, i, D.holds.held_ns);
      });
      const more = [
        left.spawned && `${number(left.spawned)} more that it spawned`,
        left.awaited && `${number(left.awaited)} more that await it or are awaited`,
        left.held && `${number(left.held)} more that held what it waited for`,
        left.things && `${number(left.things)} more that were held or waited for`,
      ].filter(Boolean);
      return [[...boxes.values()], arrows, more.length ? `Not drawn: ${more.join(", ")}.` : ""];
    }

    function draw() {
      due = false;
      const task = Select.chosen.task,
        one = mode === "task" && task;
      for (const button of modes.children)
        button.setAttribute("aria-pressed", button.dataset.value === (one ? "task" : "kinds"));
      modes.lastChild.disabled = !task;
      const [boxes, arrows, text] = one ? around(task) : kinds();
      caption.textContent = boxes.length ? text : "No tasks.";
      drawing.replaceChildren(caption, el("div.wide", null, Layers.draw(boxes, arrows, "Task graph")));
    }

    section.append(
      el("h2.visually-hidden", null, "Task graph"),
      el(
        "div.tools",
        null,
        modes,
        el(
          "span.legend",
          null,
          el("i.spawn"),
          "spawned",
          el("i.await"),
          "awaited",
          el("i.hold"),
          "held",
          el("i.want"),
          things.size ? "waited for" : "waited for (nothing in this recording)",
        ),
      ),
      drawing,
    );
    Select.listen((changed, { view, task }) => {
      if (changed.has("task")) {
        mode = task ? "task" : "kinds";
        due = true;
      }
      if (view === "graph" && due) draw();
    });
  }

  return { make };
})();
