"""Pruning and fixing edges: shown before it is done, done as it was shown."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from test_app import Room

from kanstudio.app.session import Selection
from kanstudio.app.simplifier import Cut, Look, Simplifier, cut, look, spline_edges
from kanstudio.app.views.network import without
from kanstudio.app.views.sidebar import steps
from kanstudio.app.views.simplify import SimplifyCard, guess
from kanstudio.editor.commands import ApplyTraining, Perturb, apply
from kanstudio.editor.document import Document, LossRecord, new_document
from kanstudio.editor.simplify import Fix, FixEdges, Prune, edge_ids, n_edges
from kanstudio.errors import EditError
from kanstudio.network.forward import evaluate
from kanstudio.network.network import EdgeRef
from kanstudio.scene.frame import frame_of
from kanstudio.scene.scene import build_scene
from kanstudio.snapping.suggest import Suggestion
from kanstudio.training.run import TrainingRun
from kanstudio.training.settings import TrainingSettings


@pytest.fixture(scope="module")
def trained() -> Document:
    document = apply(new_document("x*sin(y) + x"), Perturb("all", 0.1))
    run = TrainingRun(
        document.network, document.dataset, TrainingSettings(optimizer="LM", steps=20)
    )
    losses = tuple(LossRecord(p.step, p.train_loss, p.test_loss) for p in run)
    return apply(document, ApplyTraining(run.network(), losses))


def studio(document: Document) -> tuple[Room, Simplifier]:
    room = Room()
    room.session.history = room.session.history.add("open a.safetensors", document)
    simplifier = Simplifier(room.session)
    return room, simplifier


def wait(simplifier: Simplifier, name: str) -> None:
    for _ in range(6_000):
        simplifier.tick()
        if getattr(simplifier, name) is not None:
            return
        time.sleep(0.01)
    pytest.fail("nothing came back")


def wait_for_all(simplifier: Simplifier) -> None:
    for _ in range(6_000):
        simplifier.tick()
        if simplifier.all is not None and not simplifier.all.left:
            return
        time.sleep(0.01)
    pytest.fail("nothing came back")


def test_what_is_shown_is_what_pruning_does(trained: Document) -> None:
    for node, edge in ((0.0, 0.0), (0.01, 0.03), (0.1, 0.3)):
        shown = cut(Cut(trained, node, edge))
        if not shown.n_edges:
            with pytest.raises(EditError, match="nothing to prune"):
                apply(trained, Prune(node, edge))
            continue
        done = apply(trained, Prune(node, edge))
        assert n_edges(trained.network) - n_edges(done.network) == shown.n_edges
        assert set(edge_ids(trained.network)) - set(edge_ids(done.network)) == shown.gone
        x = trained.dataset.test_x
        change = np.abs(evaluate(done.network, x) - evaluate(trained.network, x)).max()
        assert shown.change == pytest.approx(change)
        kept = done.network.levels == trained.network.levels
        assert (done.unperturbed is not None) == (done.perturbation.mode == "all") == kept
        assert done.losses == trained.losses


def test_fixed_edges_are_the_functions_that_were_suggested(trained: Document) -> None:
    edges = spline_edges(trained.network)
    found = look(Look(trained, edges))
    assert [edge for edge, _ in found.rows] == list(edges)
    edge, rows = found.rows[0]
    best = rows[0]
    fix = Fix(trained.network.edge_id(edge), best.name, best.affine)
    after = apply(trained, FixEdges((fix,), "one"))
    layer = after.network.layers[edge.layer]
    at = edge.subnode, edge.source
    assert layer.functions[edge.subnode][edge.source] == best.name
    assert not layer.spline_active[at]
    np.testing.assert_array_equal(layer.affine[at], best.affine)
    with pytest.raises(EditError, match="no edge to fix"):
        apply(trained, FixEdges(()))
    with pytest.raises(EditError, match="there is no edge"):
        apply(trained, FixEdges((replace(fix, edge="99-98.0"),)))


def test_no_perturbation_takes_a_fix_back_by_surprise(trained: Document) -> None:
    for document, mode in ((trained, "all"), (replace(trained, trained=0), "off")):
        edge = spline_edges(document.network)[0]
        fix = Fix(document.network.edge_id(edge), "sin", (1.0, 0.0, 1.0, 0.0))
        fixed = apply(document, FixEdges((fix,)))
        assert fixed.perturbation.mode == mode
        again = apply(fixed, Perturb("minimal", 0.1))
        assert again.network.layers[edge.layer].functions[edge.subnode][edge.source] == "sin"


def test_a_constant_edge_becomes_a_bias(trained: Document) -> None:
    edge = spline_edges(trained.network)[0]
    fix = Fix(trained.network.edge_id(edge), "0", (1.0, 0.0, 1.0, 0.25))
    layer = apply(trained, FixEdges((fix,))).network.layers[edge.layer]
    assert not layer.active[edge.subnode, edge.source]
    before = trained.network.layers[edge.layer]
    grown = layer.subnode_bias - before.subnode_bias
    assert grown[edge.subnode] == pytest.approx(0.25 * before.subnode_scale[edge.subnode])


def test_the_card_fades_what_would_go_and_does_it(trained: Document) -> None:
    room, simplifier = studio(trained)
    card = SimplifyCard(room.session, simplifier)
    card.open("prune")
    simplifier.edge_threshold = 0.3
    simplifier.open("prune")
    wait(simplifier, "prospect")
    assert simplifier.prospect is not None
    assert room.session.faded == simplifier.prospect.gone != frozenset()
    scene = build_scene(trained.network)
    frame = frame_of(trained.network, scene, room.session.measurement)
    kinds = without(frame, scene, room.session.faded).kind
    shown = {edge.id: kind > 0 for edge, kind in zip(scene.edges, kinds, strict=True)}
    assert shown == {name: name not in room.session.faded for name in edge_ids(trained.network)}
    before = simplifier.prospect.n_edges
    card._apply()
    assert room.session.faded == frozenset()
    assert n_edges(trained.network) - n_edges(room.session.network) == before
    assert room.session.history.entries[-1].label.startswith("prune · ")
    assert steps(room.session.history)[4]["status"] == "done"


def test_another_step_takes_the_place_of_the_card(trained: Document) -> None:
    room, simplifier = studio(trained)
    card = SimplifyCard(room.session, simplifier)
    card.open("prune")
    wait(simplifier, "prospect")
    assert room.session.faded and card.state["prune"] and card.state["kind"] == "prune"
    card.open("symbolify")
    assert not room.session.faded and card.state["prune"] is None
    card.close()
    assert card.state["kind"] == simplifier.card == "" and simplifier.all is None


def test_the_card_fixes_what_is_good_enough(trained: Document) -> None:
    room, simplifier = studio(trained)
    card = SimplifyCard(room.session, simplifier)
    card.open("symbolify")
    assert simplifier.good() == ()
    wait_for_all(simplifier)
    simplifier.r2_threshold = -1e9
    card._apply()
    assert not spline_edges(room.session.network)
    assert room.session.history.entries[-1].label.startswith("fix ")
    assert steps(room.session.history)[5]["status"] == "done"
    simplifier.open("symbolify")
    assert simplifier.all is not None and not simplifier.all.rows and not simplifier.all.left


def test_many_edges_are_looked_at_some_at_a_time(
    trained: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kanstudio.app.simplifier.AT_ONCE", 2)
    room, simplifier = studio(trained)
    left: list[int] = []
    room.session.listen(lambda topics: left.append(simplifier.all.left if simplifier.all else -1))
    simplifier.open("symbolify")
    wait_for_all(simplifier)
    edges = spline_edges(trained.network)
    assert simplifier.all is not None
    assert [edge for edge, _ in simplifier.all.rows] == list(edges)
    assert sorted(set(left), reverse=True) == [*range(len(edges), 0, -2), 0]
    together = look(Look(trained, edges))
    assert simplifier.all.rows == together.rows
    simplifier.open("")
    assert simplifier.all is None


def test_nothing_is_looked_for_while_a_run_goes_on(trained: Document) -> None:
    room, simplifier = studio(trained)
    room.desk.train()
    simplifier.open("prune")
    simplifier.tick()
    assert simplifier.moving and simplifier.prospect is None
    room.desk.stop()
    wait(simplifier, "prospect")


def test_the_inspected_edge_is_fixed_by_name(trained: Document) -> None:
    room, simplifier = studio(trained)
    edge: EdgeRef = spline_edges(trained.network)[0]
    room.session.select(Selection("edge", trained.network.edge_id(edge)))
    wait(simplifier, "one")
    simplifier.fix_selected("no such function")
    assert len(room.session.history.entries) == 2
    assert simplifier.one is not None
    name = simplifier.one.rows[0][1][0].name
    simplifier.fix_selected(name)
    assert room.session.network.layers[edge.layer].functions[edge.subnode][edge.source] == name
    assert not simplifier.has_spline()


def test_a_share_of_one_is_said_only_where_nothing_is_missing() -> None:
    for r2, text in ((1.0, "1"), (0.999999, "1 − 1e-06"), (0.98765, "0.98765")):
        assert guess(Suggestion("sin", (1, 0, 1, 0), r2, 2, 0.0))["r2"] == text
