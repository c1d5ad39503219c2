"""Removing nodes, fixing edges and giving splines back as commands, and undo."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kanstudio.editor.commands import Command, ExpandWidth, Perturb, apply
from kanstudio.editor.document import Document, new_document
from kanstudio.editor.edges import RemoveEdge, RemoveNode
from kanstudio.editor.history import History
from kanstudio.editor.simplify import Fix, FixEdges, Prune, UnfixEdge
from kanstudio.errors import KanStudioError
from kanstudio.network.forward import evaluate
from kanstudio.network.network import EdgeRef
from kanstudio.training.data import FormulaData


@pytest.fixture(scope="module")
def document() -> Document:
    return new_document(
        "exp(sin(3*x) + y^2)",
        ranges={"x": (-1, 1), "y": (-1, 1)},
        source=FormulaData(ranges=(), n_train=100, n_test=50),
    )


def edges_of(document: Document) -> list[str]:
    return [
        document.network.edge_id(EdgeRef(index, source, subnode))
        for index, layer in enumerate(document.network.layers)
        for subnode, source in np.argwhere(layer.active).tolist()
    ]


def test_a_node_can_be_removed_and_the_perturbation_still_be_switched_off(
    document: Document,
) -> None:
    wide = apply(apply(document, ExpandWidth(1, 1)), Perturb("all"))
    before = {node.node_id for node in document.network.levels[1]}
    (added,) = {node.node_id for node in wide.network.levels[1]} - before
    narrow = apply(wide, RemoveNode(added))
    assert narrow.network.levels == document.network.levels
    off = apply(narrow, Perturb("off"))
    x = document.dataset.test_x
    assert evaluate(off.network, x) == pytest.approx(evaluate(document.network, x), rel=1e-12)


def test_a_fixed_edge_gets_its_spline_back(document: Document) -> None:
    perturbed = apply(document, Perturb("all", 0.3))
    (edge, *_), x = edges_of(perturbed), document.dataset.test_x
    bare = apply(perturbed, UnfixEdge(edge))
    fixed = apply(bare, FixEdges((Fix(edge, "tanh", (1.0, 2.0, 3.0, 4.0)),)))
    back = apply(fixed, UnfixEdge(edge))
    assert evaluate(back.network, x) == pytest.approx(evaluate(bare.network, x), rel=1e-12)
    assert not np.array_equal(evaluate(back.network, x), evaluate(fixed.network, x))


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (RemoveNode(99), "no node 99"),
        (RemoveNode(0), "hidden levels"),
        (UnfixEdge("77-78.0"), "no edge"),
        (FixEdges((Fix("0-0.0", "sin", (1, 0, 1, 0)),)), "no edge"),
        (Prune(node_threshold=float("nan")), "threshold"),
    ],
)
def test_errors_leave_the_document(document: Document, command: Command, says: str) -> None:
    history = History.start(apply(document, Perturb("all", 0.1)))
    with pytest.raises(KanStudioError, match=says):
        history.do(command)
    assert len(history.entries) == 1
    edge = edges_of(history.document)[0]
    history = history.do(UnfixEdge(edge))
    with pytest.raises(KanStudioError, match="has no function"):
        history.do(UnfixEdge(edge))


@settings(max_examples=20)
@given(data=st.data())
def test_undoing_everything_restores_the_document(document: Document, data: st.DataObject) -> None:
    history = History.start(document)
    for _ in range(data.draw(st.integers(1, 6))):
        levels = history.document.network.levels
        edge = data.draw(st.sampled_from(edges_of(history.document) or ["0-0.0"]))
        node = data.draw(st.sampled_from([node.node_id for level in levels for node in level]))
        commands: list[Command] = [
            Prune(), RemoveEdge(edge), RemoveNode(node), UnfixEdge(edge), ExpandWidth(1, 1),
            FixEdges((Fix(edge, "tanh", (1, 0, 1, 0)),)), FixEdges((Fix(edge, "0", (1, 0, 0, 2)),)),
            Perturb("all", 0.2), Perturb("off"),
        ]  # fmt: skip
        command = data.draw(st.sampled_from(commands))
        try:
            history = history.do(command)
        except KanStudioError:
            continue
        assert command.label
        now = history.document
        assert np.isfinite(evaluate(now.network, now.dataset.test_x)).all()
        assert now.unperturbed is None or now.unperturbed.levels == now.network.levels
    last = history.document
    while history.can_undo:
        history = history.undo()
    assert history.document is document
    while history.can_redo:
        history = history.redo()
    assert history.document is last
