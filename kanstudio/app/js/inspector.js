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
  let shown = "";

  bind(model, (state) => {
    setText(title, state.title || "");
    setText(subtitle, state.subtitle || "");
    subtitle.hidden = !state.subtitle;
    clear.hidden = !state.selected;
    figure.hidden = !state.curve;
    legend.hidden = !state.curve;
    const sections = state.sections || [];
    const key = JSON.stringify(sections);
    if (key === shown) return;
    shown = key;
    body.replaceChildren(...sections.map((section) => {
      const parts = [section.title ? h("h3", {}, section.title) : null];
      if (section.latex) {
        const math = h("div", { class: "math" });
        typeset(math, section.latex, true).then(() => {
          // Long formulas shrink to half before they scroll.
          const wide = math.scrollWidth / Math.max(1, math.clientWidth - 1);
          if (wide > 1) math.style.fontSize = `${Math.max(0.55, 0.98 / wide)}em`;
        });
        parts.push(math);
      }
      if (section.facts) parts.push(factRows(section.facts));
      if (section.text) parts.push(h("p", { class: "muted" }, section.text));
      return h("section", {}, ...parts);
    }));
  });
  return h("div", { class: "inspect" }, h("header", {}, title, clear), subtitle, figure, legend, body);
}
