// Helpers shared by every part. Strings only ever become text nodes or attributes:
// nothing that a person typed is parsed as HTML.

const SVG_NS = "http://www.w3.org/2000/svg";

// 24 x 24 outlines, stroked with the current colour.
const ICONS = {
  undo: "M8 13.5 3.5 9 8 4.5M3.5 9H14a6 6 0 0 1 0 12h-3",
  redo: "M16 13.5 20.5 9 16 4.5M20.5 9H10a6 6 0 0 0 0 12h3",
  open: "M3 7v12h15l3-9H8l-3 9M3 7V5h6l2 2h8v3",
  download: "M12 4v11M7.5 11 12 15.5 16.5 11M4 20h16",
  share: "M12 15V4M8 7.5 12 3.5l4 4M5 12v8h14v-8",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  chevron: "M6 9l6 6 6-6",
  check: "M5 12.5 10 17 19 7",
  close: "M6 6l12 12M18 6 6 18",
  search: "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13M15.5 15.5 21 21",
  play: "M7 4.5v15l12-7.5z",
  pause: "M8 5v14M16 5v14",
  step: "M6 5v14l9-7zM18.5 5v14",
  stop: "M6 6h12v12H6z",
  keys: "M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M7.5 14h9",
  data: "M4 6c0-3.4 16-3.4 16 0v12c0 3.4-16 3.4-16 0zM4 6c0 3.4 16 3.4 16 0M4 12c0 3.4 16 3.4 16 0",
  tune: "M4 7h9M17 7h3M4 17h3M11 17h9M13 4.5v5M7 14.5v5",
  layer: "M12 4 21 9l-9 5-9-5zM3 14l9 5 9-5",
  enlarge: "M9 4H4v5M15 4h5v5M4 15v5h5M20 15v5h-5",
  alert: "M12 4 22 20H2zM12 10v4M12 17h.01",
};

function icon(name, size = 16) {
  const svg = document.createElementNS(SVG_NS, "svg");
  const path = document.createElementNS(SVG_NS, "path");
  for (const [key, value] of Object.entries({
    viewBox: "0 0 24 24", width: size, height: size, fill: "none", stroke: "currentColor",
    "stroke-width": 1.9, "stroke-linecap": "round", "stroke-linejoin": "round",
    "aria-hidden": "true", class: "icon",
  })) svg.setAttribute(key, value);
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, String(value));
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

function button(label, props, ...children) {
  return h("button", { type: "button", ...props }, ...(children.length ? children : [label]));
}

// Goes somewhere instead of doing something: buttons alone carry the names of actions.
function link(props, go, ...children) {
  return h("a", { href: "#", draggable: "false", ...props, onclick: (event) => {
    event.preventDefault();
    go();
  } }, ...children);
}

// A visible label around its field; the label's text is the field's accessible name.
function field(label, control, unit) {
  control.setAttribute("aria-label", label);
  return h("label", { class: "field" }, h("span", {}, label), control,
    unit ? h("span", { class: "unit" }, unit) : null);
}

function options(select, values, chosen) {
  const key = JSON.stringify(values);
  if (select.dataset.values !== key) {
    select.replaceChildren(...values.map((item) => {
      const [value, text] = Array.isArray(item) ? item : [item, item];
      return h("option", { value }, text);
    }));
    select.dataset.values = key;
  }
  if (select.value !== chosen) select.value = chosen;
}

