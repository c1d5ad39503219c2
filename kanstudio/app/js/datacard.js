// Where the samples come from: drawn from the formula, or the columns of a file.

const CHUNK = 512 * 1024;

function base64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192)
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

// A column for each name: its namesake, else the one at its place, else the next that is
// left; null where there are too few. No column is taken twice.
function assign(names, columns) {
  const free = new Set(columns);
  const take = (column) => (free.delete(column) ? column : null);
  const chosen = names.map(take);
  return chosen.map((column, i) => column ?? take(columns[i])
    ?? take(columns.slice(i).find((one) => free.has(one)) ?? [...free][0]));
}

export function render({ model }) {
  const send = sender(model);
  const source = radios("Data source", [["formula", "From the formula"], ["file", "From a file"]],
    (kind) => show(kind));
  const error = h("p", { class: "error", role: "alert", hidden: true });

  const bound = (value, label) => h("input", { type: "text", value, "aria-label": label,
    maxlength: 80, spellcheck: "false", autocomplete: "off" });
  const rangeRow = (name, low, high) => h("div", { class: "range" }, name, low,
    h("span", { class: "muted" }, "to"), high);
  const ranges = h("div", { class: "ranges" });
  const every = [["low", "from"], ["high", "to"]].map(([side, word]) => {
    const input = bound("", `Range of all inputs, ${word}`);
    input.placeholder = word;
    input.addEventListener("input", () => {
      for (const row of rows) row[side].value = input.value;
    });
    return input;
  });
  const all = rangeRow(h("span", { class: "muted" }, "All inputs"), ...every);
  all.classList.add("all");
  const sizes = {};
  for (const [name, props] of Object.entries({
    n_train: { min: 1, step: 1 }, n_test: { min: 1, step: 1 },
    noise: { min: 0, step: "any" }, seed: { min: 0, step: 1 },
  })) sizes[name] = h("input", { type: "number", ...props });
  const draw = button("Draw samples", { class: "primary", onclick: () => send("draw", {
    lows: rows.map((row) => row.low.value), highs: rows.map((row) => row.high.value),
    n_train: sizes.n_train.valueAsNumber, n_test: sizes.n_test.valueAsNumber,
    noise: sizes.noise.valueAsNumber, seed: sizes.seed.valueAsNumber,
  }) });
  const noFormula = h("p", { class: "muted", hidden: true }, "This network came without a formula.");
  const outside = h("p", { class: "muted", hidden: true });
  const fromFormula = h("div", { class: "pane" },
    h("p", { class: "muted" }, "Each input has its own range. Numbers and such as 2*pi or sqrt(2)."),
    all, ranges, outside, h("div", { class: "grid2" },
      field("Training samples", sizes.n_train), field("Test samples", sizes.n_test),
      field("Noise", sizes.noise), field("Seed", sizes.seed)), noFormula,
    h("div", { class: "actions" }, draw));
  fromFormula.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.tagName === "INPUT") draw.click();
  });
  let rows = [];

  const file = h("input", { type: "file", accept: ".csv,.tsv,.txt,.parquet,.safetensors", "aria-label": "Data file" });
  const drop = h("label", { class: "drop" }, icon("open", 18),
    h("span", {}, "Choose or drop data (CSV, Parquet) or a model file"), file);
  const about = h("p", { class: "muted" });
  const columns = h("div", { class: "columns" });
  const share = h("input", { type: "number", min: 0.01, max: 0.99, step: "any", value: 0.2 });
  const fileSeed = h("input", { type: "number", min: 0, step: 1, value: 0 });
  const use = button("Use this file", { class: "primary", onclick: () => send("table", {
    inputs: mapping.inputs.map((select) => select.value),
    outputs: mapping.outputs.map((select) => select.value),
    test_fraction: share.valueAsNumber, seed: fileSeed.valueAsNumber,
  }) });
  const table = h("div", { class: "pane", hidden: true }, columns,
    h("div", { class: "grid2" }, field("Share for testing", share), field("Split seed", fileSeed)),
    h("div", { class: "actions" }, use));
  const fromFile = h("div", { class: "pane", hidden: true }, drop, about, table);
  let mapping = { inputs: [], outputs: [] };

  const card = h("div", { class: "popover data-card", role: "dialog", "aria-label": "Data",
    popover: "auto" }, h("h2", {}, "Data"), source.group, fromFormula, fromFile, error);

  function show(kind) {
    source.set(kind);
    fromFormula.hidden = kind !== "formula";
    fromFile.hidden = kind !== "file";
  }

  async function upload(chosen) {
    if (!chosen) return;
    error.hidden = true;
    setText(about, `Reading ${chosen.name} …`);
    if (chosen.size > (model.state.limit || 0)) {
      setText(about, `${chosen.name} has ${Math.ceil(chosen.size / 2 ** 20)} MB; the limit is ${Math.floor(model.state.limit / 2 ** 20)} MB.`);
      return;
    }
    const bytes = new Uint8Array(await chosen.arrayBuffer());
    // Pieces, since one message may not be large.
    for (let at = 0; at === 0 || at < bytes.length; at += CHUNK)
      send("piece", { name: chosen.name, size: bytes.length, at,
        base64: base64(bytes.subarray(at, at + CHUNK)) });
  }
  file.addEventListener("change", () => { upload(file.files[0]); file.value = ""; });
  drop.addEventListener("dragover", (event) => event.preventDefault());
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    upload(event.dataTransfer.files[0]);
  });

  let shownRanges = "";
  let shownTable = "";
  let opened = 0;
  bind(model, (state) => {
    const key = JSON.stringify([state.ranges, state.spec]);
    if (key !== shownRanges) {
      shownRanges = key;
      rows = (state.ranges || []).map(([name, low, high]) => ({ name,
        low: bound(low, `Range of ${name}, from`), high: bound(high, `Range of ${name}, to`) }));
      ranges.replaceChildren(...rows.map((row) =>
        rangeRow(h("code", { title: row.name }, row.name), row.low, row.high)));
      for (const input of every) input.value = "";
      all.hidden = rows.length < 2;
      for (const [name, input] of Object.entries(sizes)) setValue(input, (state.spec || {})[name]);
    }
    rows.forEach((row, index) => {
      for (const input of [row.low, row.high])
        input.setAttribute("aria-invalid", String(index === state.wrong));
      if (index === state.wrong) row.low.scrollIntoView({ block: "nearest" });
    });
    outside.hidden = !state.outside;
    setText(outside, state.outside ? `${state.outside}.` : "");
    noFormula.hidden = state.hasFormula !== false;
    draw.disabled = state.hasFormula === false;
    const shape = JSON.stringify([state.table, state.inputs, state.outputs]);
    if (shape !== shownTable) {
      shownTable = shape;
      const found = state.table;
      table.hidden = !found;
      setText(about, found ? found.about : "");
      const pick = (label, column) => {
        const select = h("select", {});
        const names = found.columns.map((name) => [name, name]);
        options(select, column == null ? [["", "–"], ...names] : names, column ?? "");
        return [select, field(label, select)];
      };
      if (found) {
        const chosen = assign([...state.inputs, ...state.outputs], found.columns);
        const ins = state.inputs.map((name, i) => pick(`Input ${name}`, chosen[i]));
        const outs = state.outputs.map((name, i) =>
          pick(`Output ${name}`, chosen[state.inputs.length + i]));
        mapping = { inputs: ins.map(([s]) => s), outputs: outs.map(([s]) => s) };
        columns.replaceChildren(...[...ins, ...outs].map(([, row]) => row));
      }
    }
    error.hidden = !state.error;
    setText(error, state.error || "");
    if (state.error) setText(about, state.table ? state.table.about : "");
    const open = state.open || {};
    if (open.count > opened) {
      opened = open.count;
      show(open.kind || "formula");
      const at = { left: open.x, right: open.x, top: open.y, bottom: open.y };
      place(card, at, { above: true, align: "start" });
    }
    if (open.count < 0 && card.matches(":popover-open")) card.hidePopover();
    if (state.closed && state.closed !== card.dataset.closed) {
      card.dataset.closed = state.closed;
      if (card.matches(":popover-open")) card.hidePopover();
    }
  });
  return card;
}
