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
  const legend = h("p", { class: "legend" },
    ...[["symbolic", "symbolic"], ["spline", "spline"], ["total", "total"], ["samples", "data"]].map(
      ([kind, text]) => h("span", { class: `key ${kind}` }, h("i", {}), text)));
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
  let shown = "";

  bind(model, (state) => {
    setText(title, state.title || "");
    setText(subtitle, state.subtitle || "");
    subtitle.hidden = !state.subtitle;
    clear.hidden = !state.selected;
    showEdit(state.edit, state.refused);
    figure.hidden = !state.curve;
    legend.hidden = !state.curve;
    costs.show(state.costs || [], state.strategy);
    const sections = state.sections || [];
    const key = JSON.stringify(sections);
    if (key === shown) return;
    shown = key;
    body.replaceChildren(...sections.map((section) => {
      const parts = [section.title ? h("h3", {}, section.title) : null];
      if (section.latex?.length) {
        const math = h("div", { class: "math" });
        const lines = section.latex.map((latex) => {
          const line = h("div", {});
          return [line, typeset(line, latex, true)];
        });
        math.append(...lines.map(([line]) => line));
        Promise.all(lines.map(([, done]) => done)).then(() => {
          // Long formulas shrink by a third before they scroll.
          const wide = math.scrollWidth / Math.max(1, math.clientWidth - 1);
          if (wide > 1) math.style.fontSize = `${Math.max(0.65, 0.98 / wide)}em`;
        });
        parts.push(math);
      }
      for (const note of section.notes || []) parts.push(h("p", { class: "muted small" }, note));
      if (section.costs) parts.push(costs.table);
      if (section.facts) parts.push(factRows(section.facts));
      if (section.text) parts.push(h("p", { class: "muted" }, section.text));
      return h("section", {}, ...parts);
    }));
  });
  return h("div", { class: "inspect" }, h("header", {}, title, clear), subtitle, edits, figure, legend, body);
}
