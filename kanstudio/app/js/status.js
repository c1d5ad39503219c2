// The status line. Its data attributes are facts for machines, kept stable for tests.

export function render({ model }) {
  const send = sender(model);
  const dot = h("span", { class: "dot", "aria-hidden": "true" });
  const state_ = h("span", { class: "state" });
  const facts = h("span", { class: "facts" });
  const kept = h("span", { class: "right", title: "Export, Model file keeps the network and its formula" });
  const keys = button("Keys", { class: "quiet-text", title: "Show the keys (?)", onclick: () =>
    line.dispatchEvent(new CustomEvent("ks-keys", { bubbles: true, composed: true })) },
  icon("keys", 15), "Keys");
  const tour = button("Tour", { class: "quiet-text", title: "Start the guided tour", hidden: true,
    onclick: () => send("tour") });
  const line = h("div", { id: "kanstudio-status", role: "status", "aria-label": "Status",
    "aria-live": "off", class: "statusline" }, dot, state_, facts, kept, tour, keys);
  bind(model, (state) => {
    for (const [key, value] of Object.entries(state.data || {})) {
      const text = value == null ? "" : String(value);
      if (line.getAttribute(`data-${key}`) !== text) line.setAttribute(`data-${key}`, text);
    }
    const { state: now } = state.data || {};
    dot.className = `dot ${now === "error" ? "failed" : now || ""}`;
    setText(state_, state.text || "");
    const texts = state.facts || [];
    while (facts.children.length > texts.length) facts.lastChild.remove();
    texts.forEach((text, index) => {
      if (!facts.children[index]) facts.append(h("span", {}));
      setText(facts.children[index], text);
    });
    setText(kept, state.kept || "");
    tour.hidden = !state.tour;
  });
  whenLost(model, () => {
    line.setAttribute("data-state", "error");
    dot.className = "dot failed";
    setText(state_, "Offline");
  });
  return line;
}
