"""The status line: facts for people, and the same for machines as data attributes."""

from __future__ import annotations

from typing import Any

from kanstudio.app.component import Part, script
from kanstudio.app.desk import Desk
from kanstudio.app.keeping import Keeping, Kept
from kanstudio.app.present import facts_of_structure, plural, small
from kanstudio.app.session import Session, Topic
from kanstudio.app.tour import Tour
from kanstudio.compiler import cost_of

KEPT: dict[Kept, str] = {"unchanged": "No changes", "saved": "Saved", "unsaved": "Not saved"}
WORDS = {"idle": "Ready", "training": "Training", "paused": "Paused", "error": "Stopped"}


class StatusLine(Part):
    """One element, ``#kanstudio-status``."""

    _esm = script("status.js")

    def __init__(
        self,
        session: Session,
        desk: Desk,
        keeping: Keeping,
        tour: Tour | None = None,
        **params: Any,
    ) -> None:
        super().__init__(**params)
        self._session = session
        self._desk = desk
        self._keeping = keeping
        self._tour = tour
        self.actions = {"tour": lambda _: tour.start() if tour else None}
        session.listen(self._update)
        self._update(frozenset({"document", "run"}))

    def _update(self, topics: frozenset[Topic]) -> None:
        if not topics & {"document", "run", "settings", "saved", "tour"}:
            return
        session, desk = self._session, self._desk
        network, losses = session.network, desk.losses
        structure = facts_of_structure(network)
        cost = cost_of(network)
        kept = self._keeping.state
        self.put(
            data={
                "state": desk.state,
                "version": session.version,
                **structure,
                "step": desk.steps,
                "train-loss": losses.train,
                "test-loss": losses.test,
                "max-error": desk.max_error,
                "kept": kept,
            },
            text=WORDS[desk.state],
            facts=[
                plural(cost.nodes, "node"),
                f"{plural(cost.edges, 'active edge')}: {structure['edges-symbolic']} symbolic, "
                f"{structure['edges-spline']} spline, {structure['edges-both']} both",
                f"depth {cost.depth}",
                plural(cost.parameters, "parameter"),
                desk.settings.device,
                f"max |network − formula| {small(desk.max_error)}",
            ],
            kept=KEPT[kept],
            tour=self._tour is not None and self._tour.state == "hidden",
        )
