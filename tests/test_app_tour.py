"""The guided tour: each step waits for the person, or is done by "Next"."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from test_app import FakeRunner

from kanstudio.app.page import Studio
from kanstudio.app.tour import FORMULA, STEPS
from kanstudio.editor.commands import Compile, ExpandDepth, Perturb


@pytest.fixture
def studio() -> Iterator[Studio]:
    made = Studio(FakeRunner)  # type: ignore[arg-type]
    made.desk.change("optimizer", "LM")
    made.desk.change("steps", 15)
    yield made
    made.close()


def until(studio: Studio, done: Callable[[], bool]) -> None:
    for _ in range(6_000):
        studio.tick()
        if done():
            return
        time.sleep(0.01)
    pytest.fail("it never came")


def names() -> list[str]:
    return [step.name for step in STEPS]


def test_next_leads_from_the_formula_and_back(studio: Studio) -> None:
    tour, session = studio.tour, studio.session
    tour.offer()
    assert tour.state == "offer"
    tour.start()
    for name in ("compile", "expand", "perturb"):
        assert tour.step.name == name
        tour.next()
    assert session.document.text == FORMULA
    assert session.network.width == [[2, 0], [2, 0], [1, 0]]
    assert tour.step.name == "train" and not tour.busy
    tour.next()
    assert tour.busy
    until(studio, lambda: tour.step.name == "prune")
    assert session.document.steps == 15
    for name in ("prune", "symbolify"):
        assert tour.step.name == name
        tour.next()
        assert tour.busy or tour.step.name != name
        until(studio, lambda name=name: tour.step.name != name)  # type: ignore[misc]
    assert tour.step.name == "read"
    assert session.network.width == [[2, 0], [1, 0], [1, 0]]
    assert not any(layer.spline_active.any() for layer in session.network.layers)
    assert studio.simplifier.card == ""
    until(studio, lambda: session.insight.formula is not None)
    tour.next()
    assert tour.state == "hidden"


def test_what_a_person_does_counts_and_anything_else_does_not(studio: Studio) -> None:
    tour, session = studio.tour, studio.session
    tour.start()
    session.do(ExpandDepth())
    assert tour.step.name == "compile"
    session.do(Compile("x*sin(y)"))
    assert tour.step.name == "expand"
    session.do(ExpandDepth())
    assert tour.step.name == "perturb"
    session.do(Perturb("minimal"))
    assert tour.step.name == "train"
    session.do(Perturb("off"))
    assert tour.step.name == "train"
    studio.desk.train()
    until(studio, lambda: bool(studio.desk.run_step))
    tour.next()
    assert tour.step.name == "prune" and studio.desk.state == "idle"


def test_where_there_is_nothing_to_do_the_tour_goes_on(studio: Studio) -> None:
    tour, session = studio.tour, studio.session
    tour.start()
    tour.next()
    tour.index = names().index("prune")
    for name in ("prune", "symbolify"):
        assert tour.step.name == name
        before = len(session.history.entries)
        tour.next()
        until(studio, lambda name=name: tour.step.name != name)  # type: ignore[misc]
        assert len(session.history.entries) == before


def test_it_is_left_at_any_moment_and_begins_anew(studio: Studio) -> None:
    tour = studio.tour
    tour.next()
    assert tour.state == "hidden"
    tour.start()
    tour.next()
    tour.leave()
    assert tour.state == "hidden"
    studio.session.do(ExpandDepth())
    tour.start()
    assert (tour.state, tour.index) == ("running", 0)
    tour.offer()
    assert tour.state == "running"