// Give a field its value unless a person is typing in it just now.
function setValue(input, value) {
  if (input.getRootNode().activeElement === input) return;
  const text = value == null ? "" : String(value);
  if (input.value !== text) input.value = text;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function sender(model) {
  return (kind, data) => model.send_msg({ kind, ...(data || {}) });
}

// Call update with the part's state, now and whenever the server changes it.
function bind(model, update) {
  update(model.state || {});
  model.on("state", () => update(model.state || {}));
}

// Once the server is gone nothing comes back; what needs it must not look alive.
function whenLost(model, action) {
  model.document?.on_event("connection_lost", action);
}

// A group of choices of which exactly one is taken; arrows move it, as in a native radio group.
function radios(label, names, choose) {
  const group = h("div", { class: "segments", role: "radiogroup", "aria-label": label });
  const items = names.map(([value, text]) => button(text, {
    role: "radio", "data-value": value, onclick: () => choose(value),
  }));
  group.append(...items);
  group.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!move) return;
    event.preventDefault();
    const index = items.indexOf(event.target);
    const next = items[(index + move + items.length) % items.length];
    next.focus();
    choose(next.dataset.value);
  });
  const set = (value) => items.forEach((item) => {
    const chosen = item.dataset.value === value;
    item.setAttribute("aria-checked", String(chosen));
    item.tabIndex = chosen ? 0 : -1;
  });
  return { group, set };
}

// What has the focus, inside whatever shadow.
function focused() {
  let node = document.activeElement;
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  return node;
}

// Show a popover under (or over) an anchor, kept inside the window.
function place(popover, rect, { above = false, align = "start", gap = 6 } = {}) {
  popover.style.maxHeight = "";
  if (!popover.matches(":popover-open")) popover.showPopover();
  const { offsetWidth: width, offsetHeight: height } = popover;
  const left = align === "end" ? rect.right - width : rect.left;
  popover.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  // What stands above its anchor is held at its foot: then it may grow.
  const foot = Math.max(8, Math.min(innerHeight - rect.top + gap, innerHeight - height - 8));
  const top = Math.max(8, Math.min(rect.bottom + gap, innerHeight - height - 8));
  popover.style.bottom = above ? `${foot}px` : "auto";
  popover.style.top = above ? "auto" : `${top}px`;
}

// A button that opens a popover and closes it; so does Escape or a click elsewhere.
function menu(trigger, content, settings) {
  content.setAttribute("popover", "auto");
  trigger.popoverTargetElement = content;
  trigger.setAttribute("aria-expanded", "false");
  trigger.setAttribute("aria-haspopup", "true");
  content.addEventListener("beforetoggle", (event) => {
    // Its size, and so its place, is known only once it is shown.
    if (event.newState === "open") content.style.visibility = "hidden";
  });
  content.addEventListener("toggle", (event) => {
    const open = event.newState === "open";
    trigger.setAttribute("aria-expanded", String(open));
    if (!open) return;
    place(content, trigger.getBoundingClientRect(), settings);
    content.style.visibility = "";
    const first = content.querySelector("[data-focus]") || content.querySelector("button, input");
    if (first) first.focus();
  });
  return content;
}

// Typeset with the TeX engine that Bokeh brings along; glyphs are SVG paths, so no fonts load.
// The text comes from the formula printer, never from what a person typed.
async function typeset(node, latex, display = false) {
  if (node.dataset.latex === latex) return;
  node.dataset.latex = latex;
  if (!latex) { node.replaceChildren(); return; }
  try {
    const { default_provider: engine } = window.Bokeh.require("@bokehjs/models/text/providers");
    if (!engine.MathJax) await engine.fetch();
    const drawing = engine.MathJax.tex2svg(latex, { display });
    if (node.dataset.latex === latex) node.replaceChildren(drawing);
  } catch (error) {
    if (node.dataset.latex === latex) setText(node, latex);
  }
}

