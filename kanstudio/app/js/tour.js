// The guided tour: an offer on the first visit, then step by step, each at its control.

// Where each step happens, the first that can be seen; what is open comes before what opens it.
const TARGETS = {
  compile: ["textarea.formula"],
  expand: [".level-card:popover-open .widen", '.hit[aria-label^="Layer 1"]'],
  perturb: ['[aria-label="Perturb"]'],
  train: ['[data-act="train"]:not(:disabled)', '[data-act="stop"]'],
  prune: ['.simplify-box[aria-label="Prune"]:not([hidden]) .primary', '.step[data-key="prune"]'],
  symbolify: ['.simplify-box[aria-label="Symbolify"]:not([hidden]) .primary', '.step[data-key="symbolify"]'],
  read: ['[data-section="Formula now"]'],
};
const SEEN = "kanstudio-tour";
const LOOK_MS = 200;

function seek(root, selector) {
  const here = root.querySelector(selector);
  if (here && here.getClientRects().length) return here;
  for (const node of root.querySelectorAll("*")) {
    const found = node.shadowRoot && seek(node.shadowRoot, selector);
    if (found) return found;
  }
  return null;
}

// Marks the control of a step, which may be made anew at any moment.
function pointer() {
  let marked = null, timer = 0;
  const find = (step) => {
    for (const selector of TARGETS[step] || []) {
      const found = seek(document, selector);
      if (found) return found;
    }
    return null;
  };
  const mark = (node) => {
    if (node === marked) return;
    marked?.removeAttribute("data-tour");
    node?.setAttribute("data-tour", "");
    marked = node;
  };
  const at = (step) => {
    clearInterval(timer);
    mark(find(step));
    if (step) timer = setInterval(() => mark(find(step)), LOOK_MS);
  };
  const go = () => {
    const control = marked?.matches("a, button, input, textarea, select") ? marked
      : marked?.querySelector('[tabindex="0"], button:not([tabindex="-1"]), input');
    marked?.scrollIntoView({ block: "nearest" });
    control?.focus();
  };
  return { at, go };
}

export function render({ model }) {
  const send = sender(model);
  const memory = {
    get seen() { try { return localStorage.getItem(SEEN); } catch { return "unknown"; } },
    keep() { try { localStorage.setItem(SEEN, "1"); } catch { /* a private window asks again */ } },
  };
  const title = h("h2", {});
  const count = h("span", { class: "muted small" });
  const text = h("p", {});
  const wait = h("p", { class: "muted small", hidden: true });
  const close = button("", { class: "quiet", onclick: () => { memory.keep(); send("leave"); } }, icon("close", 14));
  const start = button("Start the tour", { class: "primary", onclick: () => { memory.keep(); send("start"); } });
  const next = button("", { class: "primary", onclick: () => send("next") });
  const there = button("Go there", { title: "Move the focus to what this is about", onclick: () => point.go() });
  const card = h("section", { class: "tour-box", "aria-label": "Guided tour", hidden: true },
    h("header", {}, title, close), h("div", { "aria-live": "polite", class: "pane" }, count, text, wait),
    h("div", { class: "actions" }, there, start, next));
  const point = pointer();
  let shown = "hidden";
  card.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close.click();
  });

  bind(model, (state) => {
    const running = state.mode === "running";
    card.hidden = state.mode === "hidden";
    setText(title, running ? state.title : "New here?");
    setText(count, running ? state.count : "");
    count.hidden = there.hidden = next.hidden = !running;
    start.hidden = running;
    setText(text, running ? state.text
      : "Seven steps through the compiler tutorial: from a formula to a network, and back.");
    setText(next, state.next || "");
    setText(wait, state.wait || "");
    wait.hidden = !running || !state.wait;
    close.setAttribute("aria-label", running ? "Leave the tour" : "No tour");
    close.title = running ? "Leave the tour (Esc)" : "Not now";
    point.at(running ? state.step : "");
    // What started it is gone; the keyboard goes on from here.
    if (running && shown !== "running") next.focus();
    shown = state.mode;
  });
  model.on("remove", () => point.at(""));
  if (!memory.seen) send("new");
  return card;
}
