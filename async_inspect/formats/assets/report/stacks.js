// Stacks with their times as a tree, from the root down or from the await line up; and the tasks they are of.
// Knows: the sums of the data. Knows nothing of how trees are drawn.
const Stacks = (() => {
  // What takes time by itself: a node that ran, or awaits of one shape that waited.
  // {path: frames from the root, run, wait, calls, node or shape}; a frame is {key, name, short, place, waits}.
  function sources(D) {
    const { sums, shapes, nodes } = D,
      n = nodes.parent.length,
      found = [];
    const run = new Float64Array(n),
      calls = new Float64Array(n);
    for (let i = 0; i < sums.node.length; i++) {
      if (sums.node[i] < 0) continue;
      run[sums.node[i]] += Math.max(sums.self_ns[i], 0); // what isn't known is in "not divided"
      calls[sums.node[i]] += sums.calls[i] < 0 ? NaN : sums.calls[i];
    }
    const frames = [];
    const frame = (node) =>
      (frames[node] ??= {
        key: `n${nodes.function[node]}`,
        name: Words.fn(nodes.function[node])[0],
        short: Words.fn(nodes.function[node])[0],
        place: Words.defined(nodes.function[node]),
        waits: false,
      });
    function path(node) {
      const up = [];
      for (; node >= 0; node = nodes.parent[node]) up.push(frame(node));
      return up.reverse();
    }
    for (let node = 0; node < n; node++) {
      if (run[node] || calls[node])
        found.push({ path: path(node), run: run[node], wait: 0, calls: calls[node], node, shape: -1 });
    }
    for (let shape = 0; shape < shapes.leaf.length; shape++) {
      if (!shapes.wait_ns[shape] || shapes.leaf[shape] < 0) continue;
      const place = Words.place(shapes.location[shape]),
        name = `waiting for ${Words.awaited(shape)}`;
      const short = `${Words.awaited(shape)} · ${Words.file(place)}`,
        top = { key: `w${name} ${place}`, name: `${name} at ${place}`, short, place, waits: true };
      found.push({
        path: [...path(shapes.leaf[shape]), top],
        run: 0,
        wait: shapes.wait_ns[shape],
        calls: 0,
        node: -1,
        shape,
      });
    }
    return found;
  }

  // ``weight``: wall, run or wait. ``up``: bottom-up, the frame that took the time first, then its callers.
  function tree(sources, weight, up) {
    const root = {
      name: "all",
      short: "all",
      place: "",
      run: 0,
      wait: 0,
      calls: 0,
      waits: false,
      below: new Map(),
      sources: [],
    };
    for (const source of sources) {
      const run = weight === "wait" ? 0 : source.run,
        wait = weight === "run" ? 0 : source.wait;
      if (!run && !wait) continue;
      let at = root;
      root.run += run;
      root.wait += wait;
      for (const frame of up ? source.path.toReversed() : source.path) {
        let next = at.below.get(frame.key);
        if (!next) {
          next = {
            name: frame.name,
            short: frame.short,
            place: frame.place,
            run: 0,
            wait: 0,
            calls: 0,
            waits: frame.waits,
            below: new Map(),
            sources: [],
            parent: at,
          };
          at.below.set(frame.key, next);
        }
        next.run += run;
        next.wait += wait;
        next.sources.push(source);
        at = next;
      }
      at.calls += source.calls;
    }
    root.sources = sources;
    place(root);
    return root;
  }
  // Siblings side by side, the widest to the left: start and depth of each frame.
  function place(root) {
    const stack = [root];
    root.start = 0;
    root.depth = 0;
    root.deepest = 0;
    while (stack.length) {
      const frame = stack.pop();
      root.deepest = Math.max(root.deepest, frame.depth);
      frame.ns = frame.run + frame.wait;
      frame.children = [...frame.below.values()].sort(
        (a, b) => b.run + b.wait - a.run - a.wait || (a.name < b.name ? -1 : 1),
      );
      let start = frame.start;
      for (const child of frame.children) {
        child.start = start;
        child.depth = frame.depth + 1;
        start += child.run + child.wait;
        stack.push(child);
      }
    }
  }

  // The tasks behind a frame: [[task, ns], …], the longest first.
  function tasks(D, frame, weight) {
    const nodes = new Set(),
      shapes = new Set(),
      by = new Map();
    for (const { node, shape } of frame.sources) (node >= 0 ? nodes : shapes).add(node >= 0 ? node : shape);
    const add = (task, ns) => ns && by.set(task, (by.get(task) ?? 0) + ns);
    const { sums, awaits } = D;
    if (weight !== "wait")
      for (let i = 0; i < sums.node.length; i++) {
        if (nodes.has(sums.node[i])) add(sums.task[i], Math.max(sums.self_ns[i], 0));
      }
    if (weight !== "run")
      for (let i = 0; i < awaits.shape.length; i++)
        if (shapes.has(awaits.shape[i])) add(awaits.of[i], awaits.end_ns[i] - awaits.start_ns[i]);
    return [...by].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  }

  return { sources, tree, tasks };
})();