// A formula in pieces between which a line may end: after its = and between the terms of a
// sum, or between the factors of a product, always outside of all brackets.
const SUM = /^ (?:=|\\approx|[+-]) $/;
const PRODUCT = /^ \\, $/;
function latexPieces(latex, kind) {
  const pieces = [];
  let depth = 0, from = 0;
  const cut = (at) => { pieces.push(latex.slice(from, at)); from = at; };
  const tokens = /\\(?:left|begin|right|end)\b|\\[{}]|[{}]| (?:=|\\approx|[+-]|\\,) /g;
  for (const { 0: token, index } of latex.matchAll(tokens)) {
    if (/^(\\left|\\begin|\{)$/.test(token)) depth += 1;
    else if (/^(\\right|\\end|\})$/.test(token)) {
      depth -= 1;
      // The factor after a bracket, where no \, announces it.
      const end = index + token.length;
      const next = depth || kind !== PRODUCT ? null : latex.slice(end).match(/^\\?\S (?=[^-+^_=\\]|\\[a-z])/);
      if (next && token === "\\right") cut(end + next[0].length);
    } else if (depth === 0 && kind.test(token)) cut(/[+-]/.test(token) ? index : index + token.length);
  }
  cut(latex.length);
  // A sign at the border of a piece keeps the room of one inside.
  return pieces.map((piece) => `{}${piece}{}`);
}

// Typeset in pieces; a piece that is still too wide for its line goes on in pieces of its own.
async function typesetPieces(node, latex, width, kinds) {
  const [kind, ...finer] = kinds;
  const pieces = latexPieces(latex, kind);
  const spans = pieces.map(() => h("span", {}));
  await Promise.all(spans.map((span, at) => typeset(span, pieces[at], true)));
  node.replaceChildren(...spans);
  if (finer.length) await Promise.all(spans.map((span, at) =>
    span.offsetWidth > width ? typesetPieces(span, pieces[at], width, finer) : null));
}

// Lines of LaTeX in a box: what is too wide shrinks a little, then goes on in further lines,
// then shrinks more, then scrolls.
async function showMath(box, list) {
  const rows = list.map(() => h("div", {}));
  box.style.fontSize = "";
  box.replaceChildren(...rows);
  await Promise.all(rows.map((row, index) => typeset(row, list[index], true)));
  const excess = () => box.scrollWidth / Math.max(1, box.clientWidth - 1);
  if (excess() > 1.2) await Promise.all(rows.map((row, index) => row.scrollWidth > row.clientWidth
    ? typesetPieces(row, list[index], row.clientWidth, [SUM, PRODUCT]) : null));
  const wide = excess();
  if (wide > 1) box.style.fontSize = `${Math.max(0.65, 0.98 / wide)}em`;
}

// What each layout of a formula costs; a click takes another one.
function costTable(choose) {
  const columns = [["nodes", "Nodes"], ["edges", "Edges"], ["depth", "Depth"],
    ["parameters", "Parameters"]];
  const body = h("tbody", {});
  const table = h("table", { class: "costs", "aria-label": "Cost of each strategy", hidden: true },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "sr" }, "Strategy")),
      ...columns.map(([, title]) => h("th", { scope: "col" }, title)))), body);
  let shown = "";
  const show = (rows, chosen) => {
    const key = JSON.stringify([rows, chosen]);
    table.hidden = !rows.length;
    if (key === shown) return;
    shown = key;
    const best = (name) => Math.min(...rows.filter((row) => row.key).map((row) => row[name]));
    body.replaceChildren(...rows.map((row) => {
      if (!row.key) {
        return h("tr", { class: "now" }, h("th", { scope: "row" }, row.title),
          ...columns.map(([name]) => h("td", {}, row[name].toLocaleString("en"))));
      }
      const taken = row.key === chosen;
      return h("tr", { class: taken ? "taken" : null, onclick: () => taken || choose(row.key) },
        h("th", { scope: "row" }, link({ "aria-current": taken ? "true" : null,
          title: taken ? "This layout is taken" : `Lay the formula out as ${row.title.toLowerCase()}`,
        }, () => {}, row.title)),
        ...columns.map(([name]) => h("td", { class: row[name] === best(name) ? "best" : null },
          row[name].toLocaleString("en"))));
    }));
  };
  return { table, show };
}

function number(value) {
  if (value == null || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 0.001 && size < 10000) return String(Number(value.toPrecision(4)));
  return value.toExponential(1).replace("e+", "e");
}
