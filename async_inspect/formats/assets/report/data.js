// The data: from the page's compressed block to columns.
// Knows: the stream that html/pack.py writes, and which columns html/data.py leaves for the page to find by itself.
// Knows nothing of what is shown. Times are ns since the recording began, exact in doubles up to 104 days.
const Data = (() => {
  async function inflate(base64) {
    const text = atob(base64.trim());
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  function column(name, encoding, width, count, planes) {
    const signed = encoding.endsWith("signed"),
      delta = encoding.startsWith("delta");
    const found = name.endsWith("_ns") ? new Float64Array(count) : new Int32Array(count);
    for (let plane = width - 1; plane >= 0; plane--) {
      const from = plane * count;
      for (let i = 0; i < count; i++) found[i] = found[i] * 256 + planes[from + i];
    }
    if (signed) for (let i = 0; i < count; i++) found[i] = found[i] % 2 ? -(found[i] + 1) / 2 : found[i] / 2;
    if (delta) for (let i = 1; i < count; i++) found[i] += found[i - 1];
    return found;
  }

  function tables(bytes) {
    const found = {},
      decoder = new TextDecoder();
    let at = 0;
    while (at < bytes.length) {
      const end = bytes.indexOf(10, at);
      const [name, encoding, width, count] = decoder.decode(bytes.subarray(at, end)).split(" ");
      const size = encoding === "json" ? +count : width * count;
      const block = bytes.subarray(end + 1, end + 1 + size);
      at = end + 1 + size;
      if (encoding === "json") {
        found[name] = JSON.parse(decoder.decode(block));
      } else {
        const [table, key] = name.split(".");
        (found[table] ??= {})[key] = column(name, encoding, +width, +count, block);
      }
    }
    return found;
  }

  // Where each task's rows begin, one more than there are tasks.
  function edges(count) {
    const first = new Int32Array(count.length + 1);
    for (let i = 0; i < count.length; i++) first[i + 1] = first[i] + count[i];
    return first;
  }

  // Tasks have ids from 1; a column's row is id - 1.
  function tasks(D) {
    const { tasks } = D,
      n = tasks.state.length;
    tasks.length = n;
    tasks.end_ns = tasks.created_ns.map((created, i) => created + tasks.life_ns[i]);
    tasks.wait_ns = tasks.life_ns.map((life, i) => life - tasks.run_ns[i]);
    tasks.most_ns = tasks.ready_ns.map((ready, i) => ready + tasks.more_ns[i]);
    const count = new Int32Array(n + 1);
    for (const parent of tasks.parent) count[parent]++;
    const first = edges(count),
      fill = first.slice(),
      rows = new Int32Array(n);
    for (let i = 0; i < n; i++) rows[fill[tasks.parent[i]]++] = i + 1;
    D.children = (id) => rows.subarray(first[id], first[id + 1]); // of 0: those without a parent
  }

  function polls(D) {
    const { polls, tasks } = D,
      n = polls.gap_ns.length;
    polls.first = edges(polls.count);
    polls.start_ns = new Float64Array(n);
    polls.end_ns = new Float64Array(n);
    polls.task = new Int32Array(n);
    for (let task = 0; task < tasks.length; task++) {
      let now = tasks.created_ns[task];
      for (let i = polls.first[task]; i < polls.first[task + 1]; i++) {
        polls.task[i] = task + 1;
        polls.start_ns[i] = now += polls.gap_ns[i];
        polls.end_ns[i] = now += polls.run_ns[i];
      }
    }
  }

  function awaits(D) {
    const { awaits, polls, tasks } = D,
      n = awaits.shape.length;
    awaits.first = edges(awaits.count);
    awaits.start_ns = new Float64Array(n);
    awaits.end_ns = new Float64Array(n);
    awaits.of = new Int32Array(n);
    awaits.ready_ns = new Float64Array(n);
    const byTimer = D.words.wakers.indexOf("timer"),
      byItself = D.words.wakers.indexOf("itself");
    for (let task = 0; task < tasks.length; task++) {
      const from = awaits.first[task],
        base = polls.first[task],
        until = polls.first[task + 1];
      for (let i = from; i < awaits.first[task + 1]; i++) {
        const poll = base + i - from;
        awaits.of[i] = task + 1;
        awaits.start_ns[i] = (poll < until ? polls.end_ns[poll] : 0) + awaits.start_off_ns[i];
        awaits.end_ns[i] = (poll + 1 < until ? polls.start_ns[poll + 1] : tasks.end_ns[task]) + awaits.end_off_ns[i];
        const wait = awaits.end_ns[i] - awaits.start_ns[i],
          due = awaits.due_in_ns[i],
          by = awaits.woken_by[i];
        const timed = due >= 0 && (by === 0 || by === byTimer);
        awaits.ready_ns[i] = awaits.ready_off_ns[i] + (timed ? wait - Math.min(due, wait) : by === byItself ? wait : 0);
      }
    }
  }

  function events(D) {
    const { events, polls, awaits, tasks, points, words } = D,
      n = events.kind.length;
    const code = Object.fromEntries(words.kinds.map((name, i) => [name, i]));
    const { TaskSpawned, PollStarted, PollEnded, AwaitStarted, AwaitEnded, InspectionPoint } = code;
    events.row = new Int32Array(n);
    events.ts_ns = new Float64Array(n);
    const next = words.kinds.map(() => new Int32Array(tasks.length + 1));
    let point = 0;
    for (let i = 0; i < n; i++) {
      const kind = events.kind[i],
        task = events.task[i];
      let row = events.off[i];
      if (kind === InspectionPoint) {
        row += point++;
        events.ts_ns[i] = points.ts_ns[row];
      } else if (kind === PollStarted || kind === PollEnded) {
        row += polls.first[task - 1] + next[kind][task]++;
        events.ts_ns[i] = (kind === PollStarted ? polls.start_ns : polls.end_ns)[row];
      } else if (kind === AwaitStarted || kind === AwaitEnded) {
        row += awaits.first[task - 1] + next[kind][task]++;
        events.ts_ns[i] = (kind === AwaitStarted ? awaits.start_ns : awaits.end_ns)[row];
      } else {
        row += task - 1;
        events.ts_ns[i] = (kind === TaskSpawned ? tasks.created_ns : tasks.end_ns)[row];
      }
      events.row[i] = row;
    }
    events.length = n;
    events.code = code;
  }

  // Who awaited a task.
  function awaiters(D) {
    const by = new Map();
    D.edges.awaited.forEach((awaited, i) => {
      if (!by.has(awaited)) by.set(awaited, []);
      by.get(awaited).push(D.edges.task[i]);
    });
    D.awaiters = (task) => by.get(task) ?? [];
  }

  // How many tasks are alive, from each moment at which that changes.
  function alive(D) {
    const starts = D.tasks.created_ns.slice().sort(),
      ends = D.tasks.end_ns.slice().sort();
    const at = new Float64Array(2 * starts.length),
      count = new Int32Array(2 * starts.length);
    let i = 0,
      j = 0,
      n = 0;
    while (j < ends.length) {
      const moment = i < starts.length && starts[i] < ends[j] ? starts[i] : ends[j];
      while (j < ends.length && ends[j] === moment) j++;
      while (i < starts.length && starts[i] === moment) i++;
      at[n] = moment;
      count[n++] = i - j;
    }
    D.alive = { at: at.subarray(0, n), count: count.subarray(0, n) };
  }

  async function read(element) {
    const D = tables(await inflate(element.textContent));
    element.remove();
    for (const step of [tasks, polls, awaits, events, awaiters, alive]) step(D);
    D.duration = D.about.figures.duration_ns;
    return D;
  }

  // The first index at which an ascending column is greater than a value, from lo to hi.
  function after(column, value, lo = 0, hi = column.length) {
    while (lo < hi) {
      const middle = (lo + hi) >> 1;
      if (column[middle] > value) hi = middle;
      else lo = middle + 1;
    }
    return lo;
  }

  return { read, after };
})();
