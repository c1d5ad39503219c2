"""The centre: the network on its canvas."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from kanstudio.app.canvas import Click, NetworkCanvas
from kanstudio.app.session import Selection, Session, Topic
from kanstudio.errors import KanStudioError
from kanstudio.network.network import Network
from kanstudio.scene.frame import ABSENT, Frame, encode_frame, frame_of
from kanstudio.scene.scene import Scene, build_scene

PATIENCE_S = 1.0
"""A hidden tab stops painting: after so long the next frame goes out without an answer."""


class NetworkView:
    """Keeps a canvas in step with a session; frames wait for the one before to be painted."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._scene: Scene | None = None
        self._shape: Network | None = None
        self._sequence = 0
        self._sent_at = 0.0
        self._stale = False
        self.canvas = NetworkCanvas()
        self.canvas.on_click(self._clicked)
        session.listen(self._update)
        self._draw()

    def _update(self, topics: frozenset[Topic]) -> None:
        if "theme" in topics:
            self.canvas.theme = self._session.theme
        if "selection" in topics or ("level" in topics and not self._session.level_card.open):
            self._select()
        if topics & {"document", "colour"}:
            self._draw()
        elif "network" in topics:
            self._stale = True
            self.flush()

    def flush(self) -> None:
        """Send the newest frame if the browser has painted the last one."""
        painted = self.canvas.acknowledged >= self._sequence
        if self._stale and (painted or time.monotonic() - self._sent_at > PATIENCE_S):
            self._draw()

    def _draw(self) -> None:
        session = self._session
        network = session.network
        scene = None
        if self._scene is None or self._shape is None or not same_shape(self._shape, network):
            scene = self._scene = build_scene(network)
            self._shape = network
        self._sequence += 1
        try:
            frame = frame_of(
                network,
                self._scene,
                session.measurement,
                lines=session.view.lines,
                colour_by=session.colour.metric,
                beta=session.colour.beta,
                sequence=self._sequence,
            )
        except KanStudioError as error:
            session.say(str(error), "error")
            return
        self._stale = False
        self._sent_at = time.monotonic()
        if session.faded:
            frame = without(frame, self._scene, session.faded)
        self.canvas.draw(scene, encode_frame(frame))

    def _select(self) -> None:
        chosen = self._session.selection
        if chosen.kind == "edge":
            self.canvas.highlight("edge", chosen.id)
        elif chosen.kind == "node":
            self.canvas.highlight("node", int(chosen.id))
        else:
            self.canvas.highlight()

    def _clicked(self, click: Click) -> None:
        session = self._session
        if click.kind == "level" and isinstance(click.target, int):
            session.open_level(click.target, (click.x, click.y))
        elif click.kind == "none":
            session.select(Selection())
        elif click.kind == "edge":
            session.select(Selection("edge", str(click.target)))
        else:
            session.select(Selection("node", str(click.target)))


def without(frame: Frame, scene: Scene, edges: frozenset[str]) -> Frame:
    """The frame with these edges, by their ids, absent."""
    gone = np.array([edge.id in edges for edge in scene.edges], dtype=bool)
    return replace(frame, kind=np.where(gone, ABSENT, frame.kind).astype(np.uint8))


def same_shape(a: Network, b: Network) -> bool:
    """True if the two show the same nodes, names, functions and active edges."""
    if a is b:
        return True
    if (a.levels, a.input_names, a.output_names) != (b.levels, b.input_names, b.output_names):
        return False
    return all(
        one.functions == other.functions
        and bool((one.symbolic_active == other.symbolic_active).all())
        and bool((one.spline_active == other.spline_active).all())
        for one, other in zip(a.layers, b.layers, strict=True)
    )
