// The summary: figures of the whole trace, and what was found.
// Knows: about.figures, which are the model's. Counts nothing itself.
const Summary = (() => {
  const WORDS = ["await", "after the await", "coroutine", "task", "for", "which"]; // before these stand numbers

  function make(section) {
    const { el, data } = Page,
      { number, ms, share } = Words,
      { about } = data,
      f = about.figures,
      by = f.tasks_by_state,
      least = (ns, more) => `${more ? "≥ " : ""}${ms(ns)}`; // what went on when no more is known took longer
    const ended = (by.Completed ?? 0) + (by.Failed ?? 0) + (by.Cancelled ?? 0);
    const card = (title, value, ...more) =>
      el(
        "div.card",
        null,
        el("dt", null, title),
        el(
          "dd",
          null,
          el("b", null, value),
          more.map((line) => el("span", null, line)),
        ),
      );
    const waited = data.shapes.wait_ns.reduce((sum, ns) => sum + ns, 0);
    const longest = f.longest_polls[0],
      delayed = f.worst_ready && { start_ns: f.worst_ready.start_ns, duration_ns: f.worst_ready.ready_ns };
    const lived = f.processes.reduce((sum, process) => sum + process.end_ns - process.start_ns, 0);
    const rest = (of, shown) => of.length > shown && ` and ${number(of.length - shown)} more`;

    const broken = about.endings.length > 0;
    const partly = !about.finished ? "its end was not seen" : broken ? "a part: see above" : null;

    section.append(
      el("h2.visually-hidden", null, "Summary"),
      ...notices(about),
      ...findings(about.findings),
      el(
        "dl.cards",
        null,
        card("wall time", ms(f.duration_ns), partly ?? about.date),
        card("tasks", number(f.tasks), `at most ${number(f.peak_concurrency)} at once`),
        card(
          "succeeded",
          share(by.Completed ?? 0, ended),
          `${number(by.Completed ?? 0)} of ${number(ended)} that ended`,
        ),
        card(
          "failed",
          share(by.Failed ?? 0, ended),
          `${number(by.Failed ?? 0)} failed, ${number(by.Cancelled ?? 0)} cancelled`,
        ),
        card(
          "running",
          ms(f.run_ns),
          f.processes.length > 1
            ? `${share(f.run_ns, lived)} of the time of all processes`
            : `${share(f.run_ns, f.duration_ns)} of the wall time`,
        ),
        card("waiting", ms(waited), `${number(f.awaits.count)} awaits of all tasks`),
        card(
          "median duration",
          ms(about.lifetimes.p50_ns),
          `p95 ${ms(about.lifetimes.p95_ns)}, p99 ${ms(about.lifetimes.p99_ns)}`,
        ),
        card(
          "longest poll",
          longest ? least(longest.duration_ns, longest.at_least) : "–",
          longest ? taskLink(longest.task, longest) : "nothing was polled",
        ),
        f.worst_ready &&
          card(
            "longest ready",
            least(f.worst_ready.ready_ns, f.worst_ready.at_least),
            taskLink(f.worst_ready.task, delayed),
          ),
        card(
          "events",
          number(f.events),
          f.lost || f.missing
            ? el("span.bad", null, `${broken ? "at least " : ""}${number(f.lost)} lost, ${number(f.missing)} missing`)
            : "nothing lost",
        ),
      ),
      el(
        "div.panels",
        null,
        panel("Tasks by state", states(by, f.tasks)),
        panel(
          "Where it waited",
          table(
            ["wait", "count", "longest", "await", "for"],
            f.top_awaits.map((row) => [
              ms(row.wait.total_ns),
              number(row.wait.count),
              least(row.wait.max_ns, row.wait.at_least),
              [el("code", null, row.place), " ", el("span.dim", null, row.function)],
              row.reasons.slice(0, 2).join(", "),
            ]),
            f.top_awaits.map((row) => row.wait.total_ns),
            "wait",
          ),
        ),
        panel(
          "Where it ran",
          table(
            ["run", "calls", "coroutine", "defined at"],
            f.top_coroutines.map((row) => [
              ms(row.run_self_ns),
              row.calls === null ? "–" : number(row.calls),
              [el("code", null, row.function), !row.divided && el("span.dim", null, " not divided")],
              el("span.dim", null, row.place),
            ]),
            f.top_coroutines.map((row) => row.run_self_ns),
            "run",
          ),
        ),
        panel(
          "Longest polls",
          table(
            ["took", "task", "from", "to"],
            f.longest_polls.map((row) => [
              least(row.duration_ns, row.at_least),
              taskLink(row.task, row),
              row.since ? el("code.short", { title: row.since }, Words.file(row.since)) : "its start",
              row.until
                ? el("code.short", { title: row.until }, Words.file(row.until))
                : row.ended
                  ? "its end"
                  : "the recording's end",
            ]),
            f.longest_polls.map((row) => row.duration_ns),
            "run",
          ),
        ),
        panel(
          "What it waited for",
          table(
            ["wait", "count", "median", "p99", "for"],
            f.reasons.map((row) => [
              ms(row.wait.total_ns),
              number(row.wait.count),
              ms(row.wait.p50_ns),
              ms(row.wait.p99_ns),
              row.reason || el("span.dim", null, "not known"),
            ]),
            f.reasons.map((row) => row.wait.total_ns),
            "wait",
          ),
        ),
        panel(
          "Where it was ready, and something else ran",
          table(
            ["ready", "count", "median", "longest", "after the await"],
            f.top_ready.map((row) => [
              [ms(row.ready.total_ns), row.most_ns > row.ready.total_ns && ` – ${ms(row.most_ns)}`],
              number(row.ready.count),
              ms(row.ready.p50_ns),
              least(row.ready.max_ns, row.ready.at_least),
              [
                el("code", null, row.place),
                " ",
                el("span.dim", null, row.first ? `start of ${row.function}` : row.function),
              ],
            ]),
            f.top_ready.map((row) => row.ready.total_ns),
            "ready",
          ),
        ),
        f.resources.length > 0 &&
          panel(
            "Locks, queues and the like",
            table(
              ["wait", "waits", "longest", "taken", "held at most", "which", "at the end"],
              f.resources.map((row) => [
                ms(row.wait.total_ns),
                number(row.wait.count),
                least(row.wait.max_ns, row.wait.at_least),
                number(row.taken),
                least(row.longest_hold_ns, row.held_at_least),
                row.name,
                [
                  row.holders.length > 0 && [
                    "held by ",
                    row.holders.slice(0, 3).map((holder) => [holder.task ? taskLink(holder.task) : holder.name, " "]),
                    rest(row.holders, 3),
                  ],
                  row.queue.length > 0 && el("div", null, `${number(row.queue.length)} wait for it`),
                ],
              ]),
              f.resources.map((row) => row.wait.total_ns),
              "wait",
            ),
          ),
        panel(
          "The recording",
          el(
            "dl.facts",
            null,
            Object.entries({
              command: el("code", null, about.command || about.program),
              began: about.date,
              Python: f.python || "unknown",
              process: about.pid,
              "recorded by": { c: "the C core", python: "the Python core" }[f.core] ?? "an unknown core",
              detail: f.detail.includes("awaits")
                ? `${f.detail}: how polls divide over coroutines is not known`
                : f.detail,
              records: `${number(f.records)} of ${number(f.callbacks)} callbacks`,
              "cost of recording": f.tracer_cost_ns === null ? "not measured" : ms(f.tracer_cost_ns),
              "report by": about.exporter,
            }).map(([key, value]) => [el("dt", null, key), el("dd", null, value)]),
          ),
        ),
      ),
    );
  }

  // What the reader must know before all else: that something is missing, and what.
  function notices(about) {
    const { el } = Page,
      { number } = Words,
      { left, figures, filter } = about,
      notices = [];
    if (filter) notices.push(`Only a part of the trace: ${filter}`);
    if (left.tasks) {
      notices.push(
        `Left out: polls, awaits and events of ${number(left.tasks)} tasks, the shortest-lived ` +
          `(${number(left.events)} of the events); ` +
          "figures, flame graph, tasks and state machines are of all.",
      );
    }
    notices.push(...about.endings);
    if (figures.lost && !about.endings.length)
      notices.push(`No figure is exact: ${number(figures.lost)} records could not be written.`);
    // What rules are broken stands among the findings.
    if (figures.damaged)
      notices.push(
        `No figure is exact, the recording is damaged: ${number(figures.damaged)} of its records or ` +
          "header fields made no sense.",
      );
    if (!about.finished) notices.push("The recording's end was not seen: the program runs still, or was killed.");
    if (!figures.tasks) notices.push("No tasks: no coroutine ran in this program.");
    return notices.map((text) => el("p.notice", null, text));
  }

  // [{severity, kind, text, place, task}]; nothing is shown where there are none.
  function findings(found) {
    const { el } = Page;
    return found.length === 0
      ? []
      : [
          el(
            "section.findings",
            { "aria-label": "Findings" },
            el("h3", null, "Findings"),
            el(
              "ul",
              null,
              found.map((one) =>
                el(
                  "li",
                  { "data-severity": one.severity },
                  el("b", null, one.kind),
                  " ",
                  one.text,
                  one.place && [" ", el("code", null, one.place)],
                  one.task && [" ", taskLink(one.task)],
                ),
              ),
            ),
          ),
        ];
  }

  function states(by, all) {
    const { el } = Page,
      { number, share } = Words;
    return el(
      "ul.states",
      null,
      Object.entries(by)
        .map(([exported, count]) => [Words.shownState(exported), count])
        .map(([state, count]) =>
          el(
            "li",
            null,
            el(
              "button.link",
              { type: "button", onclick: () => Tasks.only({ state }) },
              el("span.state", { "data-state": state }, state),
              el("span.bar", { style: `--part:${count / all}` }),
              el("b", null, number(count)),
              el("span.dim", null, share(count, all)),
            ),
          ),
        ),
    );
  }

  // ``amounts`` draw a bar under each row's first cell.
  function table(titles, rows, amounts, colour) {
    const { el } = Page,
      most = Math.max(...amounts, 1),
      words = titles.findIndex((title) => WORDS.includes(title)),
      numeric = (i) => i < words;
    return rows.length
      ? el(
          "div.wide",
          null,
          el(
            "table",
            null,
            el(
              "thead",
              null,
              el(
                "tr",
                null,
                titles.map((title, i) => el(numeric(i) ? "th.numeric" : "th", { scope: "col" }, title)),
              ),
            ),
            el(
              "tbody",
              null,
              rows.map((row, r) =>
                el(
                  "tr",
                  null,
                  row.map((content, i) =>
                    el(
                      numeric(i) ? "td.numeric" : "td",
                      i ? null : { class: `numeric amount ${colour}`, style: `--part:${amounts[r] / most}` },
                      content,
                    ),
                  ),
                ),
              ),
            ),
          ),
        )
      : el("p.dim", null, "nothing");
  }
  const panel = (title, ...content) => Page.el("section.panel", null, Page.el("h3", null, title), content);

  function taskLink(task, moment) {
    return Page.el(
      "a",
      {
        href: `#task=${task}`,
        onclick: (event) => {
          event.preventDefault();
          Select.set(
            moment
              ? {
                  task,
                  view: "timeline",
                  ...Select.around(moment.start_ns + moment.duration_ns / 2, moment.duration_ns * 20),
                }
              : { task },
          );
        },
      },
      `task ${task} ${Words.name(task)}`,
    );
  }

  return { make, taskLink, panel, table };
})();
