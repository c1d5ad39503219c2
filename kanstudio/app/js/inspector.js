// The right side: the edge or node that is selected, else the model as a whole.

function factRows(facts) {
  return h("dl", { class: "facts" }, ...facts.flatMap(([name, value]) =>
    [h("dt", {}, name), h("dd", {}, value)]));
}

export function render({ model }) {
  const send = sender(model);
  const title = h("h2", {});
  const clear = button("", { "aria-label": "Clear the selection", title: "Clear the selection (Esc)",
    class: "quiet", onclick: () => send("clear") }, icon("close", 14));
  const subtitle = h("p", { class: "subtitle" });
  const figure = h("div", { class: "figure" }, model.get_child("figure"));
  const keys = [["symbolic", "symbolic"], ["spline", "spline"], ["total", "sum"], ["samples", "data"]]
    .map(([kind, text]) => h("span", { class: `key ${kind}` }, h("i", {}), text));
  const legend = h("p", { class: "legend" }, ...keys);
  const body = h("div", { class: "sections" });
  const typed = (label) => field(label, h("input", { type: "text", maxlength: 80,
    spellcheck: "false", autocomplete: "off", autocapitalize: "off" }));
  const [name, low, high] = [typed("Name"), typed("From"), typed("To")];
  const input = (one) => one.querySelector("input");
  const span = h("div", { class: "duo", role: "group", "aria-label": "Range" }, low, high);
  const wrong = h("p", { class: "error", role: "alert", hidden: true });
  const edits = h("div", { class: "edits", hidden: true }, name, span, wrong);
  let edit = {};
  input(name).addEventListener("change", () =>
    send("rename", { old: edit.name, name: input(name).value }));
  for (const one of [low, high]) input(one).addEventListener("change", () =>
    send("range", { name: edit.name, low: input(low).value, high: input(high).value }));
  edits.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    // The first Escape takes back what is typed, the next one the selection.
    const fields = [[name, edit.name], ...(edit.range ? [[low, edit.range[0]], [high, edit.range[1]]] : [])];
    if (fields.every(([one, value]) => input(one).value === value)) return;
    event.stopPropagation();
    for (const [one, value] of fields) input(one).value = value;
    showEdit(edit, {});
  });
  let lastEdit = "";
  const showEdit = (now, refused) => {
    edit = now || {};
    edits.hidden = !now;
    span.hidden = !edit.range;
    const key = JSON.stringify(now || null);
    if (key !== lastEdit) {
      lastEdit = key;
      input(name).value = edit.name || "";
      for (const [one, value] of [[low, 0], [high, 1]]) input(one).value = edit.range?.[value] ?? "";
    }
    const field = (refused || {}).field;
    input(name).setAttribute("aria-invalid", String(field === "name"));
    for (const one of [low, high]) input(one).setAttribute("aria-invalid", String(field === "range"));
    wrong.hidden = !field;
    setText(wrong, (refused || {}).text || "");
  };
  const costs = costTable((strategy) => send("strategy", { name: strategy }));
  const bigTitle = h("h2", {});
  const bigMath = h("div", { class: "math" });
  const big = h("div", { class: "popover big", role: "dialog", popover: "auto", tabindex: -1,
    "data-focus": true }, bigTitle, bigMath);
  const enlarge = (section, near) => {
    setText(bigTitle, section.title);
    big.setAttribute("aria-label", section.title);
    const at = near.getBoundingClientRect();
    place(big, at, { align: "end" });
    // Only what is shown has a width, and only what is typeset has a height.
    showMath(bigMath, section.latex).then(() => place(big, at, { align: "end" }));
    big.focus();
  };
  let shown = "";

  bind(model, (state) => {
    setText(title, state.title || "");
    setText(subtitle, state.subtitle || "");
    subtitle.hidden = !state.subtitle;
    clear.hidden = !state.selected;
    showEdit(state.edit, state.refused);
    figure.hidden = !state.curve;
    legend.hidden = !state.curve;
    for (const key of keys)
      key.hidden = !["samples", ...(state.fronts || [])].some((kind) => key.classList.contains(kind));
    costs.show(state.costs || [], state.strategy);
    const sections = state.sections || [];
    const key = JSON.stringify(sections);
    if (key === shown) return;
    shown = key;
    body.replaceChildren(...sections.map((section) => {
      const parts = [];
      if (section.latex?.length) {
        const math = h("div", { class: "math" });
        parts.push(h("header", {}, h("h3", {}, section.title), button("", { class: "quiet",
          "aria-label": `Enlarge: ${section.title}`, title: "Enlarge",
          onclick: (event) => enlarge(section, event.currentTarget) }, icon("enlarge", 13))), math);
        requestAnimationFrame(() => showMath(math, section.latex));
      } else if (section.title) parts.push(h("h3", {}, section.title));
      for (const note of section.notes || []) parts.push(h("p", { class: "muted small" }, note));
      if (section.costs) parts.push(costs.table);
      if (section.facts) parts.push(factRows(section.facts));
      if (section.text) parts.push(h("p", { class: "muted" }, section.text));
      return h("section", {}, ...parts);
    }));
  });
  return h("div", { class: "inspect" }, h("header", {}, title, clear), subtitle, edits, figure, legend, body, big);
}
