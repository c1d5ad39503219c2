// The training dock: what starts and stops a run, its settings, its losses, its data.

const NUMBERS = [
  ["learning_rate", "Learning rate", { min: 0, step: "any" }],
  ["steps", "Steps", { min: 1, step: 1 }],
  ["batch", "Batch", { min: 1, step: 1, placeholder: "all" }],
  ["lamb", "Regularisation λ", { min: 0, step: "any" }],
];
const MORE = [
  ["lamb_l1", "L1", { min: 0, step: "any" }],
  ["lamb_entropy", "Entropy", { min: 0, step: "any" }],
  ["lamb_coef", "Coefficients", { min: 0, step: "any" }],
  ["lamb_coefdiff", "Smoothness", { min: 0, step: "any" }],
  ["grid_update_num", "Grid updates", { min: 1, step: 1 }],
  ["stop_grid_update_step", "until step", { min: 0, step: 1 }],
  ["seed", "Batch seed", { min: 0, step: 1 }],
];

export function render({ model }) {
  const send = sender(model);
  const act = (name, label, picture, kind) => button("", { class: kind, onclick: () => send(name) },
    icon(picture, 14), h("span", {}, label));
  const train = act("train", "Train", "play", "primary");
  const pause = act("pause", "Pause", "pause", "");
  const step = act("step", "Step", "step", "");
  const stop = act("stop", "Stop", "stop", "");
  const bar = h("i", {});
  const progress = h("div", { class: "progress", role: "progressbar", "aria-label": "Progress",
    "aria-valuemin": 0 }, bar);
  const counts = h("span", { class: "counts" });
  const error = h("p", { class: "error", role: "alert", hidden: true });

  const setting = (name, input) => {
    const take = () => {
      if (input.type === "number") {
        // What is no number at all reads as empty, which may mean something.
        const value = input.validity.badInput ? "" : input.value === "" ? null : input.valueAsNumber;
        send("setting", { name, value });
      } else if (input.type === "checkbox") send("setting", { name, value: input.checked });
      else send("setting", { name, value: input.value });
    };
    input.addEventListener("change", take);
    return input;
  };
  const inputs = {};
  const numbers = (list) => list.map(([name, label, props]) => {
    inputs[name] = setting(name, h("input", { type: "number", ...props }));
    return field(label, inputs[name]);
  });
  const device = setting("device", h("select", {}));
  const optimizer = setting("optimizer", h("select", {}));
  const dtype = setting("dtype", h("select", {}));
  const metric = setting("reg_metric", h("select", {}));
  const updateGrid = setting("update_grid", h("input", { type: "checkbox" }));
  const affine = setting("affine_trainable", h("input", { type: "checkbox" }));
  const check = (label, input) => h("label", { class: "check" }, input, label);

  const more = button("", {}, icon("tune", 14), "More");
  more.setAttribute("aria-label", "More settings");
  const moreBox = h("div", { class: "popover more", role: "dialog", "aria-label": "More settings" },
    h("h2", {}, "Regularisation"), h("div", { class: "grid2" }, ...numbers(MORE.slice(0, 4)),
      h("div", { class: "span2" }, field("Scores", metric))),
    h("h2", {}, "Grid"), h("div", { class: "grid2" }, h("div", { class: "span2" },
      check("Move the knots to the samples", updateGrid)), ...numbers(MORE.slice(4, 6))),
    h("h2", {}, "Numbers"), h("div", { class: "grid2" }, field("Precision", dtype),
      ...numbers(MORE.slice(6)), h("div", { class: "span2" },
        check("Train scales and biases of nodes", affine))));
  menu(more, moreBox, { align: "end", above: true });

  const data = button("", { class: "data-button" }, icon("data", 14), h("span", { class: "label" }));
  data.addEventListener("click", () => {
    const rect = data.getBoundingClientRect();
    send("data", { x: rect.left, y: rect.top });
  });

  const losses = ["train", "test"].map((name) => {
    const value = h("b", {}, "–");
    return { value, key: h("span", { class: `key loss-${name}` }, h("i", {}), `${name} `, value) };
  });
  const fields = numbers(NUMBERS);
  const empty = h("p", { class: "empty" });
  const chart = h("div", { class: "chart" }, h("div", { class: "chart-head" },
    h("span", { class: "muted" }, "RMSE"), ...losses.map((loss) => loss.key)),
    h("div", { class: "chart-box" }, model.get_child("chart"), empty));

  bind(model, (state) => {
    const run = state.run || {};
    train.title = run.state === "paused" ? "Go on (Space)" : "Train (Space)";
    train.disabled = !run.canTrain;
    pause.disabled = !run.canPause;
    step.disabled = !run.canStep;
    stop.disabled = !run.canStop;
    train.classList.toggle("primary", run.state !== "training");
    pause.classList.toggle("primary", run.state === "training");
    bar.style.transform = `scaleX(${run.share || 0})`;
    progress.classList.toggle("on", run.state === "training" || run.state === "paused");
    progress.setAttribute("aria-valuemax", run.total || 0);
    progress.setAttribute("aria-valuenow", run.step || 0);
    setText(counts, run.text || "");
    setText(losses[0].value, number(run.train));
    setText(losses[1].value, number(run.test));
    error.hidden = !run.error;
    setText(error, run.error || "");
    empty.hidden = run.hasCurve;
    chart.classList.toggle("bare", !run.hasCurve);
    setText(empty, run.hint || "");
    const values = state.settings || {};
    const choices = state.choices || {};
    for (const [name, select] of Object.entries({ device, optimizer, dtype, reg_metric: metric }))
      if (choices[name]) options(select, choices[name], values[name]);
    for (const [name, input] of Object.entries(inputs)) {
      const wrong = (state.wrong || []).includes(name);
      if (!wrong) setValue(input, values[name]);
      input.setAttribute("aria-invalid", String(wrong));
    }
    if (state.rateHint) inputs.learning_rate.placeholder = state.rateHint;
    updateGrid.checked = Boolean(values.update_grid);
    affine.checked = Boolean(values.affine_trainable);
    setText(data.lastChild, state.data || "Data");
    data.setAttribute("aria-label", `Data: ${state.data || ""}`);
  });

  return h("div", { class: "dock-part" },
    h("div", { class: "run" }, h("div", { class: "buttons" }, train, pause, step, stop),
      h("div", { class: "going" }, counts, progress)),
    h("div", { class: "lower" }, chart,
      h("div", { class: "settings" }, h("div", { class: "grid2" }, field("Device", device),
        field("Optimizer", optimizer), ...fields),
      h("div", { class: "pair-row" }, more, data), error)),
    moreBox, h("div", { class: "cards" }, model.get_child("datacard")));
}
