"""Models leave the Studio as files and come back, with their formula."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanstudio import KAN
from kanstudio.app.component import Message
from kanstudio.app.export import export
from kanstudio.app.session import Session
from kanstudio.app.views.datacard import DataCard
from kanstudio.editor.commands import ExpandWidth, Perturb, apply
from kanstudio.editor.document import Document, network_document, new_document
from kanstudio.editor.model_file import KEY, grid_ranges, model_bytes, read_model
from kanstudio.errors import KanStudioError
from kanstudio.files import network_bytes

TEXT = "u = sin(x*y) + x; v = exp(y)"


def document() -> Document:
    start = new_document(TEXT, ranges={"x": (0, 2), "y": (-1, 0)}, strategy="tree")
    return apply(apply(start, ExpandWidth(1, 1)), Perturb("all", 0.1))


def upload(card: DataCard, name: str, content: bytes) -> None:
    text = base64.b64encode(content).decode()
    card.actions["piece"](Message({"name": name, "size": len(content), "at": 0, "base64": text}))


def test_a_model_file_keeps_network_formula_and_ranges() -> None:
    before = document()
    after = read_model(model_bytes(before))
    assert after.network.same_values(before.network)
    assert (after.text, after.source, after.strategy) == (TEXT, before.source, "tree")
    assert after.dataset.same_values(before.dataset)


def test_python_reads_the_same_file() -> None:
    before = document()
    assert KAN.load(model_bytes(before)).network().same_values(before.network)


def test_a_network_without_a_formula_comes_back_with_its_own_samples() -> None:
    network = new_document("x*y", ranges={"x": (0, 2), "y": (3, 4)}).network
    before = network_document(network, ((0, 2), (3, 4)))
    after = read_model(model_bytes(before))
    assert after.text == "" and after.max_error is None
    assert after.source is not None and after.source.ranges == grid_ranges(network)
    assert 2.9 < after.dataset.train_x[:, 1].min() <= after.dataset.train_x[:, 1].max() < 4.1


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.just(TEXT),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["text", "ranges", "strategy"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_what_a_file_says_of_its_formula_is_checked(value: object) -> None:
    network = new_document(TEXT).network
    try:
        data = network_bytes(network, {KEY: value})
        after = read_model(data)
    except (KanStudioError, ValueError):
        return
    assert after.network.same_values(network)
    assert after.text in ("", TEXT)


def test_a_formula_of_another_network_does_not_count() -> None:
    network = new_document("x*y").network
    for text in ("x*z", "a; b", "sin(", "u = x*y"):
        assert read_model(network_bytes(network, {KEY: {"text": text}})).text == ""


def test_opening_a_model_is_one_undoable_step() -> None:
    session = Session(new_document("x + y"))
    card = DataCard(session)
    before = session.document
    source = Session(document())
    name, _, content = export(source, "model")
    upload(card, name, content)
    assert session.document.network.same_values(source.network)
    assert session.history.entries[-1].label == f"open {name}" and session.strategy == "tree"
    session.undo()
    assert session.document is before


@pytest.mark.parametrize("cut", [0, 10, -1])
def test_a_damaged_model_is_explained(cut: int) -> None:
    session = Session(new_document("x"))
    card = DataCard(session)
    content = model_bytes(document())
    upload(card, "a.safetensors", content[:cut] or b"{}")
    assert "a.safetensors" in card.state["error"] and session.version == 1
