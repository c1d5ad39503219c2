// Pointer and wheel: drag pans, wheel and pinch zoom, a press without a drag is a click.

const DRAG = 4, TWICE_MS = 500;

function listenGestures(root, view, act) {
  const held = new Map();
  let press = null, last = null;

  const place = (event) => {
    const box = root.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const ours = (event) => !event.composedPath().some((node) => node.classList?.contains("strip"));

  function down(event) {
    if (!ours(event) || (event.pointerType === "mouse" && event.button > 1)) return;
    held.set(event.pointerId, place(event));
    press = held.size === 1 ? { at: place(event), dragged: false, button: event.button } : { ...press, dragged: true };
  }

  function move(event) {
    const at = place(event);
    const before = held.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse" && ours(event)) act.setHover(act.find(at), at);
      return;
    }
    if (held.size === 2) pinch(event.pointerId, before, at);
    else if (press && (press.dragged || Math.hypot(at.x - press.at.x, at.y - press.at.y) > DRAG)) {
      if (!press.dragged) {
        press.dragged = true;
        root.setPointerCapture(event.pointerId);
        root.classList.add("dragging");
      }
      view.tx += at.x - before.x;
      view.ty += at.y - before.y;
      act.moved();
    } else return;
    held.set(event.pointerId, at);
  }

  function pinch(id, before, at) {
    const other = [...held].find(([key]) => key !== id)[1];
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const now = Math.hypot(at.x - other.x, at.y - other.y);
    view.tx += (at.x - before.x) / 2;
    view.ty += (at.y - before.y) / 2;
    if (was > 0) view.zoomAt((at.x + other.x) / 2, (at.y + other.y) / 2, now / was);
    act.moved();
  }

  function up(event) {
    const started = held.delete(event.pointerId);
    root.classList.remove("dragging");
    if (!started || held.size || !press) return;
    const { dragged, button } = press;
    press = null;
    if (!dragged && button === 0 && event.type === "pointerup") {
      const at = place(event), thing = act.find(at);
      if (isSecond(event, at, thing)) twice();
      else act.choose(thing, at);
    }
  }

  function wheel(event) {
    if (!ours(event)) return;
    event.preventDefault();
    const at = place(event), lines = event.deltaMode === 1 ? 16 : 1;
    view.zoomAt(at.x, at.y, Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)));
    act.moved();
  }

  // The first of two clicks acts at once, as any click; the second on the same ground fits.
  function isSecond(event, at, thing) {
    const before = last;
    last = { time: event.timeStamp, at, type: thing?.type, id: thing?.id };
    const second = before && (!thing || thing.type === "level")
      && before.type === thing?.type && before.id === thing?.id
      && event.timeStamp - before.time < TWICE_MS
      && Math.hypot(at.x - before.at.x, at.y - before.at.y) <= 2 * DRAG;
    if (second) last = null;
    return second;
  }

  function twice() {
    root.dispatchEvent(new CustomEvent("kan-fit", { bubbles: true, composed: true }));
    act.fit();
  }

  const leave = () => act.setHover(null, null);
  const listeners = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up,
    pointerleave: leave };
  for (const [name, listener] of Object.entries(listeners)) root.addEventListener(name, listener);
  root.addEventListener("wheel", wheel, { passive: false });
  return {
    stop() {
      for (const [name, listener] of Object.entries(listeners)) root.removeEventListener(name, listener);
      root.removeEventListener("wheel", wheel);
    },
  };
}
