"""One person's Studio: everything of a session hangs off one object, and nothing else.

Views call its methods and listen to what changed; it knows nothing of pages or widgets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from kanstudio.app.effect import effect
from kanstudio.app.formula_now import FormulaNow
from kanstudio.app.gallery import Example, first_document
from kanstudio.app.insight import Insight
from kanstudio.app.reading import Check, read
from kanstudio.compiler import Strategy
from kanstudio.editor.commands import (
    ApplyTraining,
    Command,
    Compile,
    ExpandDepth,
    ExpandWidth,
    RemoveLevel,
)
from kanstudio.editor.document import Document
from kanstudio.editor.history import History
from kanstudio.errors import KanStudioError
from kanstudio.network.measure import EdgeCurves, Measurement, curves, measure
from kanstudio.network.network import EdgeRef, FloatArray, Network
from kanstudio.scene.frame import points_of

LOG = logging.getLogger("kanstudio.app")
MEASURED_SAMPLES = 1_000
LIVE_SAMPLES = 256
"""Samples behind scores and curves: of a document at rest, and while a run moves it."""

Topic = Literal[
    "document", "network", "selection", "colour", "theme", "check", "notice", "run", "settings",
    "level", "aside", "saved", "tour",
]  # fmt: skip
Listener = Callable[[frozenset[Topic]], None]
Tone = Literal["good", "error"]


@dataclass(frozen=True)
class Selection:
    """What the inspector shows: an edge by its id, a node by its id, or the whole model."""

    kind: Literal["model", "edge", "node"] = "model"
    id: str = ""


@dataclass(frozen=True)
class Colour:
    """Colour edges by front, forward activity or attribution; opacity is tanh(beta * score)."""

    metric: str = "front"
    beta: float = 3.0


@dataclass(frozen=True)
class Notice:
    """The last thing worth saying; count tells a new notice from an old one."""

    text: str = ""
    tone: Tone = "good"
    count: int = 0


@dataclass(frozen=True)
class LevelCard:
    """The card of a level: open or not, where, and what went wrong in it."""

    level: int = 0
    open: bool = False
    count: int = 0
    at: tuple[float, float] = (24.0, 24.0)
    error: str = ""


@dataclass(frozen=True)
class View:
    """What the picture of a network needs: its measures, and its edges' curves."""

    measurement: Measurement
    lines: tuple[EdgeCurves, ...]


def view_of(network: Network, samples: FloatArray) -> View:
    """Measure a network and sample its curves; without the curves of single fronts."""
    measurement = measure(network, samples)
    lines = curves(network, measurement, points_of(network.n_edge))
    nothing = np.empty(0)
    slim = tuple(replace(line, symbolic=nothing, spline=nothing) for line in lines)
    return View(measurement, slim)


