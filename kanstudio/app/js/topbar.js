// The top bar: formula field with its reading or its error, examples, history, files, theme.

// The server counts characters, JavaScript counts UTF-16 units.
function split(text, start, end) {
  const chars = Array.from(text);
  const stop = Math.max(end, start + 1);
  return [chars.slice(0, start).join(""), chars.slice(start, stop).join(""),
    chars.slice(stop).join("")];
}

function caretLines(text, error) {
  const line = text.split("\n")[error.line - 1] || "";
  const from = Math.max(0, error.column - 1 - 40);
  const chars = Array.from(line);
  const shown = chars.slice(from, from + 72).join("");
  const width = Math.max(1, Math.min(error.end - error.start, chars.length - error.column + 1, 30));
  return `${from ? "…" : ""}${shown}\n${" ".repeat(error.column - 1 - from + (from ? 1 : 0))}${"^".repeat(width)}`;
}

function exampleList(send) {
  const search = h("input", { type: "search", placeholder: "Search by name, symbol, number",
    "aria-label": "Search examples", "data-focus": true });
  const list = h("div", { class: "examples-list", role: "list" });
  const none = h("p", { class: "muted pad", hidden: true }, "No example matches.");
  const box = h("div", { class: "popover examples", "aria-label": "Examples", role: "dialog" },
    h("div", { class: "search" }, icon("search", 15), search), list, none);
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let hits = 0;
    for (const row of list.children) {
      const match = words.every((word) => row.dataset.words.includes(word));
      row.hidden = !match;
      hits += match && !row.dataset.heading ? 1 : 0;
    }
    none.hidden = hits > 0;
  };
  search.addEventListener("input", filter);
  box.addEventListener("keydown", (event) => {
    const rows = [...list.querySelectorAll("button")].filter((row) => !row.parentNode.hidden);
    const index = rows.indexOf(event.target);
    if (event.key === "ArrowDown") rows[Math.min(index + 1, rows.length - 1)]?.focus();
    else if (event.key === "ArrowUp") (rows[index - 1] || search).focus();
    else if (event.key === "Enter" && event.target === search) rows[0]?.click();
    else return;
    event.preventDefault();
  });
  const fill = (groups) => {
    list.replaceChildren(...groups.flatMap((group) => [
      h("h3", { "data-words": group.items.map((item) => item.words).join(" "),
        "data-heading": true }, group.title),
      ...group.items.map((item) => h("div", { role: "listitem", "data-words": item.words },
        button("", { class: "example", onclick: () => {
          box.hidePopover();
          send("example", { key: item.key });
        } }, h("span", { class: "tag" }, item.tag), h("span", { class: "what" }, item.title),
        h("code", {}, item.formula)))),
    ]));
  };
  return { box, fill };
}

