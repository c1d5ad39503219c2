// The left side: how far the work is, perturbation, colours, history.

function stepRow(send) {
  const mark = h("span", { class: "mark", "aria-hidden": "true" });
  const name = h("span", {});
  const detail = h("span", { class: "detail" });
  let key = "";
  const row = link({ class: "step" }, () => send("step", { key }), mark, h("span", { class: "words" }, name, detail));
  return { row, set: (step, index) => {
    key = row.dataset.key = step.key;
    row.className = `step ${step.status}`;
    row.setAttribute("aria-current", step.status === "next" ? "step" : "false");
    if (step.status === "done") mark.replaceChildren(icon("check", 12));
    else mark.replaceChildren(String(index + 1));
    setText(name, step.title);
    setText(detail, step.detail || "");
    row.setAttribute("aria-label",
      `${step.title}, ${{ done: "done", next: "next", open: "not yet" }[step.status]}`);
  } };
}

export function render({ model }) {
  const send = sender(model);
  const steps = h("div", { class: "steps" });
  const rows = [];

  const perturb = radios("Perturb", [["off", "Off"], ["minimal", "Minimal"], ["all", "All"],
    ["non-intrusive", "Non-intrusive"]], (mode) => send("perturb", {
    mode, magnitude: magnitude.valueAsNumber, seed: seed.valueAsNumber }));
  perturb.group.classList.add("two");
  const magnitude = h("input", { type: "number", min: 0, step: "any" });
  const seed = h("input", { type: "number", min: 0, step: 1 });
  let mode = "off";
  for (const input of [magnitude, seed]) input.addEventListener("change", () => {
    send("magnitude", { mode, magnitude: magnitude.valueAsNumber, seed: seed.valueAsNumber });
  });

  const colour = radios("Colour by", [["front", "Front"], ["forward", "Forward"],
    ["attribution", "Attribution"]], (metric) => send("colour", { metric }));
  colour.group.classList.add("rows");
  // The slider moves the exponent: contrast from 0.1 to 1000.
  const slider = h("input", { type: "range", min: -1, max: 3, step: 0.05, "aria-label": "Contrast" });
  const beta = h("input", { type: "number", min: 0.01, max: 100000, step: "any" });
  slider.addEventListener("input", () => {
    const value = Number((10 ** slider.valueAsNumber).toPrecision(3));
    beta.value = value;
    send("contrast", { beta: value });
  });
  beta.addEventListener("change", () => send("contrast", { beta: beta.valueAsNumber }));

  const history = h("ol", { class: "history", start: 0 });
  const historyBox = h("section", { role: "region", "aria-label": "History", class: "group grow" },
    h("h2", {}, "History"), history);

  let shown = "";
  let refused = 0;
  bind(model, (state) => {
    const list = state.steps || [];
    while (rows.length < list.length) {
      const row = stepRow(send);
      rows.push(row);
      steps.append(row.row);
    }
    list.forEach((step, index) => rows[index].set(step, index));
    const now = state.perturb || {};
    mode = now.mode || "off";
    perturb.set(mode);
    setValue(magnitude, now.magnitude);
    setValue(seed, now.seed);
    colour.set((state.colour || {}).metric);
    setValue(beta, (state.colour || {}).beta);
    if ((state.refused || 0) !== refused) {
      refused = state.refused;
      // What was refused leaves its field, even while the person is still there.
      for (const [input, value] of [[magnitude, now.magnitude], [seed, now.seed],
        [beta, (state.colour || {}).beta]]) input.value = value;
    }
    if (slider.getRootNode().activeElement !== slider)
      slider.value = Math.log10((state.colour || {}).beta || 3);
    const entries = JSON.stringify(state.history || {});
    if (entries !== shown) {
      shown = entries;
      const { labels = [], position = 0 } = state.history || {};
      history.replaceChildren(...labels.map((label, index) => h("li", {}, link({
        class: index > position ? "entry undone" : "entry",
        "aria-current": index === position ? "true" : null,
        title: label.length > 24 ? label : null,
      }, () => send("jump", { position: index }), h("span", { class: "index" }, String(index)), h("span", { class: "label" }, label)))));
      // Only the list scrolls, not what stands around it.
      const at = history.children[position]?.getBoundingClientRect();
      const box = history.getBoundingClientRect();
      if (at) history.scrollTop += Math.max(0, at.bottom - box.bottom) + Math.min(0, at.top - box.top);
    }
  });
  return h("div", { class: "side" },
    h("section", { class: "group", "aria-label": "Workflow" }, h("h2", {}, "Workflow"), steps),
    h("section", { class: "group" }, h("h2", {}, "Perturb"), perturb.group,
      h("div", { class: "duo" }, field("Magnitude", magnitude), field("Seed", seed))),
    h("section", { class: "group" }, h("h2", {}, "Colour by"), colour.group,
      h("div", { class: "contrast" }, field("Contrast β", beta), slider)),
    historyBox);
}
