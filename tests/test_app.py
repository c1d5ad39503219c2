"""What the Studio does with commands, runs, texts and messages, without a browser."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kanstudio.app.component import BadMessage, Message
from kanstudio.app.desk import WAITING, Desk, observe
from kanstudio.app.export import code_text, export
from kanstudio.app.figures import histogram, log_ticks, thinned
from kanstudio.app.formula_now import LiveFormula
from kanstudio.app.gallery import GALLERY, examples, find_example
from kanstudio.app.inline import one_line
from kanstudio.app.keeping import Keeping
from kanstudio.app.present import (
    arities,
    compiled_cost,
    composed_latex,
    front_counts,
    level_values,
    share_outside,
    small,
)
from kanstudio.app.reading import read
from kanstudio.app.session import Selection, Session
from kanstudio.app.views.level import LevelMenu
from kanstudio.app.views.sidebar import steps
from kanstudio.app.views.topbar import TopBar
from kanstudio.compiler import cost_of
from kanstudio.editor.commands import ExpandDepth, ExpandWidth, OpenModel, Perturb
from kanstudio.editor.document import network_document, new_document
from kanstudio.errors import FileError, TrainingError
from kanstudio.network.forward import evaluate
from kanstudio.training.handle import RunStatus
from kanstudio.training.run import TrainingRun


class FakeRun:
    """A run in this process, one step per poll."""

    def __init__(self, order: tuple[Any, ...], paused: bool, observed: Callable[..., Any]) -> None:
        self._run = TrainingRun(*order)
        self._due = 0 if paused else math.inf
        self._observed = observed
        self.closed = False

    def pause(self) -> None:
        self._due = 0

    def resume(self) -> None:
        self._due = math.inf

    def step(self) -> None:
        self._due += 1

    def stop(self) -> None:
        self._due = 0

    def close(self) -> None:
        self.closed = True

    def poll(self) -> RunStatus:
        if not self._due or self._run.finished:
            return RunStatus((), None, "running")
        self._due -= 1
        progress = self._run.step()
        network = self._run.network()
        state = "running" if self._run.state == "running" else self._run.state
        return RunStatus((progress,), network, state, self._run.message, self._observed(network))


class FakeRunner:
    def __init__(self) -> None:
        self.runs: list[FakeRun] = []

    def devices(self) -> tuple[str, ...]:
        return ("cpu",)

    def start(self, *order: Any, paused: bool, observer: Any, arguments: Any) -> FakeRun:
        self.runs.append(FakeRun(order, paused, lambda network: observer(network, *arguments)))
        return self.runs[-1]


class Room:
    """A session with its desk, and what was told."""

    def __init__(self, text: str = "x*y") -> None:
        self.session = Session(new_document(text))
        self.runner = FakeRunner()
        self.desk = Desk(self.session, lambda: self.runner)  # type: ignore[arg-type, return-value]
        self.told: list[str] = []
        self.session.listen(self.told.extend)

    def ticks(self, n: int) -> None:
        for _ in range(n):
            self.desk.tick()


def steps_done(session: Session) -> list[str]:
    return [row["status"] for row in steps(session.history)]


@pytest.fixture
def room() -> Room:
    return Room()


def labels(session: Session) -> list[str]:
    return [entry.label for entry in session.history.entries]


class TestSession:
    def test_compile_makes_a_version(self, room: Room) -> None:
        room.session.compile("sin(x) + y")
        assert room.session.version == 2
        assert room.session.document.text == "sin(x) + y"

    def test_mistake_changes_nothing(self, room: Room) -> None:
        room.session.compile("sin(x")
        assert room.session.version == 1
        assert room.session.check.error is not None
        assert "document" not in room.told

    def test_formula_without_a_network_is_explained_in_place(self, room: Room) -> None:
        room.session.compile("sqrt(-1 - x^2)")
        assert room.session.version == 1
        assert room.session.check.error is not None

    def test_same_inputs_keep_their_order(self, room: Room) -> None:
        room.session.compile("y*x")
        assert room.session.network.input_names == ("x", "y")

    def test_effect_of_an_exact_edit_is_said(self, room: Room) -> None:
        assert room.session.do(ExpandDepth()) is None
        assert "output unchanged, max difference 0" in room.session.notice.text

    def test_level_card_says_whether_the_level_can_go(self, room: Room) -> None:
        room.session.compile("sin(x*y)")
        card = LevelMenu(room.session)
        room.session.open_level(1, (0, 0))
        assert card.state["stays"] == "Layer 1 is needed: 1.1 multiplies."
        room.session.do(ExpandDepth(1))
        room.session.open_level(2, (0, 0))
        assert card.state["stays"] == ""
        card.actions["remove"](Message({"level": 2}))
        assert room.session.network.depth == 2
        assert not room.session.level_card.open

    def test_edit_that_does_not_fit_is_an_error_on_the_level_card(self, room: Room) -> None:
        room.session.open_level(1, (0, 0))
        room.session.widen(7, 1, None)
        assert room.session.level_card.open
        assert "7" in room.session.level_card.error
        room.session.widen(1, None, None)
        assert "Count" in room.session.level_card.error
        assert room.session.version == 1

    def test_undo_and_redo_move_through_the_history(self, room: Room) -> None:
        session = room.session
        first = session.document
        session.do(ExpandDepth())
        second = session.document
        session.undo()
        assert session.document is first
        session.redo()
        assert session.document is second
        session.redo()
        session.jump(99)
        assert session.document is second

    def test_text_follows_undo(self, room: Room) -> None:
        room.session.compile("x + y")
        count = room.session.text_count
        room.session.undo()
        assert room.session.text_count > count
        assert room.session.check.text == "x*y"

    def test_selection_survives_an_edit_and_ends_with_its_edge(self, room: Room) -> None:
        session = room.session
        session.select(Selection("node", "0"))
        session.do(ExpandDepth())
        assert session.selected_node() == (0, 0)
        level = session.network.depth
        session.select(Selection("node", str(session.network.levels[level][0].node_id)))
        session.undo()
        assert session.selection == Selection()

    def test_listener_that_fails_stops_no_other(self, room: Room) -> None:
        def broken(_: object) -> None:
            raise RuntimeError

        heard: list[object] = []
        room.session.listen(broken)
        room.session.listen(heard.append)
        room.session.say("hello")
        assert heard

    def test_every_example_opens(self) -> None:
        session = Session(new_document("x"))
        for example in GALLERY:
            session.open_example(example)
            assert session.document.text == example.formula, session.notice.text

    def test_examples_are_found_by_their_keys(self) -> None:
        assert sum(len(group) for _, group in examples()) == 120 + len(GALLERY)
        assert find_example("feynman-36") is not None
        assert find_example("nothing") is None


class TestDesk:
    def test_run_becomes_one_entry(self, room: Room) -> None:
        room.session.do(Perturb("all", 0.1))
        room.desk.change("steps", 3.0)
        room.desk.train()
        room.ticks(5)
        assert room.desk.state == "idle"
        assert labels(room.session)[-1] == "train · 3 steps"
        assert room.desk.steps == 3
        assert len(room.desk.curve()[0]) == 3
        assert room.runner.runs[0].closed

    def test_network_follows_the_run(self, room: Room) -> None:
        room.session.do(Perturb("all", 0.1))
        room.desk.train()
        room.ticks(2)
        assert room.session.network is not room.session.document.network
        assert room.desk.max_error is not None
        assert (now := room.session.insight.formula) is not None and now.lines
        assert "network" in room.told

    def test_pause_step_and_go_on(self, room: Room) -> None:
        room.session.do(Perturb("all", 0.1))
        room.desk.step()
        room.ticks(4)
        assert (room.desk.state, room.desk.run_step) == ("paused", 1)
        room.desk.toggle()
        room.ticks(2)
        assert (room.desk.state, room.desk.run_step) == ("training", 3)
        room.desk.toggle()
        assert room.desk.state == "paused"

    def test_edit_stops_the_run_and_keeps_it(self, room: Room) -> None:
        room.session.do(Perturb("all", 0.1))
        room.desk.train()
        room.ticks(2)
        room.session.do(ExpandDepth())
        assert labels(room.session)[-2:] == ["train · 2 steps", "add layer"]
        assert room.desk.state == "idle"
        assert "stopped at step 2" in room.session.notice.text

    def test_edit_that_does_not_fit_lets_the_run_go_on(self, room: Room) -> None:
        room.session.do(Perturb("all", 0.1))
        room.desk.train()
        room.ticks(2)
        assert room.session.do(ExpandWidth(9, 1)) is not None
        assert room.desk.state == "training"

    def test_undo_during_a_run_keeps_it(self, room: Room) -> None:
        room.session.do(Perturb("all", 0.1))
        room.desk.train()
        room.ticks(2)
        room.session.undo()
        assert labels(room.session)[-1] == "train · 2 steps"
        assert room.session.history.position == 1
        assert room.session.document.perturbation.mode == "all"
        room.session.redo()
        assert room.session.document.steps == 2

    def test_a_run_takes_the_place_of_what_was_undone(self, room: Room) -> None:
        for command in (ExpandDepth(), Perturb("all", 0.1), ExpandDepth()):
            room.session.do(command)
        room.session.jump(2)
        room.desk.train()
        room.ticks(2)
        assert not room.session.history.can_redo
        room.session.redo()
        room.session.jump(3)
        assert room.desk.state == "training"
        room.session.jump(0)
        assert labels(room.session)[-1] == "train · 2 steps"
        assert room.session.history.position == 0

    def test_run_that_ceases_to_be_finite_keeps_the_last_good_state(self, room: Room) -> None:
        room.session.compile("x^2 + y^2")
        room.session.do(Perturb("all", 0.1))
        room.desk.change("learning_rate", 1e6)
        room.desk.change("steps", 200)
        room.desk.train()
        room.ticks(250)
        assert room.desk.state in ("error", "idle")
        if room.desk.state == "error":
            assert "not finite" in room.desk.message
        x = room.session.document.dataset.test_x
        assert np.isfinite(evaluate(room.session.document.network, x)).all()

    def test_stop_before_the_first_step_adds_nothing(self, room: Room) -> None:
        room.desk.train()
        room.desk.stop()
        assert labels(room.session) == ["compile"]
        assert room.desk.state == "idle"

    def test_a_first_step_that_takes_long_is_explained_once(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("kanstudio.app.desk.PATIENT_S", 0.0)
        room.desk.train()
        run = room.runner.runs[-1]
        run.pause()
        room.ticks(1)
        assert room.session.notice.text == WAITING
        count = room.session.notice.count
        room.ticks(3)
        assert room.session.notice.count == count

    def test_failing_start_is_an_error_with_its_reason(self, room: Room) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise TrainingError("no")

        room.runner.start = refuse  # type: ignore[assignment]
        room.desk.train()
        assert (room.desk.state, room.desk.message) == ("error", "no")

    @pytest.mark.parametrize(
        ("name", "value"),
        [("steps", 0), ("steps", "many"), ("steps", None), ("lamb", -1), ("optimizer", "x"),
         ("learning_rate", math.inf), ("nonsense", 1), ("__class__", 1), ("batch", 1.5),
         ("device", "cuda:7"), ("update_grid", "yes")],
    )  # fmt: skip
    def test_bad_setting_is_refused(self, room: Room, name: str, value: object) -> None:
        before = room.desk.settings
        room.desk.change(name, value)
        assert room.desk.settings == before

    def test_reason_for_a_bad_setting_is_in_words_until_it_is_right(self, room: Room) -> None:
        room.desk.change("learning_rate", -1.0)
        room.desk.change("steps", None)
        assert room.session.notice.text.startswith("Steps is a whole number from 1")
        assert room.desk.wrong == ("learning_rate", "steps")
        room.desk.change("learning_rate", 0.1)
        assert room.session.notice.text.startswith("Steps")
        room.desk.change("steps", 10.0)
        assert (room.session.notice.text, room.desk.wrong) == ("", ())

    @pytest.mark.parametrize("name", ["lamb", "batch", "lamb_coef", "grid_update_num"])
    def test_reason_names_no_python(self, room: Room, name: str) -> None:
        room.desk.change(name, -2.0)
        assert room.session.notice.tone == "error"
        assert name not in room.session.notice.text

    def test_close_ends_the_run(self, room: Room) -> None:
        room.desk.train()
        room.desk.close()
        assert room.runner.runs[0].closed

    def test_observer_agrees_with_the_document(self) -> None:
        document = new_document("sin(x)*y")
        x = document.dataset.test_x
        assert document.function is not None
        seen = observe(document.network, x, x, document.function(x), LiveFormula())
        assert seen.max_error == pytest.approx(document.max_error)


class TestReading:
    def test_mistake_has_its_place(self) -> None:
        error = read("a +\n sin(").error
        assert error is not None
        assert (error.line, error.column) == (2, 6)

    def test_empty_text_is_no_mistake(self) -> None:
        assert read("  ").error is None

    @given(st.text(max_size=60))
    def test_any_text_is_read_or_explained(self, text: str) -> None:
        check = read(text)
        assert check.error is None or 0 <= check.error.start <= check.error.end <= len(text) + 1

    @pytest.mark.parametrize(
        ("latex", "line"),
        [
            (r"\frac{a}{b}", "a/b"),
            (r"\frac{a + b}{c \, d}", r"(a + b)/(c \, d)"),
            (r"\frac{x}{2} y", "(x/2) y"),
            (r"x^{\frac{1}{2}} + 1", "x^{1/2} + 1"),
            (r"\frac{v^{2}}{c^{2}}", "v^{2}/c^{2}"),
            (r"\frac{1}{\sqrt{1 - \frac{a}{b}}}", r"1/\sqrt{1 - a/b}"),
            (r"\left(1 + \frac{v}{c}\right)", "(1 + v/c)"),
            (r"\frac{1}{\frac{a}{b}}", "1/(a/b)"),
            (r"\frac{1}{\omega_{0}}", r"1/\omega_{0}"),
        ],
    )
    def test_fractions_get_a_slash(self, latex: str, line: str) -> None:
        assert one_line(latex) == line

    def test_feynman_formulas_fit_on_a_line(self) -> None:
        for _, group in examples():
            for example in group:
                line = one_line(read(example.formula, example.inputs).latex)
                assert r"\frac" not in line
                assert line.count("{") == line.count("}")
                assert line.count("(") == line.count(")")


class TestExport:
    @pytest.mark.parametrize("kind", ["python", "torch"])
    def test_code_computes_what_the_network_computes(self, kind: str) -> None:
        session = Session(new_document("exp(sin(pi*x) + y^2)/sqrt(2 + lambda)"))
        session.do(ExpandDepth())
        space: dict[str, Any] = {}
        exec(code_text(session, kind), space)
        document = session.document
        assert document.function is not None
        x = document.dataset.test_x[:50]
        expected = document.function(x)[:, 0]
        columns = [torch.tensor(column) for column in x.T] if kind == "torch" else x.T
        np.testing.assert_allclose(space["formula"](*columns), expected, rtol=1e-12)

    def test_files_are_what_they_say(self) -> None:
        session = Session(new_document("x*y"))
        assert export(session, "svg")[2].startswith(b"<svg")
        assert export(session, "png")[2].startswith(b"\x89PNG")
        assert export(session, "latex")[2] == b"f = x y\n"
        assert b"double formula(double x, double y)" in export(session, "c")[2]
        facts = json.loads(export(session, "json")[2])
        assert facts["width"] == session.network.width
        assert len(facts["edges"]) == session.network.n_edge
        with pytest.raises(FileError):
            export(session, "exe")

    def test_export_that_fails_says_why(self) -> None:
        class Page:
            def download(self, *_: object) -> None:
                raise AssertionError

            def open_data(self, *_: object) -> None:
                raise AssertionError

        session = Session(new_document("x*y"))
        session.do(Perturb("all", 0.1))
        TopBar(session, Page(), Keeping(session)).actions["export"](Message({"what": "python"}))
        assert session.notice.tone == "error" and "are splines" in session.notice.text


class TestMessages:
    @given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
                        lambda inner: st.lists(inner, max_size=3), max_leaves=6))  # fmt: skip
    def test_what_a_browser_sends_is_checked(self, value: object) -> None:
        message = Message({"value": value})
        number = message.number("value")
        assert number is None or math.isfinite(number)
        whole = message.whole("value")
        assert whole is None or isinstance(whole, int)
        for check in (message.text, message.texts):
            try:
                check("value")
            except BadMessage:
                continue

    @pytest.mark.parametrize(
        ("text", "numbers"),
        [("3", (3,)), ("2, 3", (2, 3)), ("2 3", (2, 3)), ("", None), ("2,-3", None), ("x", None),
         ("²", None), ("99999", None)],
    )  # fmt: skip
    def test_arities_are_read(self, text: str, numbers: tuple[int, ...] | None) -> None:
        assert arities(text) == numbers


class TestWords:
    def test_counts_of_fronts_add_up(self) -> None:
        session = Session(new_document("x*y + sin(x)"))
        session.do(Perturb("all", 0.1))
        assert sum(front_counts(session.network)) == session.network.n_edge
        before = session.history.entries[0].document.network
        assert cost_of(session.network).parameters > cost_of(before).parameters

    def test_last_level_holds_the_outputs(self) -> None:
        document = new_document("x*y + sin(x)")
        x = document.dataset.test_x[:20]
        values = level_values(document.network, x, document.network.depth)
        np.testing.assert_array_equal(values, evaluate(document.network, x))

    def test_composed_functions_are_read_with_simple_numbers(self) -> None:
        network = new_document("exp(sin(pi*x) + x^2)*y", strategy="compact").network
        names = {f for layer in network.layers for row in layer.functions for f in row}
        (name,) = (name for name in names if "exp" in name)
        assert "3.14" in name
        assert composed_latex(name) == r"e^{x^{2} + \sin\left(\pi x\right)}"
        assert composed_latex("sin") == ""

    def test_share_outside_a_domain_is_counted(self) -> None:
        x = np.linspace(-1, 1, 201)
        assert share_outside("sqrt", np.array([1.0, 0.0, 1.0, 0.0]), x) == pytest.approx(100 / 201)
        assert share_outside("sqrt", np.array([1.0, 2.0, 1.0, 0.0]), x) == 0
        assert share_outside("sin", np.array([1.0, 0.0, 1.0, 0.0]), x) == 0

    def test_small_numbers_stay_short(self) -> None:
        assert small(None) == "–"
        assert small(0.0) == "0"
        assert len(small(-1.23456789e-12)) <= 10

    def test_workflow_says_what_comes_next(self) -> None:
        session = Session(new_document("x*y"))
        assert steps_done(session) == ["done", "next", "open", "open", "open", "open"]
        session.do(ExpandDepth())
        session.do(Perturb("all", 0.1))
        assert steps_done(session) == ["done", "done", "done", "next", "open", "open"]
        session.compile("x + y")
        assert steps_done(session) == ["done", "next", "open", "open", "open", "open"]

    @given(st.floats(1e-12, 1e6), st.floats(1.1, 15))
    def test_log_axes_have_three_to_five_ticks(self, low: float, decades: float) -> None:
        high = low * 10**decades
        ticks = log_ticks(low, high)
        assert 3 <= len(ticks) <= 5
        assert all(low <= tick <= high and one < tick for one, tick in pairwise([0, *ticks]))

    def test_the_taken_layout_costs_what_it_cost(self, room: Room) -> None:
        room.session.compile("x*y + sin(x)")
        cost = cost_of(room.session.network)
        for command in (ExpandDepth(), Perturb("all", 0.1)):
            room.session.do(command)
        assert compiled_cost(room.session.history) == cost
        opened = room.session.document
        room.session.do(OpenModel("a.safetensors", opened))
        assert compiled_cost(room.session.history) is None
        assert steps(room.session.history)[1]["status"] != "done"

    def test_thinned_keeps_the_ends(self) -> None:
        chosen = thinned(10_000, 100)
        assert (chosen[0], chosen[-1]) == (0, 9_999)
        assert len(chosen) <= 100

    def test_histogram_stands_on_its_floor(self) -> None:
        x = np.linspace(0, 1, 50)
        bars = histogram(np.random.default_rng(0).random(500), x, np.sin(x))
        assert (bars["top"] >= bars["bottom"]).all()

    def test_model_without_a_formula_has_a_document(self) -> None:
        network = new_document("x*y").network
        document = network_document(network, ((-1, 1), (-1, 1)))
        session = Session(document, "model")
        assert document.formula is None
        assert document.max_error is None
        session.do(ExpandDepth())
        assert labels(session) == ["model", "add layer"]
