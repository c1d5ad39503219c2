"""The network in the browser: a canvas that Python feeds and that answers with clicks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent

from kanstudio.app.component import on_page
from kanstudio.scene.scene import Scene

_HERE = Path(__file__).parent
_SCRIPTS = (
    "palette", "frame", "view", "world", "links", "cards", "overlay", "gestures", "main",
)  # fmt: skip
_KINDS = ("edge", "node", "level", "none")


@dataclass(frozen=True)
class Click:
    """A click on the network: kind is edge, node, level or none; x, y pixels in the canvas.

    target is the edge's id, the node's id, the level's index, or None.
    """

    kind: str
    target: str | int | None
    x: float
    y: float


def _script() -> str:
    """All parts as one module without imports: nothing is fetched from anywhere."""
    return "\n".join(
        (_HERE / "js" / "canvas" / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS
    )


class NetworkCanvas(JSComponent):
    """Draws a scene and its frames; see js/canvas for the browser's side.

    Set ``structure`` when the scene changes and ``frame`` (bytes of make_frame) for every
    moment, best together with ``draw``. ``acknowledged`` is the sequence number that was
    painted last.
    """

    structure = param.Dict(default={}, doc="Scene.structure()")
    frame = param.Bytes(default=b"", doc="make_frame(...)")
    theme = param.Selector(default="light", objects=["light", "dark"])
    selection = param.Dict(default={}, doc="{'type': 'edge'|'node'|'level', 'id': ...} or {}")

    _esm: ClassVar[str] = _script()
    _stylesheets: ClassVar[list[str]] = [(_HERE / "canvas.css").read_text(encoding="utf-8")]

    def __init__(self, **params: Any) -> None:
        self._click_callbacks: list[Callable[[Click], None]] = []
        self._ack_callbacks: list[Callable[[int, float], None]] = []
        self._shown: dict[str, tuple[str | int, ...]] = {}
        self.acknowledged = -1
        super().__init__(**{"sizing_mode": "stretch_both", "min_height": 240, **params})

    def draw(self, scene: Scene | None = None, frame: bytes | None = None) -> None:
        """Send a scene, a frame of the scene shown, or both at once."""
        changes: dict[str, Any] = {}
        if scene is not None:
            changes["structure"] = scene.structure()
            self._shown = {
                "edge": tuple(edge.id for edge in scene.edges),
                "node": tuple(node.id for node in scene.nodes),
                "level": tuple(band.level for band in scene.bands),
            }
        if frame is not None:
            changes["frame"] = frame
        self.param.update(**changes)

    def highlight(self, kind: str | None = None, target: str | int | None = None) -> None:
        """Select an edge, a node or a level; without arguments clear the selection."""
        self.selection = {} if kind in {None, "none"} else {"type": kind, "id": target}

    def fit(self) -> None:
        """Show the whole network."""
        self._send_msg({"type": "fit"})

    def on_click(self, callback: Callable[[Click], None]) -> None:
        """Call back for every click; the selection has been set already."""
        self._click_callbacks.append(callback)

    def on_ack(self, callback: Callable[[int, float], None]) -> None:
        """Call back with sequence number and milliseconds for every frame painted.

        A frame that no longer fits the scene is acknowledged with -1 milliseconds.
        """
        self._ack_callbacks.append(callback)

    def _handle_msg(self, data: Any) -> None:
        # A browser can send anything: take only what is well formed and on the screen.
        if not isinstance(data, dict):
            return
        if data.get("type") == "ack":
            self._handle_ack(data)
        elif data.get("type") == "click":
            on_page(partial(self._handle_click, data))

    def _handle_ack(self, data: dict[str, Any]) -> None:
        sequence, ms = data.get("sequence"), data.get("ms")
        if not isinstance(sequence, int) or not isinstance(ms, int | float):
            return
        self.acknowledged = sequence
        for callback in self._ack_callbacks:
            callback(sequence, float(ms) if data.get("painted") else -1.0)

    def _handle_click(self, data: dict[str, Any]) -> None:
        kind, target = data.get("kind"), data.get("id")
        x, y = data.get("x"), data.get("y")
        if kind not in _KINDS or not isinstance(x, int | float) or not isinstance(y, int | float):
            return
        if kind == "none":
            target = None
        elif target not in self._shown.get(kind, ()):
            return
        self.highlight(kind, target)
        for callback in self._click_callbacks:
            callback(Click(kind, target, float(x), float(y)))
