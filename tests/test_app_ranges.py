"""Ranges of the inputs as people type them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanstudio.app.bounds import change_of_ranges, read_bound, read_range, spelled
from kanstudio.app.component import BadMessage, Message
from kanstudio.app.gallery import examples
from kanstudio.app.session import Selection, Session
from kanstudio.app.views.datacard import DataCard, ranges_of
from kanstudio.datasets import feynman_problems
from kanstudio.editor.document import new_document
from kanstudio.editor.rename import Rename
from kanstudio.errors import DataError
from kanstudio.training.data import Dataset


@pytest.mark.parametrize(
    ("text", "value"),
    [("2*pi", math.tau), ("-1e-3", -0.001), ("1/4", 0.25), ("sqrt(2)", 2**0.5),
     ("-π/2", -math.pi / 2)],
)  # fmt: skip
def test_a_bound_is_a_formula_without_variables(text: str, value: float) -> None:
    assert read_bound(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    ["", " ", "x", "1,5", "1/0", "10^400", "10^101", "1;2", "y=1",
     "inf", "sqrt(-1)", "1" * 99]
)  # fmt: skip
def test_what_is_no_bound_is_refused_in_words(text: str) -> None:
    with pytest.raises(DataError):
        read_bound(text)


@given(st.floats(-1e90, 1e90))
def test_a_number_is_spelled_as_it_is_read(value: float) -> None:
    assert read_bound(spelled(value)) == value


@given(st.integers(-20, 20), st.integers(1, 12))
def test_multiples_of_pi_come_back(top: int, bottom: int) -> None:
    value = read_bound(f"{top}*pi/{bottom}")
    assert read_bound(spelled(value)) == value
    assert top == 0 or "pi" in spelled(value)


def test_a_range_goes_up_and_names_its_input() -> None:
    assert read_range("x", "-pi", "pi") == (-math.pi, math.pi)
    for low, high in (("1", "1"), ("2", "1"), ("0", "y")):
        with pytest.raises(DataError, match="Range of x"):
            read_range("x", low, high)


def test_changes_of_ranges_are_said_briefly() -> None:
    one, two = ((0.0, 1.0),) * 5, ((0.0, 2.0),) * 5
    assert change_of_ranges("abcde", one, one) == ""
    assert change_of_ranges("abcde", one, two) == "all inputs from 0 to 2"
    assert change_of_ranges("abcde", one, (*one[:4], (0.0, math.tau))) == "e from 0 to 2*pi"


def draw(card: DataCard, lows: list[str], highs: list[str]) -> None:
    sizes = {"n_train": 50, "n_test": 20, "noise": 0, "seed": 0}
    card.actions["draw"](Message({"lows": lows, "highs": highs, **sizes}))


def test_each_input_has_its_own_range() -> None:
    session = Session(new_document("sqrt(x)*y"))
    card, network = DataCard(session), session.network
    draw(card, ["-1", "2"], ["1", "2*pi"])
    source = session.document.source
    assert source is not None and source.ranges == ((-1, 1), (2, math.tau))
    assert session.network.levels == network.levels
    x = session.document.dataset.train_x
    assert 0 <= x[:, 0].min() < x[:, 0].max() <= 1
    assert 2 <= x[:, 1].min() < x[:, 1].max() <= math.tau
    assert "lie outside" in session.notice.text and "y from 2 to 2*pi" in session.notice.text
    assert "lie outside" in card.state["outside"]
    session.undo()
    assert card.state["outside"] == ""


def test_a_wrong_range_is_marked_and_changes_nothing() -> None:
    session = Session(new_document("x*y"))
    card = DataCard(session)
    draw(card, ["0", "1"], ["1", "oops"])
    assert card.state["wrong"] == 1 and "Range of y, to" in card.state["error"]
    assert session.version == 1
    with pytest.raises(BadMessage):
        draw(card, ["0"], ["1"])


def test_examples_bring_their_own_ranges() -> None:
    session = Session(new_document("x"))
    problems = feynman_problems()
    for number in (1, 36, 77):
        session.open_example(examples()[1][1][number - 1])
        assert session.document.source is not None
        assert session.document.source.ranges == problems[number - 1].ranges


def test_without_a_source_the_ranges_are_those_of_the_samples() -> None:
    rows = [[0.123456, 5.0], [2.0, 5.0]]
    data = Dataset(rows, [[1.0], [2.0]], rows, [[1.0], [2.0]])
    document = replace(new_document("x*y"), source=None, dataset=data, table_name="a.csv")
    assert ranges_of(document)[0] == (0.123, 2.0)
    assert all(low < high for low, high in ranges_of(document))


def test_selection_survives_a_new_name() -> None:
    session = Session(new_document("x*y"))
    session.select(Selection("node", "0"))
    session.do(Rename("x", "t"))
    assert session.selected_node() == (0, 0)
    assert session.check.text == "t*y" and session.network.input_names == ("t", "y")


def test_changes_are_grouped_by_their_range() -> None:
    after = ((0.0, 2.0),) * 4 + ((0.0, math.tau),)
    said = change_of_ranges("abcde", ((0.0, 1.0),) * 5, after)
    assert said == "4 inputs from 0 to 2, e from 0 to 2*pi"