class Session:
    """The state of one session, changed by its methods, each of which tells the listeners."""

    def __init__(self, document: Document | None = None, label: str = "compile") -> None:
        start = document or first_document()
        self.history = History.start(start, label)
        self.version = 1
        self.selection = Selection()
        self.colour = Colour()
        self.theme = "light"
        self.notice = Notice()
        self.level_card = LevelCard()
        self.text_count = 1
        self.check: Check = read(start.text, start.network.input_names)
        self.strategy: Strategy = start.strategy
        self.faded: frozenset[str] = frozenset()
        self.live: Network | None = None
        self.running = False
        self.before_edit: Callable[[], str] = str
        self._listeners: list[Listener] = []
        self._view: tuple[Network, View] | None = None
        self.insight = Insight(lambda: self.tell("aside"))
        self.insight.watch(start)
        self.insight.type(self.check)

    # Listening.

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def tell(self, *topics: Topic) -> None:
        """Call every listener; one that fails is logged and stops no other."""
        what = frozenset(topics)
        for listener in tuple(self._listeners):
            try:
                listener(what)
            except Exception:
                LOG.exception("a view failed to show %s", ", ".join(sorted(what)))

    def close(self) -> None:
        self._listeners.clear()
        self.insight.close()

    # Reading.

    @property
    def document(self) -> Document:
        return self.history.document

    @property
    def network(self) -> Network:
        """The network as of now: the run's latest while one moves it, else the document's."""
        return self.live if self.live is not None else self.document.network

    @property
    def samples(self) -> FloatArray:
        most = MEASURED_SAMPLES if self.live is None else LIVE_SAMPLES
        return self.document.dataset.train_x[:most]

    @property
    def view(self) -> View:
        """The present network on the training samples; computed once per network."""
        network = self.network
        if self._view is None or self._view[0] is not network:
            self._view = network, view_of(network, self.samples)
        return self._view[1]

    @property
    def measurement(self) -> Measurement:
        return self.view.measurement

    def selected_edge(self) -> EdgeRef | None:
        if self.selection.kind != "edge":
            return None
        return self.network.find_edge(self.selection.id)

    def selected_node(self) -> tuple[int, int] | None:
        """(level, index) of the selected node."""
        if self.selection.kind != "node" or not self.selection.id.isdigit():
            return None
        return self.network.find_node(int(self.selection.id))

    # Commands.

    def do(self, command: Command) -> KanStudioError | None:
        """Apply a command to the document; gives back the error that stopped it, if any.

        A run that is going on is stopped first, and what it learned becomes an entry of
        its own, so that nothing is lost.
        """
        try:
            start = self.document
            # First, because a command that does not fit must not stop the run.
            made = command.applied_to(start)
            stopped = self.before_edit()
            before = self.document
            if before is start:
                self.history = self.history.add(command.label, made)
            else:
                self.history = self.history.do(command)
        except KanStudioError as error:
            self.say(str(error), "error")
            return error
        except Exception:
            LOG.exception("%s failed", type(command).__name__)
            self.say("That did not work, and nothing was changed: see the server's log.", "error")
            return KanStudioError("internal error")
        self._moved(before)
        self.say(f"{stopped}{effect(command, before, self.document)}")
        return None

    def _moved(self, before: Document) -> None:
        self.version += 1
        self.strategy = self.document.strategy
        if self.check.text != self.document.text or before.text != self.document.text:
            self.text_count += 1
            self.check = self._read(self.document.text)
        self.insight.watch(self.document)
        self.insight.type(self.check)
        gone = (self.selection.kind == "edge" and self.selected_edge() is None) or (
            self.selection.kind == "node" and self.selected_node() is None
        )
        if gone:
            self.selection = Selection()
        self.tell("document", "network", "selection", "check", "settings", "run")

    def _read(self, text: str) -> Check:
        """Read a text; the document's own with its inputs, which it may need to be read."""
        document = self.document
        return read(text, document.network.input_names if text == document.text else None)

    def compile(self, text: str) -> None:
        self.check = self._read(text)
        if self.check.error is not None:
            self.tell("check")
            return
        # The same names keep their order: the columns of a data file stay where they are.
        names = self.document.network.input_names
        inputs = names if set(self.check.variables) == set(names) else None
        error = self.do(Compile(text, inputs, strategy=self.strategy))
        if error is not None:
            self.check = self._read(text).failed(error, text)
            self.tell("check")

    def open_example(self, example: Example) -> None:
        command = Compile(
            example.formula, example.inputs, example.ranges, example.title, self.strategy
        )
        self.do(command)

    def choose(self, strategy: Strategy) -> None:
        """Lay formulas out like this from now on, the compiled one at once.

        Another text in the field waits for its own Compile.
        """
        if strategy == self.strategy:
            return
        self.strategy = strategy
        document = self.document
        if document.text and self.check.text == document.text:
            inputs = document.network.input_names
            if self.do(Compile(document.text, inputs, strategy=strategy)) is not None:
                self.strategy = document.strategy
        self.tell("check")

    def type(self, text: str) -> None:
        """The text as it stands while a person types it; changes nothing but its reading."""
        self.check = self._read(text)
        self.insight.type(self.check)
        self.tell("check")

    def restore(self, history: History) -> None:
        """Take over a history from before, with everything in it."""
        before = self.document
        self.history = history
        self._moved(before)
        self.say("Back where you were")

    def forget_undone(self) -> None:
        """A run begins: like any other step, it takes the place of what was undone."""
        if self.history.can_redo:
            self.history = self.history.without_undone()
            self.tell("document")

    def keep_training(self, command: ApplyTraining) -> None:
        """Make what a run learned an entry of the history."""
        before = self.document
        self.history = self.history.do(command)
        self._moved(before)

    def follow(
        self, network: Network, view: View | None = None, formula: FormulaNow | None = None
    ) -> None:
        """Show where a run has got to."""
        self.insight.follow(formula)
        self.live = network
        self._view = None if view is None else (network, view)
        self.tell("network")

    def undo(self) -> None:
        """Back by one; while a run is going on, back to where it started."""
        stopped = self.before_edit()
        self.jump(self.history.position - 1, stopped)

    def redo(self) -> None:
        self.jump(self.history.position + 1)

    def jump(self, position: int, stopped: str = "") -> None:
        """Go to an entry of the history; beyond its ends nothing happens.

        A run is stopped first: its training becomes the last entry before the jump.
        """
        if not 0 <= position < len(self.history.entries):
            return
        stopped = stopped or self.before_edit()
        if position == self.history.position:
            return
        before = self.document
        self.history = self.history.jump(position)
        self._moved(before)
        entry = self.history.entries[position]
        self.say(f"{stopped}Back at {position}: {entry.label}")

    # The level card.

    def open_level(self, level: int, at: tuple[float, float]) -> None:
        if not 0 <= level <= self.network.depth:
            return
        self.level_card = LevelCard(level, True, self.level_card.count + 1, at)
        self.tell("level")

    def close_level(self) -> None:
        self.level_card = replace(self.level_card, open=False, error="")
        self.tell("level")

    def widen(self, level: int, count: int | None, arities: tuple[int, ...] | int | None) -> None:
        if count is None or not 1 <= count <= 64:
            self.level_error("Count is a whole number from 1 to 64.")
            return
        if isinstance(arities, tuple) and len(arities) == 1:
            arities = arities[0]
        self._level_do(ExpandWidth(level, count, arities))

    def deepen(self, level: int) -> None:
        """Add a layer above a level; above the outputs it is the plain expansion in depth."""
        self._level_do(ExpandDepth(None if level == self.network.depth else level))

    def remove_level(self, level: int) -> None:
        self._level_do(RemoveLevel(level))

    def _level_do(self, command: Command) -> None:
        error = self.do(command)
        if error is None:
            self.close_level()
        else:
            self.level_error(str(error))

    def level_error(self, text: str) -> None:
        self.level_card = replace(self.level_card, error=text)
        self.tell("level")

    # Looking.

    def select(self, selection: Selection) -> None:
        if selection != self.selection:
            self.selection = selection
            self.tell("selection")

    def colour_by(self, colour: Colour) -> None:
        if colour != self.colour:
            self.colour = colour
            self.tell("colour")

    def fade(self, edges: frozenset[str]) -> None:
        """Draw these edges, by their ids, as if they did nothing."""
        if edges != self.faded:
            self.faded = edges
            self.tell("colour")

    def set_theme(self, theme: str) -> None:
        if theme in ("light", "dark") and theme != self.theme:
            self.theme = theme
            self.tell("theme")

    def say(self, text: str, tone: Tone = "good") -> None:
        self.notice = Notice(text, tone, self.notice.count + 1)
        self.tell("notice")
