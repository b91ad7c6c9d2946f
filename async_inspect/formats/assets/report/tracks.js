// The rows of the timeline, as segments of time: ran, waited, could have run, had not started.
// Knows: the data, and how segments become pixels, whatever the zoom (a row costs its pixels, not its segments).
// Knows nothing of the page.
const Tracks = (() => {
  const NONE = 0,
    RUN = 1,
    WAIT = 2,
    READY = 3,
    NEW = 4,
    LEFT_OUT = 5;

  // A task's segments, in order: calls put(start, kind, row).
  function segments(D, task, put) {
    const { tasks, polls, awaits } = D,
      i = task - 1,
      end = tasks.end_ns[i];
    if (!tasks.whole[i]) {
      put(tasks.created_ns[i], LEFT_OUT, -1);
      return;
    }
    let poll = polls.first[i],
      wait = awaits.first[i],
      now = tasks.created_ns[i];
    const lastPoll = polls.first[i + 1],
      lastWait = awaits.first[i + 1];
    let gap = NEW;
    while (poll < lastPoll || wait < lastWait) {
      const ofPoll =
        poll < lastPoll &&
        (wait >= lastWait ||
          (polls.start_ns[poll] <= awaits.start_ns[wait] &&
            (polls.start_ns[poll] < awaits.start_ns[wait] || polls.end_ns[poll] <= awaits.start_ns[wait])));
      const start = ofPoll ? polls.start_ns[poll] : awaits.start_ns[wait];
      if (start > now) put(now, gap, -1);
      if (ofPoll) {
        put(start, RUN, poll);
        now = polls.end_ns[poll++];
      } else {
        const ready = awaits.ready_ns[wait],
          until = awaits.end_ns[wait];
        put(start, WAIT, wait);
        if (ready > 0) put(until - ready, READY, wait);
        now = awaits.end_ns[wait++];
      }
      gap = NONE;
    }
    if (now < end) put(now, gap, -1);
  }

  // ``rows``: lists of tasks, those of a row in order of time and not overlapping.
  function make(D, rows) {
    let size = 0;
    for (const tasks of rows)
      for (const task of tasks) size += 3 + 2 * D.polls.count[task - 1] + 3 * D.awaits.count[task - 1];
    const at = new Float64Array(size + 1),
      kind = new Uint8Array(size + 1),
      row = new Int32Array(size + 1),
      who = new Int32Array(size + 1);
    const first = new Int32Array(rows.length + 1);
    let n = 0;
    rows.forEach((tasks, index) => {
      first[index] = n;
      for (const task of tasks) {
        segments(D, task, (start, what, which) => {
          at[n] = start;
          kind[n] = what;
          row[n] = which;
          who[n++] = task;
        });
        at[n] = D.tasks.end_ns[task - 1];
        kind[n] = NONE;
        row[n] = -1;
        who[n++] = 0;
      }
    });
    first[rows.length] = n;
    // What ran and what else there was before each segment.
    const ran = new Float64Array(n + 1),
      other = new Float64Array(n + 1);
    for (let index = 0; index < rows.length; index++) {
      for (let i = first[index]; i < first[index + 1] - 1; i++) {
        const length = at[i + 1] - at[i];
        ran[i + 1] = ran[i] + (kind[i] === RUN ? length : 0);
        other[i + 1] = other[i] + (kind[i] > RUN ? length : 0);
      }
    }
    const tracks = { first, at, kind, row, who, ran, other, count: rows.length };
    tracks.find = (index, moment) => {
      const i = Data.after(at, moment, first[index], first[index + 1]) - 1;
      return i < first[index] ? -1 : i;
    };
    tracks.pixels = (index, from, step, width, share, what) => pixels(tracks, index, from, step, width, share, what);
    return tracks;
  }

  // For each of ``width`` pixels of ``step`` ns: ``share``, which part of it ran (0 to 255, at least 1 if anything
  // did), and ``what`` the rest was.
  function pixels({ first, at, kind, ran, other }, index, from, step, width, share, what) {
    const low = first[index],
      high = first[index + 1];
    let i = Data.after(at, from, low, high) - 1;
    for (let x = 0; x < width; x++) {
      const begin = from + x * step,
        end = begin + step;
      let j = i < low ? low - 1 : i;
      let steps = 0;
      while (j + 1 < high && at[j + 1] < end) {
        j++;
        if (++steps > 8) {
          // many: leap instead of walking
          let leap = 8;
          while (j + leap < high && at[j + leap] < end) {
            j += leap;
            leap *= 2;
          }
          j = Data.after(at, end, j, Math.min(j + leap, high)) - 1;
          while (j > low && at[j] >= end) j--;
          break;
        }
      }
      if (i === j) {
        // one segment
        const one = i < low ? NONE : kind[i];
        share[x] = one === RUN ? 255 : 0;
        what[x] = one === RUN ? NONE : one;
      } else {
        const a = Math.max(i, low),
          before = i < low ? 0 : begin - at[a];
        const run = ran[j] + (kind[j] === RUN ? end - at[j] : 0) - ran[a] - (kind[a] === RUN ? before : 0);
        const rest = other[j] + (kind[j] > RUN ? end - at[j] : 0) - other[a] - (kind[a] > RUN ? before : 0);
        share[x] = run > 0 ? Math.max(1, Math.min(255, (255 * run) / step)) : 0;
        what[x] = rest <= 0 ? NONE : kind[j] > RUN ? kind[j] : kind[a] > RUN ? kind[a] : WAIT;
      }
      i = j;
    }
  }

  // All tasks, each in its row below the one that spawned it: {tasks, depth} without what is below the folded ones.
  function nested(D, folded) {
    const tasks = new Int32Array(D.tasks.length),
      depth = new Int32Array(D.tasks.length);
    const stack = [[D.children(0), 0]];
    let n = 0;
    while (stack.length) {
      const top = stack[stack.length - 1];
      if (top[1] >= top[0].length) {
        stack.pop();
        continue;
      }
      const task = top[0][top[1]++];
      tasks[n] = task;
      depth[n++] = stack.length - 1;
      const below = D.children(task);
      if (below.length && !folded.has(task)) stack.push([below, 0]);
    }
    return { tasks: tasks.subarray(0, n), depth: depth.subarray(0, n) };
  }

  // Lane by lane the tasks that share it.
  function lanes(D) {
    const found = [],
      order = D.tasks.created_ns
        .map((_, i) => i)
        .sort((a, b) => D.tasks.created_ns[a] - D.tasks.created_ns[b] || a - b);
    for (const i of order) (found[D.tasks.lane[i]] ??= []).push(i + 1);
    return found;
  }

  return { make, nested, lanes, RUN, WAIT, READY, NEW, LEFT_OUT, NONE };
})();
