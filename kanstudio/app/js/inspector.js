// The right side: the edge or node that is selected, else the model as a whole.

function factRows(facts) {
  return h("dl", { class: "facts" }, ...facts.flatMap(([name, value]) =>
    [h("dt", {}, name), h("dd", {}, value)]));
}

const REST_MS = 400;

// A slider and a number for one of a, b, c and d. The curve follows the slider at once; what
// it rests at, or a number that is entered, becomes an edit.
function affineRow(letter, tell) {
  let shown = 0, due = 0;
  const short = (value) => String(Number(value.toPrecision(6)));
  const active = (input) => input.getRootNode().activeElement === input;
  const number = h("input", { type: "number", step: "any", "aria-label": letter });
  const slider = h("input", { type: "range", step: "any", "aria-label": `Slide ${letter}` });
  slider.addEventListener("input", () => {
    const value = Number(slider.valueAsNumber.toPrecision(4));
    number.value = value;
    tell("try", value)();
    clearTimeout(due);
    due = setTimeout(tell("affine", value), REST_MS);
  });
  number.addEventListener("change", () =>
    tell("affine", Number.isFinite(number.valueAsNumber) ? number.valueAsNumber : null)());
  number.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || number.value === short(shown)) return;
    // The first Escape takes back what is typed, the next one the selection.
    event.stopPropagation();
    number.value = short(shown);
  });
  const show = (value, other, wrong) => {
    shown = value;
    number.setAttribute("aria-invalid", String(wrong));
    if (other || !(wrong || active(number))) number.value = short(value);
    if (!other && active(slider)) return;
    const reach = Math.max(1, Math.abs(value));
    slider.min = value - reach;
    slider.max = value + reach;
    slider.value = value;
  };
  return { parts: [h("span", { "aria-hidden": "true" }, letter), slider, number], show };
}

function affineBox(send) {
  let edge = "";
  const rows = ["a", "b", "c", "d"].map((letter) => affineRow(letter, (kind, value) => {
    const data = { edge, letter, value };
    return () => send(kind, data);
  }));
  const box = h("div", { class: "affine" }, ...rows.flatMap((row) => row.parts));
  const show = (now, wrong) => {
    box.hidden = !now.affine;
    rows.forEach((row, index) => {
      if (now.affine) row.show(now.affine[index], now.edge !== edge, "abcd"[index] === wrong);
    });
    edge = now.edge;
  };
  return { box, show };
}

// Functions that the edge looks like, the best first; a click makes it that function.
function looksBox(fix) {
  const body = h("tbody", {});
  const table = h("table", { class: "looks" }, h("thead", {}, h("tr", {},
    ...["Function", "R²", "Complexity", ""].map((text) => h("th", { scope: "col" }, text)))), body);
  const note = h("p", { class: "muted small" });
  const box = h("section", { class: "guess", "aria-label": "Looks like" }, h("h3", {}, "Looks like"), table, note);
  let shown = "";
  const show = (now) => {
    box.hidden = !now;
    if (!now) return;
    setText(note, now.note);
    note.hidden = !now.note;
    table.hidden = !now.rows.length;
    const key = JSON.stringify(now.rows);
    if (key === shown) return;
    shown = key;
    body.replaceChildren(...now.rows.map((row) => h("tr", {},
      h("th", { scope: "row" }, row.function), h("td", {}, row.r2), h("td", {}, row.c),
      h("td", {}, button("Fix", { class: "small-button", "aria-label": `Fix as ${row.function}`,
        onclick: () => fix(row.key) })))));
  };
  return { box, show };
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
  const top = h("div", { class: "sections" });
  const body = h("div", { class: "sections" });
  const typed = (label) => field(label, h("input", { type: "text", maxlength: 80,
    spellcheck: "false", autocomplete: "off", autocapitalize: "off" }));
  const [name, low, high] = [typed("Name"), typed("From"), typed("To")];
  const input = (one) => one.querySelector("input");
  const span = h("div", { class: "duo", role: "group", "aria-label": "Range" }, low, high);
  const wrong = h("p", { class: "error", role: "alert", hidden: true });
  const edits = h("div", { class: "edits", hidden: true }, name, span);
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
  const affine = affineBox(send);
  const looks = looksBox((name) => send("fix", { name }));
  const remove = button("", { onclick: () => send("remove", { id: removal.dataset.id }) });
  const removal = h("div", { class: "actions", hidden: true }, remove);
  let edge = {};
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
    edge = state.edge || {};
    affine.show(edge, (state.refused || {}).field);
    looks.show(state.looks);
    const { what, id } = state.remove || {};
    removal.hidden = !what;
    removal.dataset.id = id || "";
    setText(remove, `Remove ${what}`);
    figure.hidden = !state.curve;
    legend.hidden = !state.curve;
    for (const key of keys)
      key.hidden = !["samples", ...(state.fronts || [])].some((kind) => key.classList.contains(kind));
    costs.show(state.costs || [], state.strategy);
    const sections = state.sections || [];
    const key = JSON.stringify(sections);
    if (key === shown) return;
    shown = key;
    const made = sections.map((section) => {
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
      return h("section", { "data-section": section.title }, ...parts);
    });
    // What can be edited stands still between the parts that are made anew.
    const first = sections.findIndex((section) => section.affine) + 1;
    top.replaceChildren(...made.slice(0, first));
    body.replaceChildren(...made.slice(first));
  });
  return h("div", { class: "inspect" }, h("header", {}, title, clear), subtitle, edits, figure, legend, top,
    affine.box, wrong, looks.box, body, removal, big);
}
