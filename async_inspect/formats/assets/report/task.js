// One task: its figures, its state over time, its await tree, its events. The drawer beside every view.
// Knows: the data of one task.
const Task = (() => {
  const MANY = 200;

  function make(drawer) {
    const { el } = Page;
    function show(task) {
      drawer.hidden = !task;
      document.body.classList.toggle("with-drawer", !!task);
      if (task) drawer.replaceChildren(...content(task).filter(Boolean));
    }
    drawer.addEventListener("keydown", (event) => {
      if (event.key === "Escape") Select.set({ task: 0 });
    });
    Select.listen((changed, { task }) => {
      if (changed.has("task")) show(task);
    });

    function content(task) {
      const { data: D } = Page,
        { ms } = Words,
        t = D.tasks,
        i = task - 1,
        standing = Words.standing(task);
      const link = (id) => Summary.taskLink(id);
      const facts = [
        ["coroutine", [Words.kind(task) || "never started", " ", el("code", null, Words.defined(t.function[i]) || "")]],
        [
          "spawned at",
          [el("code", null, Words.place(t.location[i]) || "unknown"), t.parent[i] ? [" by ", link(t.parent[i])] : ""],
        ],
        ["lived", `${ms(t.created_ns[i])} – ${ms(t.end_ns[i])}${t.ended[i] ? "" : " (not seen to end)"}`],
        ...Fields.drawer(task),
        t.nested_ns[i] > 0 && ["ran nested", `${ms(t.nested_ns[i])} of its run was tasks that ran in its polls`],
        t.driven[i] && ["kind", "driven by hand"],
        t.before[i] && ["created", "before the recording"],
        !t.created_seen[i] && ["created", "not seen: shown from its first step"],
        t.closed[i] && ["closed", "its coroutine was closed from outside"],
        ...wakes(task),
        ...holds(task),
      ].filter(Boolean);
      const card = (title, value, more) =>
        el(
          "div.card",
          null,
          el("dt", null, title),
          el("dd", null, el("b", null, value), more && el("span", null, more)),
        );
      return [
        el(
          "header",
          null,
          el("h2", null, el("span.dim", null, `task ${task}`), " ", Words.name(task)),
          el("span.state", { "data-state": Words.state(task) }, Words.state(task)),
          Page.button("×", () => Select.set({ task: 0 }), { "aria-label": "close", class: "close" }),
        ),
        Words.tags(task) && el("p", null, Words.tags(task)),
        Words.error(task) && el("p.error", null, Words.error(task)),
        el(
          "div.group",
          null,
          Page.button("timeline", () => Select.set({ view: "timeline", ...whole(t.created_ns[i], t.end_ns[i]) })),
          Page.button("table", () => Select.set({ view: "tasks" })),
          Page.button("graph", () => Select.set({ view: "graph" })),
          Page.button("state machine", () => Machine.show(t.function[i])),
          Page.button("events", () => Events.only(task)),
        ),
        el(
          "dl.cards.small",
          null,
          card("duration", ms(t.life_ns[i])),
          card("ran", ms(t.run_ns[i]), Words.share(t.run_ns[i], t.life_ns[i])),
          card("waited", ms(t.wait_ns[i]), Words.share(t.wait_ns[i], t.life_ns[i])),
          card("ready", Words.readyOf(task), "of the wait"),
        ),
        strip(task),
        standing >= 0 && el("section", null, el("h3", null, t.ended[i] ? "Stood last" : "Stands"), stack(standing)),
        el(
          "dl.facts",
          null,
          facts.map(([key, value]) => [el("dt", null, key), el("dd", null, value)]),
        ),
        el("section", null, el("h3", null, "Await tree"), tree(task)),
        el("section", null, el("h3", null, "Events"), events(task)),
      ];
    }
    const whole = (from, to) => {
      const room = Math.max((to - from) * 0.05, 500),
        { duration } = Page.data;
      return { from: Math.max(0, from - room), to: Math.min(duration, to + room) };
    };

    // Who woke it, the most often first.
    function wakes(task) {
      const { awaits } = Page.data,
        count = new Map();
      for (let row = awaits.first[task - 1]; row < awaits.first[task]; row++) {
        const who = Words.woken(row);
        if (!who) continue;
        if (!count.has(who)) count.set(who, [0, awaits.waker[row]]);
        count.get(who)[0]++;
      }
      const all = [...count].sort((a, b) => b[1][0] - a[1][0]);
      const shown = all
        .slice(0, 5)
        .map(([who, [times, waker]]) =>
          el("div", null, waker ? Summary.taskLink(waker) : who.replace("woken by ", ""), ` ×${Words.number(times)}`),
        );
      if (all.length > 5) shown.push(el("div.dim", null, `and ${Words.number(all.length - 5)} others`));
      return all.length ? [["woken by", shown]] : [];
    }

    // What it holds at the recording's end.
    function holds(task) {
      const { held, duration } = Page.data,
        found = [];
      held.task.forEach((who, i) => {
        if (who !== task) return;
        const where = Words.place(held.location[i]);
        const text = `${Words.resource(held.resource[i])} for ${Words.ms(duration - held.start_ns[i])}`;
        found.push(el("div", null, text, where && [", taken at ", el("code", null, where)]));
      });
      return found.length ? [["holds", found]] : [];
    }

    const waited = (row) => Words.ms(Page.data.awaits.end_ns[row] - Page.data.awaits.start_ns[row]);
    function stack(row) {
      return el(
        "div",
        null,
        el(
          "div.stack",
          null,
          Page.stack(Words.stack(row), 200),
          el(
            "div",
            null,
            `waits for ${Words.target(row)}, `,
            waited(row),
          ),
          Words.waking(row).map((text) => el("div.dim", null, text)),
        ),
        el(
          "div.group",
          null,
          Page.button("copy stack", () => Page.copy(Words.stackText(row))),
        ),
      );
    }

    // Its state over time, from its creation to its end.
    function strip(task) {
      const { data: D } = Page,
        canvas = el("canvas.strip", { role: "img", "aria-label": "Its state over time" });
      const from = D.tasks.created_ns[task - 1],
        step = (width) => Math.max(D.tasks.life_ns[task - 1], 1) / width;
      const track = Tracks.make(D, [[task]]),
        paint = Paint.make();
      Page.canvas(canvas, (context, width, height, ratio) => {
        const w = Math.round(width * ratio),
          h = Math.round(height * ratio);
        paint.begin(w, h);
        paint.row(track, 0, from, step(w), 0, h, ratio);
        paint.put(context, 0, 0);
      });
      canvas.addEventListener("pointermove", (event) => {
        const i = track.find(0, from + event.offsetX * step(canvas.clientWidth));
        if (i < 0) return;
        const kind = track.kind[i],
          length = Words.ms(track.at[i + 1] - track.at[i]);
        Page.tip(
          event,
          el(
            "div",
            null,
            kind === Tracks.RUN
              ? `ran ${length}`
              : kind === Tracks.WAIT || kind === Tracks.READY
                ? `waited ${waited(track.row[i])} for ${Words.target(track.row[i])}`
                : kind === Tracks.NEW
                  ? Words.fresh(task, track.at[i + 1] - track.at[i])
                  : "not in this file",
          ),
          kind === Tracks.WAIT || kind === Tracks.READY
            ? Words.waking(track.row[i]).map((text) => el("div.dim", null, text))
            : [],
        );
      });
      canvas.addEventListener("pointerleave", () => Page.tip(null));
      return canvas;
    }

    // Its await tree, as text that can be copied: {node, depth} parents first, the longest first.
    function rows(task) {
      const { sums, lines, nodes } = Page.data,
        run = new Map(),
        wait = new Map(),
        calls = new Map(),
        unknown = new Set(), // how long it ran; below a root, which ran when its task did
        stands = new Map(),
        below = new Map();
      const add = (map, node, ns) => {
        for (let at = node; at >= 0; at = nodes.parent[at]) map.set(at, (map.get(at) ?? 0) + ns);
      };
      for (let i = Data.after(sums.task, task - 1); sums.task[i] === task; i++) {
        if (sums.node[i] < 0) continue;
        add(run, sums.node[i], Math.max(sums.self_ns[i], 0));
        if (sums.self_ns[i] < 0 && nodes.parent[sums.node[i]] >= 0) unknown.add(sums.node[i]);
        add(wait, sums.node[i], sums.wait_ns[i]);
        calls.set(sums.node[i], sums.calls[i]);
      }
      for (let i = Data.after(lines.task, task - 1); lines.task[i] === task; i++) {
        if (!stands.has(lines.node[i])) stands.set(lines.node[i], []);
        stands.get(lines.node[i]).push([Words.place(lines.location[i]), lines.count[i], lines.wait_ns[i]]);
      }
      for (const node of run.keys()) {
        const parent = nodes.parent[node];
        if (!below.has(parent)) below.set(parent, []);
        below.get(parent).push(node);
      }
      const found = [],
        stack = [[-1, -1]];
      while (stack.length) {
        const [node, depth] = stack.pop();
        if (node >= 0)
          found.push({
            depth,
            name: Words.fn(nodes.function[node])[0],
            run: unknown.has(node) ? -1 : run.get(node),
            wait: wait.get(node),
            calls: calls.get(node) ?? 0,
            stands: (stands.get(node) ?? []).sort((a, b) => b[2] - a[2]),
          });
        const total = (one) => run.get(one) + wait.get(one);
        for (const child of (below.get(node) ?? []).sort((a, b) => total(a) - total(b))) stack.push([child, depth + 1]);
      }
      return found;
    }
    function tree(task) {
      const found = rows(task),
        { ms } = Words;
      if (!found.length) return el("p.dim", null, "it never ran");
      const text = () =>
        found
          .flatMap((row) => [
            `${"  ".repeat(row.depth)}${row.name}  calls ${row.calls < 0 ? "–" : row.calls}  ` +
              `run ${row.run < 0 ? "–" : Words.exact(row.run)}  wait ${Words.exact(row.wait)}`,
            ...row.stands.map(
              ([place, count, ns]) => `${"  ".repeat(row.depth + 1)}· ${place}  ×${count}  wait ${Words.exact(ns)}`,
            ),
          ])
          .join("\n");
      return el(
        "div",
        null,
        el(
          "div.tree",
          null,
          el(
            "div.node.line",
            { style: "--depth:0" },
            el("span", null, "frame, and where it awaited"),
            el("span.numeric", null, "run"),
            el("span.numeric", null, "wait"),
          ),
          found.slice(0, MANY).map((row) => [
            el(
              "div.node",
              {
                style: `--depth:${Math.min(row.depth, 20)}`,
              },
              el("span", null, row.name, row.calls > 1 && el("span.dim", null, ` ×${Words.number(row.calls)}`)),
              el("span.numeric", null, row.run < 0 ? "–" : ms(row.run)),
              el("span.numeric", null, ms(row.wait)),
            ),
            row.stands
              .slice(0, 8)
              .map(([place, count, ns]) =>
                el(
                  "div.node.line",
                  { style: `--depth:${Math.min(row.depth, 20) + 1}` },
                  el(
                    "span",
                    { title: place },
                    el("code", null, Words.file(place)),
                    el("span.dim", null, ` ×${Words.number(count)}`),
                  ),
                  el("span"),
                  el("span.numeric", null, ms(ns)),
                ),
              ),
          ]),
          found.length > MANY && el("p.dim", null, `and ${found.length - MANY} frames more`),
        ),
        el(
          "div.group",
          null,
          Page.button("copy tree", () => Page.copy(text())),
        ),
      );
    }

    function events(task) {
      const { events: e, words, tasks } = Page.data;
      if (!tasks.whole[task - 1]) return el("p.dim", null, "not in this file");
      const found = [];
      let count = 0;
      for (let i = 0; i < e.length; i++) if (e.task[i] === task && ++count <= MANY) found.push(i);
      return el(
        "div",
        null,
        el(
          "ol.log",
          null,
          found.map((i) =>
            el(
              "li",
              null,
              el(
                "button.link",
                {
                  type: "button",
                  onclick: () =>
                    Select.set({
                      view: "timeline",
                      ...Select.around(e.ts_ns[i], (Select.chosen.to - Select.chosen.from) / 4),
                    }),
                },
                Words.ms(e.ts_ns[i]),
              ),
              " ",
              el("b", null, words.kinds[e.kind[i]]),
              " ",
              el(
                "span.dim",
                null,
                Words.details(i)
                  .replace(`name=${Words.name(task)}`, "")
                  .replace(/^, /, ""),
              ),
            ),
          ),
        ),
        count > MANY &&
          el(
            "div.group",
            null,
            Page.button(`all ${Words.number(count)} events`, () => Events.only(task)),
          ),
      );
    }
  }

  return { make };
})();
