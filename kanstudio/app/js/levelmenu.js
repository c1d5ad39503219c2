// The card beside a band: what can be done to that level.

export function render({ model, el }) {
  const send = sender(model);
  const title = h("h2", {});
  const about = h("span", { class: "muted" });
  const count = h("input", { type: "number", min: 1, max: 64, step: 1, value: 1, "data-focus": true });
  const arity = h("input", { type: "text", value: "2", inputmode: "numeric", maxlength: 200,
    title: "One number for all new mult nodes, or one each: 2, 3" });
  const sums = button("Add sum nodes", { class: "dark", onclick: () =>
    send("sum", { level, count: count.value }) });
  const mults = button("Add mult nodes", { class: "dark", onclick: () =>
    send("mult", { level, count: count.value, arity: arity.value }) });
  const depth = button("Add layer above", { onclick: () => send("depth", { level }) });
  const remove = button("Remove layer", { onclick: () => send("remove", { level }) });
  const why = h("p", { class: "muted" });
  const stays = h("p", { class: "muted", hidden: true });
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const widen = h("div", { class: "widen" },
    h("div", { class: "duo" }, field("Count", count), field("Arity", arity)),
    h("div", { class: "duo" }, sums, mults));
  const card = h("div", { class: "popover level-card", role: "dialog", popover: "auto" },
    h("header", {}, title, about), widen, why,
    h("div", { class: "duo" }, depth, remove), stays, error);
  let level = -1;
  let opened = -1, shown = -1;

  card.addEventListener("toggle", (event) => {
    // By then another band may have been clicked: only this card closes.
    if (event.newState === "closed") send("closed", { count: shown });
  });
  card.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    (event.target === arity ? mults : sums).click();
  });

  bind(model, (state) => {
    level = state.level;
    setText(title, state.title || "");
    setText(about, state.about || "");
    card.setAttribute("aria-label", state.title || "Level");
    widen.hidden = !state.canWiden;
    setText(why, state.why || "");
    remove.hidden = !state.canWiden;
    remove.disabled = Boolean(state.stays);
    stays.hidden = !state.canWiden || !state.stays;
    setText(stays, state.stays || "");
    error.hidden = !state.error;
    setText(error, state.error || "");
    if (!state.open) {
      if (card.matches(":popover-open")) card.hidePopover();
      opened = state.count;
      return;
    }
    if (state.count === opened) return;
    opened = state.count;
    requestAnimationFrame(() => {
      if (!model.state.open || model.state.count !== opened) return;
      const frame = el.getRootNode().host.closest(".place").getBoundingClientRect();
      shown = state.count;
      const at = state.at || { x: 24, y: 24 };
      const rect = { left: frame.left + at.x, right: frame.left + at.x,
        top: frame.top + at.y, bottom: frame.top + at.y };
      place(card, rect, { gap: 10 });
      (state.canWiden ? count : depth).focus();
      if (state.canWiden) count.select();
    });
  });
  // The first click of a double click opens the card; the second takes that back.
  const fitted = (event) => {
    if (event.composedPath().includes(el.getRootNode().host.closest(".place"))) send("closed");
  };
  document.addEventListener("kan-fit", fitted);
  model.on("remove", () => document.removeEventListener("kan-fit", fitted));
  return card;
}
