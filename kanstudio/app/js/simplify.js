// The cards of the last two steps: what would be pruned, what splines look like.

function prunePane(send) {
  const names = [["edge", "Edge threshold"], ["node", "Node threshold"]];
  const inputs = {}, sliders = {};
  const tell = () => send("thresholds", {
    edge: inputs.edge.valueAsNumber, node: inputs.node.valueAsNumber });
  const rows = names.map(([name, label]) => {
    const number = inputs[name] = h("input", { type: "number", min: 0, step: "any" });
    // The slider moves the exponent, from 0.0001 to 1.
    const slider = sliders[name] = h("input", { type: "range", min: -4, max: 0, step: 0.05,
      "aria-label": `Slide ${label.toLowerCase()}` });
    slider.addEventListener("input", () => {
      number.value = Number((10 ** slider.valueAsNumber).toPrecision(2));
      tell();
    });
    number.addEventListener("change", tell);
    return h("div", { class: "contrast" }, field(label, number), slider);
  });
  inputs.edge.setAttribute("data-focus", "");
  const facts = h("dl", { class: "facts", "aria-live": "polite" });
  const waiting = h("p", { class: "muted" }, "Working it out …");
  const pane = h("div", { class: "pane" }, h("p", { class: "muted" },
    "Takes away the nodes and edges whose attribution is below these. What they contribute on average stays in a bias. What goes is faded in the picture."),
  ...rows, facts, waiting);
  const show = (state, wrong) => {
    for (const [name] of names) {
      if (wrong !== name) setValue(inputs[name], state[name]);
      inputs[name].setAttribute("aria-invalid", String(wrong === name));
      if (sliders[name].getRootNode().activeElement !== sliders[name])
        sliders[name].value = Math.log10(Math.max(state[name], 1e-4));
    }
    waiting.hidden = Boolean(state.facts || state.error);
    facts.replaceChildren(...(state.facts || []).flatMap(([name, value]) =>
      [h("dt", {}, name), h("dd", {}, value)]));
  };
  return { pane, show, words: () => "Prune", ready: (state) => state.ready };
}

function symbolifyPane(send) {
  const r2 = h("input", { type: "number", max: 1, step: "any", "data-focus": true });
  const library = h("select", {});
  options(library, [["common", "Common"], ["all", "All"]], "common");
  r2.addEventListener("change", () => send("r2", { value: r2.valueAsNumber }));
  library.addEventListener("change", () => send("library", { name: library.value }));
  const body = h("tbody", {});
  const table = h("div", { class: "guesses" }, h("table", { class: "looks" }, h("thead", {}, h("tr", {},
    ...["Edge", "Looks like", "R²"].map((text) => h("th", { scope: "col" }, text)))), body));
  const waiting = h("p", { class: "muted" });
  const pane = h("div", { class: "pane" }, h("p", { class: "muted" },
    "Every spline that looks enough like a function becomes that function; the others stay."),
  h("div", { class: "duo" }, field("R² at least", r2), field("Functions", library)), table, waiting);
  const show = (state, wrong) => {
    if (wrong !== "r2") setValue(r2, state.r2);
    r2.setAttribute("aria-invalid", String(wrong === "r2"));
    library.value = state.library;
    const rows = state.rows || [];
    table.hidden = !rows.length;
    setText(waiting, state.note || "");
    waiting.hidden = !state.note;
    body.replaceChildren(...rows.map((row) => h("tr", { class: row.good ? "good" : "low" },
      h("th", { scope: "row" }, link({ title: "Show this edge" }, () => send("select", { edge: row.id }), row.edge)),
      h("td", {}, row.good ? row.function : `${row.function} · stays`), h("td", {}, row.r2))));
  };
  const words = (state) => `Fix ${state.count} edge${state.count === 1 ? "" : "s"}`;
  return { pane, show, words, ready: (state) => state.count > 0 };
}

export function render({ model }) {
  const send = sender(model);
  const panes = { prune: prunePane(send), symbolify: symbolifyPane(send) };
  const title = h("h2", {});
  const note = h("p", { class: "muted", hidden: true });
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const apply = button("", { class: "primary", onclick: () => send("apply") });
  const actions = h("div", { class: "actions" }, apply);
  const close = button("", { "aria-label": "Close", title: "Close (Esc)", class: "quiet",
    onclick: () => send("close") }, icon("close", 14));
  const card = h("div", { class: "simplify-box", role: "dialog", hidden: true },
    h("header", {}, title, close), note, ...Object.values(panes).map((one) => one.pane), error,
    actions);
  let opened = 0;
  let from = null;
  card.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      send("close");
    } else if (event.key === "Enter" && event.target.tagName === "INPUT") {
      event.preventDefault();
      event.target.blur();
      apply.focus();
    }
  });

  bind(model, (state) => {
    const kind = panes[state.kind] ? state.kind : "";
    for (const [name, one] of Object.entries(panes)) one.pane.hidden = name !== kind || Boolean(state.note);
    // Back to the step that opened it, unless the person has gone elsewhere.
    if (!kind && card.contains(focused())) from?.focus();
    card.hidden = !kind;
    if (!kind) return;
    const pane = panes[kind], now = state[kind] || {};
    const name = kind === "prune" ? "Prune" : "Symbolify";
    setText(title, name);
    card.setAttribute("aria-label", name);
    note.hidden = !state.note;
    setText(note, state.note || "");
    pane.show(now, state.wrong);
    setText(apply, pane.words(now));
    actions.hidden = Boolean(state.note);
    apply.disabled = !pane.ready(now);
    error.hidden = !now.error;
    setText(error, now.error || "");
    if (state.opened > opened) {
      opened = state.opened;
      from = focused();
      card.querySelector(".pane:not([hidden]) [data-focus]")?.focus();
    }
  });
  return card;
}
