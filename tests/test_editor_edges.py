"""Edits of one edge or node: its numbers, its removal."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanstudio.editor.commands import Perturb, apply
from kanstudio.editor.document import Document, new_document
from kanstudio.editor.edges import RemoveEdge, RemoveNode, SetAffine
from kanstudio.errors import EditError
from kanstudio.network.forward import evaluate
from kanstudio.network.network import EdgeRef

TEXT = "x*sin(y)"


def document() -> Document:
    return new_document(TEXT)


def first_edge(doc: Document) -> str:
    (subnode, source), *_ = np.argwhere(doc.network.layers[0].active)
    return doc.network.edge_id(EdgeRef(0, int(source), int(subnode)))


@given(st.sampled_from("abcd"), st.floats(-3, 3))
def test_a_number_changes_the_output_by_its_formula(letter: str, value: float) -> None:
    before = new_document("sin(x) + y")
    layer = before.network.layers[0]
    source = layer.functions[0].index("sin")
    numbers = dict(zip("abcd", layer.affine[0, source].tolist(), strict=True)) | {letter: value}
    edge = before.network.edge_id(EdgeRef(0, source, 0))
    after = apply(before, SetAffine(edge, letter, value))
    x, y = before.dataset.test_x.T
    sine = np.sin(numbers["a"] * x + numbers["b"])
    expected = numbers["c"] * sine + numbers["d"] + y
    found = evaluate(after.network, before.dataset.test_x)[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_same_number_changes_nothing() -> None:
    before = document()
    edge = first_edge(before)
    at = before.network.find_edge(edge)
    assert at is not None
    value = float(before.network.layers[at.layer].affine[at.subnode, at.source, 0])
    assert apply(before, SetAffine(edge, "a", value)).network.same_values(before.network)


@pytest.mark.parametrize(
    "command",
    [SetAffine("0-99.0", "a", 1.0), SetAffine("?", "a", 1.0), RemoveEdge("7-7.7")],
)
def test_an_edge_that_is_not_there_is_refused(command: SetAffine | RemoveEdge) -> None:
    with pytest.raises(EditError, match="there is no edge"):
        apply(document(), command)


def test_numbers_that_mean_nothing_are_refused() -> None:
    doc = document()
    edge = first_edge(doc)
    for letter, value in (("e", 1.0), ("a", math.inf), ("d", math.nan)):
        with pytest.raises(EditError, match="finite numbers"):
            apply(doc, SetAffine(edge, letter, value))
    off = apply(doc, RemoveEdge(edge))
    with pytest.raises(EditError, match="no symbolic function"):
        apply(off, SetAffine(edge, "a", 2.0))
    with pytest.raises(EditError, match="off already"):
        apply(off, RemoveEdge(edge))


def test_a_removed_edge_leaves_its_mean_and_stays_removed_without_the_perturbation() -> None:
    doc = apply(document(), Perturb("all", 0.1))
    edge = first_edge(doc)
    at = doc.network.find_edge(edge)
    assert at is not None
    after = apply(doc, RemoveEdge(edge, "x"))
    plain = apply(after, Perturb("off"))
    for one in (after, plain):
        assert not one.network.layers[at.layer].active[at.subnode, at.source]
    # The factor x of the product is its mean from now on.
    train, test = doc.dataset.train_x, doc.dataset.test_x
    expected = train[:, 0].mean() * np.sin(test[:, 1])
    np.testing.assert_allclose(evaluate(plain.network, test)[:, 0], expected, atol=1e-12)


def test_a_removed_node_takes_its_edges_along() -> None:
    before = apply(new_document("exp(x*y) + sin(x + y)"), Perturb("all", 0.1))
    level = before.network.levels[1]
    assert len(level) > 1
    node = level[0].node_id
    after = apply(before, RemoveNode(node, "1.1"))
    for network in (after.network, apply(after, Perturb("off")).network):
        assert network.find_node(node) is None
        assert len(network.levels[1]) == len(level) - 1
    with pytest.raises(EditError, match="there is no node"):
        apply(after, RemoveNode(node))
    with pytest.raises(EditError, match="hidden levels"):
        apply(before, RemoveNode(before.network.levels[0][0].node_id))