export function render({ model, el }) {
  const send = sender(model);
  const input = h("textarea", { class: "formula", rows: 1, "aria-label": "Formula",
    spellcheck: "false", autocomplete: "off", autocapitalize: "off", maxlength: 20000,
    placeholder: "Type a formula, for example exp(sin(pi*x) + y^2)",
    "aria-describedby": "formula-error formula-notes" });
  const mirror = h("div", { class: "mirror", "aria-hidden": "true" });
  const reading = h("div", { class: "reading" });
  const readingBox = h("div", { class: "reading-box", "aria-hidden": "true" }, reading);
  const message = h("div", { class: "message", id: "formula-error", role: "alert", hidden: true });
  const notes = h("div", { class: "notes", id: "formula-notes", hidden: true });
  const lines = h("div", { class: "lines", "aria-hidden": "true", hidden: true });
  const costs = costTable((name) => send("strategy", { name }));
  // Below the field while a person is in it; a click on it leaves the cursor where it is.
  const sheet = h("div", { class: "sheet", onmousedown: (event) => event.preventDefault() },
    message, lines, notes, costs.table);
  const box = h("div", { class: "formula-box" }, mirror, input, readingBox, sheet);
  const strategy = h("select", { "aria-label": "Strategy", class: "strategy",
    title: "How a formula is laid out as a network", onchange: () =>
      send("strategy", { name: strategy.value }) });
  options(strategy, [["shared", "Shared"], ["compact", "Compact"], ["tree", "Tree"]], "shared");

  const compile = button("Compile", { class: "primary", onclick: () => send("compile", { text: input.value }) },
    "Compile", h("kbd", { "aria-hidden": "true" }, "⏎"));
  compile.setAttribute("aria-label", "Compile");
  const examples = button("Examples", {}, "Examples", icon("chevron", 13));
  const list = exampleList(send);
  menu(examples, list.box, { align: "end" });
  const undo = button("", { "aria-label": "Undo", title: "Undo (Ctrl+Z)", class: "square",
    onclick: () => send("undo") }, icon("undo"));
  const redo = button("", { "aria-label": "Redo", title: "Redo (Ctrl+Shift+Z)", class: "square",
    onclick: () => send("redo") }, icon("redo"));
  const open = button("", { "aria-label": "Open", title: "Open a data file (CSV, Parquet) or a model file",
    onclick: () => send("open") }, icon("open", 15), h("span", { class: "wide" }, "Open"));
  const exporter = button("", { "aria-label": "Export" }, icon("download", 15),
    h("span", { class: "wide" }, "Export"), icon("chevron", 13));
  const exports_ = h("div", { class: "popover menu-list", role: "menu", "aria-label": "Export" },
    ...[["svg", "Network as SVG", "vector picture"], ["png", "Network as PNG", "picture"],
      ["model", "Model file", "network and formula"],
      ["latex", "Formula as LaTeX", "text"], ["python", "Formula as Python", "NumPy"],
      ["torch", "Formula as torch", "Python"], ["c", "Formula as C", "C99"],
      ["json", "Structure as JSON", "widths and functions"],
    ].map(([what, title, kind]) => button("", { role: "menuitem", onclick: () => {
      exports_.hidePopover();
      send("export", { what });
    } }, h("span", {}, title), h("span", { class: "muted" }, kind))));
  menu(exporter, exports_, { align: "end" });
  const share = button("", { "aria-label": "Share" }, icon("share", 15),
    h("span", { class: "wide" }, "Share"));
  const address = h("input", { type: "text", readonly: true, "aria-label": "Link", "data-focus": true,
    onfocus: () => address.setSelectionRange(0, address.value.length, "backward") });
  const copied = h("p", { class: "muted", role: "status" });
  const shareBox = h("div", { class: "popover share", role: "dialog", "aria-label": "Share" },
    h("h2", {}, "Share this formula"), h("div", { class: "row" }, address,
      button("Copy link", { class: "dark", onclick: async () => {
        address.focus();
        // Without a secure context there is no clipboard: the link stays selected.
        const done = await navigator.clipboard?.writeText(address.value).then(() => true, () => false);
        setText(copied, done ? "Copied." : "Press Ctrl+C to copy the selected link.");
      } })),
    h("p", { class: "muted" }, "It opens the formula with its inputs and ranges. Edits and training stay here."),
    copied);
  menu(share, shareBox, { align: "end" });
  const theme = button("", { "aria-label": "Light or dark", title: "Light or dark", class: "square",
    onclick: () => send("theme") }, icon("theme"));

  let sequence = 0;
  let waiting = 0;
  let textCount = -1;
  let check = {};
  let small = false;
  let linesKey = "";

  const scroll = () => { mirror.scrollLeft = input.scrollLeft; mirror.scrollTop = input.scrollTop; };
  // All characters are equally wide.
  const textWidth = () => {
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = getComputedStyle(input).font;
    return Math.max(...input.value.split("\n").map((line) => line.length)) * pen.measureText("0").width;
  };
  const grow = () => {
    // Several lines lie over the network only while a person is in them.
    const here = input.getRootNode().activeElement === input;
    const long = here && textWidth() > input.clientWidth - 28;
    const tall = long || (here && input.value.includes("\n"));
    box.classList.toggle("tall", tall);
    box.classList.toggle("wrapped", long);
    input.rows = 1;
    if (tall) {
      input.style.paddingRight = mirror.style.paddingRight = "";
      input.rows = Math.min(6, Math.round((input.scrollHeight - 18) / 20));
    } else fit();
    mirror.style.height = tall ? `${input.offsetHeight}px` : "";
    sheet.style.top = `${input.offsetHeight + 6}px`;
  };
  const fit = () => {
    if (box.classList.contains("tall")) return;
    // A reading shrinks a little to leave the text in sight, and more for lack of room;
    // what still does not fit fades out at its end.
    reading.style.fontSize = "";
    // As wide as .reading-box may be, less its padding.
    const room = box.clientWidth * 0.52 - 38;
    const beside = box.clientWidth - 28 - textWidth() - 38;
    const { scrollWidth: width, scrollHeight: height } = reading;
    const least = Math.min(room / width, 34 / height);
    const share = Math.min(least, Math.max(0.78, beside / width));
    small = least < 0.8;
    if (share < 1) reading.style.fontSize = `${Math.max(0.62, share)}em`;
    input.style.paddingRight = `${Math.min(room, reading.scrollWidth) + 24}px`;
    mirror.style.paddingRight = input.style.paddingRight;
  };
  const showCheck = async () => {
    const current = check.text === input.value;
    const error = current ? check.error : null;
    box.classList.toggle("wrong", Boolean(error));
    input.setAttribute("aria-invalid", String(Boolean(error)));
    if (error) {
      const [before, bad, after] = split(input.value, error.start, error.end);
      const meant = (error.hint || "").match(/^did you mean (\S+)\?$/)?.[1];
      mirror.replaceChildren(before, h("mark", {}, bad || " "), after);
      message.replaceChildren(h("pre", { "aria-hidden": "true" }, caretLines(input.value, error)),
        h("p", {}, h("strong", {}, error.message),
          error.hint ? h("span", { class: "hint" }, ` ${error.hint}`) : null,
          meant ? button(`Write ${meant}`, { class: "small-button", onclick: () => {
            input.focus();
            input.setSelectionRange(before.length, before.length + bad.length);
            // Typed, as it were: the browser's own undo takes it back.
            document.execCommand("insertText", false, meant);
          } }) : null),
        h("p", { class: "where" }, `line ${error.line}, column ${error.column}`));
    } else {
      mirror.replaceChildren();
    }
    message.hidden = !error;
    if (current) showNotes(error ? [] : [...(check.notes || []), ...(model.state.conditions || [])]);
    readingBox.classList.toggle("stale", Boolean(error) || !current);
    if (current && !error) {
      await typeset(reading, check.latex || "");
      fit();
    }
    showSheet(current && !error);
    scroll();
  };
  const showNotes = (remarks) => {
    notes.hidden = !remarks.length;
    notes.replaceChildren(...remarks.slice(0, 5).map((remark) => h("p", {}, remark)),
      ...(remarks.length > 5 ? [h("p", {}, `and ${remarks.length - 5} more`)] : []));
  };
  // What stands below the field: a reading that the field has no room for, and the costs.
  const showSheet = (good) => {
    const apart = input.value !== model.state.text;
    if (good) {
      const wanted = apart && (box.classList.contains("tall") || small) ? check.lines || [] : [];
      const key = JSON.stringify([wanted, check.more, box.clientWidth]);
      if (key !== linesKey) {
        linesKey = key;
        const math = h("div", { class: "math" });
        lines.replaceChildren(...(wanted.length ? [math] : []));
        if (check.more && wanted.length) lines.append(h("p", { class: "muted" }, `and ${check.more} more`));
        requestAnimationFrame(() => showMath(math, wanted));
      }
    }
    lines.hidden = !message.hidden || !lines.children.length;
    const rows = model.state.costs || [];
    // Between two keys the last costs stay, so that nothing jumps.
    if (rows.length || !apart) costs.show(apart ? rows : [], model.state.strategy);
    costs.table.classList.toggle("stale", !rows.length || !good);
    costs.table.hidden ||= !message.hidden;
    if (!apart) notes.hidden = true;
    sheet.hidden = [...sheet.children].every((child) => child.hidden);
  };
  input.addEventListener("input", () => {
    grow();
    showCheck();
    clearTimeout(waiting);
    waiting = setTimeout(() => send("type", { text: input.value, sequence: ++sequence }), 60);
  });
  input.addEventListener("scroll", scroll);
  input.addEventListener("focus", grow);
  input.addEventListener("blur", () => {
    grow();
    input.scrollTop = 0;
    scroll();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      clearTimeout(waiting);
      send("compile", { text: input.value });
    } else if (event.key === "Escape") {
      input.blur();
    }
  });
  new ResizeObserver(fit).observe(box);

  bind(model, (state) => {
    if (state.textCount !== textCount) {
      textCount = state.textCount;
      input.value = state.text || "";
      // What was compiled makes room for its network.
      if (box.classList.contains("tall")) input.blur();
      grow();
    }
    check = state.check || {};
    strategy.value = state.strategy;
    showCheck();
    share.disabled = !state.share;
    address.value = location.origin + location.pathname + (state.share || "");
    setText(copied, "");
    undo.disabled = !state.canUndo;
    redo.disabled = !state.canRedo;
    compile.classList.toggle("calm", state.text === input.value);
  });
  whenLost(model, () => {
    // The formula stays: it can still be read and copied.
    for (const one of [compile, strategy, examples, undo, redo, open, exporter, share, theme]) one.disabled = true;
    for (const one of [list.box, exports_, shareBox]) if (one.matches(":popover-open")) one.hidePopover();
  });
  model.on("msg:custom", (event) => {
    const data = event.data || event;
    if (data.kind === "examples") list.fill(data.groups);
  });
  send("ready");
  el.classList.add("topbar-part");
  return h("div", { class: "bar" },
    h("div", { class: "brand" }, h("span", { class: "logo", "aria-hidden": "true" }, "◈"),
      h("h1", {}, "KAN Studio")), box,
    h("div", { class: "tools" }, h("div", { class: "pair" }, compile, strategy), examples,
      h("div", { class: "pair" }, undo, redo), open, exporter, share, theme), list.box, exports_, shareBox);
}
