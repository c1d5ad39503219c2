// The training dock: what starts and stops a run, its settings, its losses, its data.

// What is seldom changed stands in a card, its groups in two columns.
const COLUMNS = [["Learning rate", "Early stopping", "Numbers"], ["Regularisation", "Grid"]];
const WIDE = new Set(["schedule", "reg_metric", "grid_update_num"]);

export function render({ model }) {
  const send = sender(model);
  const act = (name, label, picture, kind) => button("", { class: kind, "data-act": name, onclick: () => send(name) },
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
  const inputs = {}, frames = {};
  const made = ({ name, label, kind, title }) => {
    const input = inputs[name] = setting(name, kind === "choice" ? h("select", {})
      : kind === "check" ? h("input", { type: "checkbox" })
        : h("input", { type: "number", step: kind === "whole" ? 1 : "any" }));
    const frame = kind === "check" ? h("label", { class: "check" }, input, label) : field(label, input);
    if (kind === "check" || WIDE.has(name)) frame.classList.add("span2");
    frames[name] = { frame, title };
    return frame;
  };
  const fields = model.state.fields || [];
  const group = (name) => [h("h2", {}, name), h("div", { class: "grid2" },
    ...fields.filter((one) => one.group === name).map(made))];
  const basic = fields.filter((one) => one.group === "basic").map(made);

  const more = button("", {}, icon("tune", 14), "More");
  more.setAttribute("aria-label", "More settings");
  const moreBox = h("div", { class: "popover more", role: "dialog", "aria-label": "More settings" },
    ...COLUMNS.map((names) => h("div", { class: "column" }, ...names.flatMap(group))));
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
    counts.title = run.text || "";
    setText(losses[0].value, number(run.train));
    setText(losses[1].value, number(run.test));
    error.hidden = !run.error;
    setText(error, run.error || "");
    error.title = run.error || "";
    counts.hidden = Boolean(run.error);
    empty.hidden = run.hasCurve;
    chart.classList.toggle("bare", !run.hasCurve);
    setText(empty, run.hint || "");
    const values = state.settings || {};
    const choices = state.choices || {};
    for (const [name, input] of Object.entries(inputs)) {
      const wrong = (state.wrong || []).includes(name);
      const why = (state.idle || {})[name];
      if (choices[name]) options(input, choices[name], values[name]);
      else if (input.type === "checkbox") input.checked = Boolean(values[name]);
      else if (!wrong) setValue(input, values[name]);
      input.setAttribute("aria-invalid", String(wrong));
      input.disabled = Boolean(why);
      input.placeholder = (state.hints || {})[name] || "";
      frames[name].frame.title = why || frames[name].title;
    }
    setText(data.lastChild, state.data || "Data");
    data.setAttribute("aria-label", `Data: ${state.data || ""}`);
  });

  return h("div", { class: "dock-part" },
    h("div", { class: "run" }, h("div", { class: "buttons" }, train, pause, step, stop),
      h("div", { class: "going" }, error, counts, progress)),
    h("div", { class: "lower" }, chart,
      h("div", { class: "settings" }, h("div", { class: "grid2" }, ...basic),
      h("div", { class: "pair-row" }, more, data))),
    moreBox, h("div", { class: "cards" }, model.get_child("datacard")));
}
