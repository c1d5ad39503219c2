"""The left side: workflow, perturbation, colours, history."""

from __future__ import annotations

from typing import Any, get_args

from kanstudio.app.component import Message, Part, script
from kanstudio.app.desk import Desk
from kanstudio.app.parts import Page
from kanstudio.app.present import beginning
from kanstudio.app.refusal import Refusal
from kanstudio.app.session import Colour, Session, Topic
from kanstudio.app.views.simplify import CARDS
from kanstudio.editor.commands import Perturb
from kanstudio.editor.document import Mode
from kanstudio.editor.history import History
from kanstudio.scene.frame import COLOUR_BY

MODES: tuple[Mode, ...] = get_args(Mode)
MAX_MAGNITUDE = 1e6
MAX_CONTRAST = 1e6
MAX_SEED = 2**31


class Sidebar(Part):
    """How far the work is, and what colours and perturbation are on."""

    _esm = script("sidebar.js")

    def __init__(self, session: Session, desk: Desk, page: Page, **params: Any) -> None:
        super().__init__(**params)
        self._session = session
        self._desk = desk
        self._page = page
        self._refusal = Refusal(session)
        self._n_refused = 0
        self.actions = {
            "step": self._go,
            "perturb": self._perturb,
            "magnitude": self._change_magnitude,
            "colour": self._colour,
            "contrast": self._contrast,
            "jump": self._jump,
        }
        # What stands in the fields while the perturbation is off.
        self._draft = session.document.perturbation
        session.listen(self._update)
        self._update(frozenset({"document", "colour"}))

    def _update(self, topics: frozenset[Topic]) -> None:
        session = self._session
        if "colour" in topics:
            self.put(colour={"metric": session.colour.metric, "beta": session.colour.beta})
        if topics & {"document", "run"}:
            self.put(steps=steps(session.history))
        if "document" not in topics:
            return
        now = session.document.perturbation
        if now.mode != "off":
            self._draft = now
        self.put(
            perturb={
                "mode": now.mode,
                "magnitude": self._draft.magnitude,
                "seed": self._draft.seed,
            },
            history={
                "labels": [entry.label for entry in session.history.entries],
                "position": session.history.position,
            },
        )

    def _command(self, message: Message, mode: Mode) -> Perturb | None:
        magnitude, seed = message.number("magnitude"), message.whole("seed")
        if magnitude is None or not 0 <= magnitude <= MAX_MAGNITUDE:
            self._refuse("Magnitude is a number from 0 to 1,000,000.")
            return None
        if seed is None or not 0 <= seed <= MAX_SEED:
            self._refuse(f"Seed is a whole number from 0 to {MAX_SEED:,}.")
            return None
        self._refusal.take_back()
        return Perturb(mode, magnitude, seed)

    def _refuse(self, text: str) -> None:
        """Say why; the fields go back to what counts."""
        self._n_refused += 1
        self.put(refused=self._n_refused)
        self._refusal.say(text)

    def _perturb(self, message: Message) -> None:
        now = self._session.document.perturbation
        command = self._command(message, message.choice("mode", MODES))
        if command is not None and (command.mode != now.mode or command.mode != "off"):
            self._session.do(command)

    def _change_magnitude(self, message: Message) -> None:
        """A new magnitude or seed counts at once where a perturbation is on."""
        mode = self._session.document.perturbation.mode
        command = self._command(message, mode)
        if command is None:
            return
        self._draft = type(self._draft)(mode, command.magnitude, command.seed)
        if mode != "off":
            self._session.do(command)

    def _colour(self, message: Message) -> None:
        metric = message.choice("metric", COLOUR_BY)
        self._session.colour_by(Colour(metric, self._session.colour.beta))

    def _contrast(self, message: Message) -> None:
        beta = message.number("beta")
        if beta is None or not 0 < beta <= MAX_CONTRAST:
            self._refuse("Contrast β is a number above 0 and at most 1,000,000.")
            return
        self._refusal.take_back()
        self._session.colour_by(Colour(self._session.colour.metric, beta))

    def _jump(self, message: Message) -> None:
        position = message.whole("position")
        if position is not None:
            self._session.jump(position)

    def _go(self, message: Message) -> None:
        session, key = self._session, message.text("key", 20)
        self._page.open_simplify(key if key in CARDS else "")
        match key:
            case "expand":
                session.open_level(max(1, min(session.network.depth - 1, 1)), (24.0, 24.0))
            case "train":
                self._desk.train()
            case "perturb":
                session.say("Choose Minimal, All or Non-intrusive below.")
            case "compile":
                session.say("Type a formula above, then press Enter.")


def steps(history: History) -> list[dict[str, str]]:
    """The workflow: what is done, and the first thing after it that is not."""
    document = history.document
    begun = beginning(history).document
    network = document.network
    past = history.entries[: history.position + 1]
    since = past[max(i for i, entry in enumerate(past) if entry.document is begun) :]

    def was(word: str) -> bool:
        return any(entry.label.startswith(word) for entry in since)

    done = {
        "compile": True,
        "expand": any(entry.document.network.width != begun.network.width for entry in since),
        "perturb": any(entry.document.perturbation.mode != "off" for entry in since),
        "train": document.steps > 0,
        "prune": was("prune"),
        "symbolify": was("fix") and not any(layer.spline_active.any() for layer in network.layers),
    }
    last = max(index for index, value in enumerate(done.values()) if value)
    rows = []
    for index, (key, is_done) in enumerate(done.items()):
        status = "done" if is_done else "next" if index == last + 1 else "open"
        rows.append({"key": key, "title": key.capitalize(), "status": status})
    return rows
