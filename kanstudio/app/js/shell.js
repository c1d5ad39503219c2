// The frame: six places on a grid, the theme, the keys, and files that leave for the person.

const KEYS = [
  ["Enter", "Compile the formula"], ["Shift Enter", "Another line, for another output"], ["Ctrl Z", "Undo"], ["Ctrl Shift Z", "Redo"],
  ["Space", "Train or pause"], ["Esc", "Clear the selection"], ["/", "Go to the formula"],
  ["?", "Show these keys"], ["Wheel, drag", "Zoom and move the network"],
  ["Double click", "Fit the network to the window"],
  ["← ↑ → ↓", "Go from edge to edge, once one has the focus"],
];

function isTyping(event) {
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches("textarea, select, [contenteditable]")) return true;
  return target.matches("input:not([type=checkbox]):not([type=radio]):not([type=range])");
}

// What this tab is known by, so that a reload comes back to the same work. Another address
// (a shared link) is another room.
function tabToken() {
  try {
    const known = JSON.parse(sessionStorage.getItem("kanstudio-room") || "{}");
    if (known.token && known.search === location.search) return known.token;
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const token = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem("kanstudio-room", JSON.stringify({ token, search: location.search }));
    return token;
  } catch {
    return "";
  }
}

// A number such as 2.7e-04 stays on one line.
function unbroken(text) {
  return text.split(/(\d\S*)/).map((part, index) => index % 2 ? h("span", { class: "number" }, part) : part);
}

function save(name, mime, base64) {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: mime }));
  const link = h("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// Leaving asks only where something would be lost. A reload comes back to the same work, but
// the browser tells nobody that it is one: its keys do.
function guard(unsaved, token) {
  let reloading = 0;
  addEventListener("keydown", (event) => {
    const mod = event.ctrlKey || event.metaKey;
    if (event.key === "F5" || (mod && event.key.toLowerCase() === "r")) reloading = event.timeStamp;
  }, true);
  addEventListener("beforeunload", (event) => {
    const reload = token && reloading && event.timeStamp - reloading < 2000;
    if (!reload && unsaved()) event.preventDefault();
  });
}

export function render({ model, el }) {
  const send = sender(model);
  const page = Boolean(model.state.page);
  const place_ = (name, label, tag = "section") => h(tag, {
    class: `place ${name}`, "aria-label": label, role: label && tag === "section" ? "region" : null,
  }, model.get_child(name));
  const keys = h("div", { class: "popover keys", role: "dialog", "aria-label": "Keys",
    popover: "auto" }, h("h2", {}, "Keys"), h("dl", {}, ...KEYS.flatMap(([key, what]) =>
    [h("dt", {}, ...key.split(" ").map((one) => h("kbd", {}, one))), h("dd", {}, what)])));
  const lost = h("div", { class: "banner", role: "alert", hidden: true }, icon("alert"),
    h("span", {}, "The connection to the server is lost. What you see is the last state."),
    button("Reload", { onclick: () => location.reload() }));
  const notice = h("div", { class: "notice", role: "status", "aria-live": "polite",
    "aria-label": "Message", hidden: true });
  const network = place_("network", "Network");
  network.append(h("div", { class: "levels cards" }, model.get_child("level")), notice);
  const room = h("div", { class: "room" },
    place_("topbar", null, "header"), place_("sidebar", null, "nav"), network,
    h("div", { class: "right" }, page ? place_("tour", null, "div") : null,
      place_("simplify", null, "div"), place_("inspector", "Inspector")),
    place_("dock", "Training"),
    place_("status", null, "footer"), lost, keys);

  const applyTheme = (theme) => {
    el.getRootNode().host.dataset.theme = theme;
    if (page) document.documentElement.dataset.theme = theme;
  };

  const showKeys = () => {
    const middle = { left: innerWidth / 2 - 180, right: innerWidth / 2 + 180, top: 0, bottom: 110 };
    place(keys, middle);
  };

  const onKey = (event) => {
    const mod = event.ctrlKey || event.metaKey;
    if (event.defaultPrevented || event.isComposing) return;
    if (event.key === "Escape") {
      // A popover that is open takes this Escape for itself.
      if (!event.composedPath().some((node) => node.matches && node.matches(":popover-open")))
        send("escape");
      return;
    }
    if (isTyping(event)) return;
    const control = event.composedPath()[0];
    if (mod && !event.altKey && event.key.toLowerCase() === "z")
      send(event.shiftKey ? "redo" : "undo");
    else if (mod && event.key.toLowerCase() === "y") send("redo");
    else if (mod || event.altKey) return;
    else if (event.key === " " && !control.matches?.("button, [role=radio], summary, input"))
      send("space");
    else if (event.key === "?") showKeys();
    else if (event.key === "/") room.dispatchEvent(new CustomEvent("ks-focus-formula"));
    else return;
    event.preventDefault();
  };

  room.addEventListener("ks-keys", showKeys);
  const pane = (name) => room.querySelector(`.${name}`);
  room.addEventListener("ks-focus-formula", () => {
    const find = (node) => {
      for (const child of node.querySelectorAll("*")) {
        if (child.matches("textarea.formula, input.formula")) return child;
        const found = child.shadowRoot && find(child.shadowRoot);
        if (found) return found;
      }
      return null;
    };
    find(pane("topbar"))?.focus();
  });

  // Success fades, but not while it is read; an error stays until something is done about it.
  let fading = 0;
  let shown = -1;
  const hide = () => { notice.hidden = true; };
  const fade = () => {
    clearTimeout(fading);
    if (!notice.matches(".error, :hover, :focus-within")) fading = setTimeout(hide, 6000);
  };
  for (const name of ["pointerleave", "focusout"])
    notice.addEventListener(name, () => requestAnimationFrame(fade));
  for (const name of ["pointerenter", "focusin"])
    notice.addEventListener(name, () => clearTimeout(fading));
  room.addEventListener("input", (event) => {
    if (event.composedPath()[0].matches(".formula") && notice.matches(".error")) hide();
  });
  bind(model, (state) => {
    if (state.theme) applyTheme(state.theme);
    const message = state.notice || {};
    if (message.count !== shown) {
      shown = message.count;
      notice.hidden = !message.text;
      if (!message.text) return;
      notice.className = `notice ${message.tone}`;
      notice.replaceChildren(icon(message.tone === "error" ? "alert" : "check", 14),
        h("span", {}, ...unbroken(message.text)),
        button("", { "aria-label": "Dismiss", class: "quiet", onclick: hide },
          icon("close", 13)));
      fade();
    }
  });

  model.on("msg:custom", (event) => {
    const data = event.data || event;
    if (data.kind === "download") save(data.name, data.mime, data.base64);
    if (data.kind === "keys") showKeys();
  });

  const listenOn = page ? document : room;
  listenOn.addEventListener("keydown", onKey);
  model.on("remove", () => listenOn.removeEventListener("keydown", onKey));

  const stored = (() => { try { return localStorage.getItem("kanstudio-theme"); } catch { return null; } })();
  const wanted = stored || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  applyTheme(wanted);
  const token = page ? tabToken() : "";
  send("hello", { theme: wanted, room: token });
  // What is lost already needs no question.
  if (page) guard(() => lost.hidden && model.state.unsaved, token);
  whenLost(model, () => {
    lost.hidden = false;
    notice.hidden = true;
    for (const name of ["sidebar", "tour", "simplify", "inspector", "dock"]) {
      pane(name)?.classList.add("lost");
      pane(name)?.toggleAttribute("inert", true);
    }
  });
  return room;
}
