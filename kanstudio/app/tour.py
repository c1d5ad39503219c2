"""The guided tour: the compiler tutorial in seven steps, done by a person or by "Next"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kanstudio.app.desk import Desk
from kanstudio.app.parts import Page
from kanstudio.app.session import Selection, Session, Topic
from kanstudio.app.simplifier import Card, Simplifier
from kanstudio.editor.commands import ExpandDepth, ExpandWidth, Perturb

FORMULA = "exp(sin(pi*x) + y^2)"
State = Literal["hidden", "offer", "running"]
Name = Literal["compile", "expand", "perturb", "train", "prune", "symbolify", "read"]


@dataclass(frozen=True)
class Step:
    """One thing to do; it is done once the newest entry of the history begins with a label."""

    name: Name
    title: str
    text: str
    labels: tuple[str, ...] = ()


STEPS = (
    Step("compile", "Compile a formula",
         f"Type {FORMULA} into the field at the top and press Enter. Every function becomes an "
         "edge, every sum or product a node.", ("compile",)),
    Step("expand", "Give it room",
         "Click the band of Layer 1 and add a sum node. The output stays the same: the node is "
         "silent until it is trained.", ("layer ", "add layer")),
    Step("perturb", "Perturb it",
         "Choose All under Perturb. Every edge gets a small spline beside its function: now the "
         "network can learn, and is a little wrong.", ("perturb a", "perturb m", "perturb n")),
    Step("train", "Train it",
         "Press Train. The curves, the losses and the formula follow live; Stop keeps what was "
         "learned so far.", ("train ",)),
    Step("prune", "Prune what hardly matters",
         "Click Prune in the workflow: what would go is faded. Then press Prune in the card.",
         ("prune",)),
    Step("symbolify", "Turn curves into functions",
         "Click Symbolify in the workflow, then Fix: every spline that looks like a function "
         "becomes it.", ("fix ",)),
    Step("read", "Read the formula back",
         f"Formula now is what the network has become. Compare it with {FORMULA}: what is new in "
         "it came from the data."),
)  # fmt: skip


class Tour:
    """Where a person is on the tour; told as "tour".

    A step that is done leads to the next by itself; ``next`` does it. What has to be
    worked out first, or trained, is awaited.
    """

    def __init__(self, session: Session, desk: Desk, simplifier: Simplifier, page: Page) -> None:
        self._session, self._desk = session, desk
        self._simplifier, self._page = simplifier, page
        self._awaited: Card = ""
        self.state: State = "hidden"
        self.index = 0
        session.listen(self._update)

    @property
    def step(self) -> Step:
        return STEPS[self.index]

    @property
    def busy(self) -> bool:
        """Whether the step has been begun and ends by itself."""
        return bool(self._awaited) or (self.step.name == "train" and self._session.running)

    def offer(self) -> None:
        """A first visit: the tour is a click away."""
        if self.state == "hidden":
            self._set("offer")

    def start(self) -> None:
        self._set("running")

    def leave(self) -> None:
        self._set("hidden")

    def next(self) -> None:
        """Do what the step asks for; what cannot be done is passed over."""
        if self.state != "running":
            return
        if self.step.name == "read":
            self.leave()
            return
        before = self.index
        self._acts[self.step.name]()
        if self.index == before and not self.busy:
            self._advance()
        self._session.tell("tour")

    @property
    def _acts(self) -> dict[Name, Callable[[], object]]:
        session = self._session
        room = ExpandWidth(1, 1) if session.network.depth > 1 else ExpandDepth()
        return {
            "compile": lambda: session.compile(FORMULA),
            "expand": lambda: session.do(room),
            "perturb": lambda: session.do(Perturb("all")),
            "train": self._train,
            "prune": lambda: self._await("prune"),
            "symbolify": lambda: self._await("symbolify"),
        }

    def _train(self) -> None:
        """Start; a second "Next" ends the run and keeps what it learned."""
        if self._session.running:
            self._desk.stop()
        else:
            self._desk.train()

    def _await(self, card: Card) -> None:
        """Open the card and do what it shows, once it is known; a second "Next" goes on."""
        if self._awaited:
            self._awaited = ""
            return
        self._page.open_simplify(card)
        self._awaited = card
        # It may be known already: then nobody would tell.
        self._finish()

    def _set(self, state: State) -> None:
        self.state, self.index, self._awaited = state, 0, ""
        self._session.tell("tour")

    def _advance(self) -> None:
        self.index += 1
        self._awaited = ""
        if self.step.name == "read":
            self._page.open_simplify("")
            self._session.select(Selection())

    def _update(self, topics: frozenset[Topic]) -> None:
        if self.state != "running":
            return
        before = self.index, self.busy
        if "document" in topics and self._is_done():
            self._advance()
        elif "aside" in topics:
            self._finish()
        if topics & {"document", "run", "aside"} and before != (self.index, self.busy):
            self._session.tell("tour")

    def _is_done(self) -> bool:
        history = self._session.history
        return history.entries[history.position].label.startswith(self.step.labels or ("\n",))

    def _finish(self) -> None:
        """What was awaited is known: do it, or pass the step over where there is nothing to do."""
        simplifier, card = self._simplifier, self._awaited
        if card == "prune" and (prospect := simplifier.prospect) is not None:
            self._awaited = ""
            if prospect.n_edges:
                simplifier.prune()
        elif card == "symbolify" and (looks := simplifier.all) is not None and not looks.left:
            self._awaited = ""
            if simplifier.good():
                simplifier.symbolify()
        else:
            return
        self._page.open_simplify("")
        if card == self.step.name:
            # It was not done: there was nothing to do.
            self._advance()
