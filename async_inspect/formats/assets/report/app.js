// Puts it together: reads the data, makes the views, switches between them.
// Knows: which views there are, and nothing of what is in them.
const VIEWS = [
  ["summary", "Summary", Summary],
  ["timeline", "Timeline", Timeline],
  ["flame", "Flame graph", Flame],
  ["tasks", "Tasks", Tasks],
  ["machines", "State machines", Machine],
  ["graph", "Task graph", Graph],
  ["events", "Events", Events],
];

function theme() {
  const dark = matchMedia("(prefers-color-scheme: dark)"),
    root = document.documentElement,
    button = Page.id("theme");
  const apply = () => {
    if (!root.dataset.chosen) root.dataset.theme = dark.matches ? "dark" : "light";
    Page.repaint();
  };
  dark.addEventListener("change", apply);
  matchMedia("print").addEventListener("change", () => Page.repaint()); // on paper all is light
  button.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    root.dataset.chosen = "yes";
    Page.repaint();
  });
  apply();
}

function tabs() {
  const { el } = Page,
    bar = Page.id("tabs");
  for (const [key, title] of VIEWS)
    bar.append(
      el(
        "a",
        {
          href: `#view=${key}`,
          "data-view": key,
          onclick: (event) => {
            event.preventDefault();
            Select.set({ view: key });
          },
        },
        title,
      ),
    );
  Select.listen((changed, { view }) => {
    if (!changed.has("view")) return;
    Page.tip(null);
    for (const tab of bar.children) {
      tab.toggleAttribute("aria-current", tab.dataset.view === view);
      if (tab.dataset.view === view) {
        tab.setAttribute("aria-current", "page");
        tab.scrollIntoView({ block: "nearest", inline: "nearest" });
      }
    }
    for (const [key] of VIEWS) Page.id(`view-${key}`).hidden = key !== view;
    document.body.dataset.view = view;
  });
  // 1 to 7, where nothing is being typed.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const view = VIEWS[+event.key - 1];
    if (view) Select.set({ view: view[0] });
    else if (event.key === "Escape" && !event.target.closest(".flame") && Select.chosen.task) Select.set({ task: 0 });
  });
}

async function main() {
  theme();
  try {
    Page.data = await Data.read(Page.id("data"));
  } catch (error) {
    Page.id("state").textContent = `This report can't be read: ${error}`;
    throw error;
  }
  Page.id("program").textContent = Page.data.about.program;
  tabs();
  for (const [key, , view] of VIEWS) view.make(Page.id(`view-${key}`));
  Task.make(Page.id("drawer"));
  Paper.make(Page.id("paper"));
  Page.id("state").remove();
  Select.set({ ...Select.home(), view: "" });
  Select.set({ view: "summary" });
  Select.read();
  window.addEventListener("hashchange", Select.read);
  document.body.dataset.ready = "yes";
  performance.mark("ready");
}
main();
