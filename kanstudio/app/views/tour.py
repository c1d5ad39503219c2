"""The tour's place above the inspector: what to do next, and where."""

from __future__ import annotations

from typing import Any

from kanstudio.app.component import Part, script
from kanstudio.app.session import Session, Topic
from kanstudio.app.tour import STEPS, Tour

WAIT = {"train": "In training. Next stops it and keeps what it learned."}


class TourCard(Part):
    """Offers the tour on a first visit, leads through it, and never comes back uncalled."""

    _esm = script("tour.js")

    def __init__(self, session: Session, tour: Tour, **params: Any) -> None:
        super().__init__(**params)
        self._tour = tour
        self.actions = {
            "new": lambda _: tour.offer(),
            "start": lambda _: tour.start(),
            "next": lambda _: tour.next(),
            "leave": lambda _: tour.leave(),
        }
        session.listen(self._update)
        self._update(frozenset({"tour"}))

    def _update(self, topics: frozenset[Topic]) -> None:
        if "tour" not in topics:
            return
        tour, step = self._tour, self._tour.step
        last = step.name == "read"
        self.put(
            mode=tour.state,
            step=step.name,
            count=f"Step {tour.index + 1} of {len(STEPS)}",
            title=step.title,
            text=step.text,
            next="Finish" if last else "Next",
            wait=WAIT.get(step.name, "Working it out …") if tour.busy else "",
        )
