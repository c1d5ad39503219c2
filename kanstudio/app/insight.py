"""What a session learns about its formulas without waiting for it."""

from __future__ import annotations

from collections.abc import Callable

from kanstudio.app.aside import Aside
from kanstudio.app.costs import REST_S, Prospect, prospect, prospect_of, same_prospect
from kanstudio.app.formula_now import FormulaNow, formula_now, same_network
from kanstudio.app.reading import Check
from kanstudio.editor.document import Document

MAX_SAMPLES = 256


class Insight:
    """The prospects of the compiled and of the typed text, and the network's formula now.

    tell is called, by ``tick``, when there is something new.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._compiled = Aside(prospect_of, tell, same=same_prospect)
        self._typed = Aside(prospect, tell, rest_s=REST_S)
        self._now = Aside(formula_now, self._take, same=same_network)
        self._running = False
        self.formula: FormulaNow | None = None

    @property
    def compiled(self) -> Prospect | None:
        """Of the document's text; None while it is not known."""
        return self._compiled.value

    @property
    def typed(self) -> Prospect | None:
        """Of the text in the field; None while it is not known."""
        return self._typed.value

    def watch(self, document: Document) -> None:
        """This is the document from now on, and no run moves its network."""
        self._compiled.want(document if document.text else None)
        self._running = False
        self._now.want((document.network, document.dataset.train_x[:MAX_SAMPLES]))

    def type(self, check: Check) -> None:
        """This text is in the field from now on."""
        good = check.text.strip() and check.error is None
        self._typed.want((check.text, check.variables) if good else None)

    def follow(self, formula: FormulaNow | None) -> None:
        """A run has got to this formula; its worker made it."""
        self._running = True
        self.formula = formula or self.formula

    def _take(self) -> None:
        # What comes late, of the network before the run, would step back.
        if not self._running:
            self.formula = self._now.latest
            self._tell()

    def tick(self) -> None:
        """Take up what was worked out; called many times a second."""
        for aside in (self._compiled, self._typed, self._now):
            aside.tick()

    def close(self) -> None:
        """Nobody asks any more."""
        for aside in (self._compiled, self._typed, self._now):
            aside.close()
