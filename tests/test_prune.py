"""Pruning: what goes, what stays, and what the output does."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracle import from_pykan
from strategies import networks, samples

from kanstudio import KAN, DataError, EditError, FileError
from kanstudio.files.model import save_network
from kanstudio.network import prune
from kanstudio.network.build import empty_network
from kanstudio.network.edits import expand_width, random_spline_network, set_function
from kanstudio.network.forward import evaluate
from kanstudio.network.measure import attribution, measure
from kanstudio.network.network import EdgeRef, Network

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    kan = pytest.importorskip("kan")


def all_edges(network: Network) -> list[EdgeRef]:
    return [
        EdgeRef(index, source, subnode)
        for index, layer in enumerate(network.layers)
        for subnode, source in np.argwhere(layer.active).tolist()
    ]


@settings(max_examples=60)
@given(network=networks(), seed=st.integers(0, 2**31))
def test_what_scores_nothing_can_go_without_a_change(network: Network, seed: int) -> None:
    x = samples(network, seed=seed)
    # A dead input makes edges that are not 0, but constant.
    x[:, 0] = 0.3
    before = evaluate(network, x)
    assume(np.abs(before).max() < 1e6)
    for pruned in (prune.prune_node(network, x, 0.0), prune.prune_edge(network, x, 0.0)):
        assert evaluate(pruned, x) == pytest.approx(before, rel=1e-6, abs=1e-6)
    fewer, kept = prune.prune_input(network, x, 0.0)
    assert evaluate(fewer, x[:, list(kept)]) == pytest.approx(before, rel=1e-6, abs=1e-6)


@settings(max_examples=40)
@given(network=networks(), limit=st.floats(0, 2))
def test_prune_edge_removes_what_is_at_most_the_threshold(network: Network, limit: float) -> None:
    x = samples(network)
    scores = measure(network, x)
    pruned = prune.prune_edge(network, x, limit)
    for old, new, facts in zip(network.layers, pruned.layers, scores.layers, strict=True):
        assert np.array_equal(new.active, old.active & (facts.backward > limit))
        kept = new.active
        assert np.array_equal(new.affine[kept], old.affine[kept])
        assert np.array_equal(new.coef, old.coef)


@settings(max_examples=40)
@given(network=networks(), limit=st.floats(0, 2))
def test_pruning_leaves_no_node_without_edges_beside_others(network: Network, limit: float) -> None:
    """Nodes that only lose their edges to the second threshold go as well."""
    x = samples(network)
    pruned = prune.prune(network, x, 0.0, limit)
    edges = prune.prune_edge(prune.prune_node(network, x, 0.0), x, limit)
    assert evaluate(pruned, x) == pytest.approx(evaluate(edges, x), rel=1e-6, abs=1e-6)
    scores = measure(pruned, x).node_scores
    for level in range(1, pruned.depth):
        assert len(pruned.levels[level]) == 1 or (scores[level] > 0).all()


@settings(max_examples=40)
@given(network=networks(), limit=st.floats(0, 2))
def test_prune_node_keeps_what_matters_and_its_id(network: Network, limit: float) -> None:
    x = samples(network)
    scores = measure(network, x).node_scores
    pruned = prune.prune_node(network, x, limit)
    assert pruned.levels[0] == network.levels[0]
    assert pruned.levels[-1] == network.levels[-1]
    for level in range(1, network.depth):
        old, kept = network.levels[level], pruned.levels[level]
        strongest = old[int(np.argmax(scores[level]))]
        wanted = [
            node
            for node, score in zip(old, scores[level], strict=True)
            if score > limit or node == strongest
        ]
        assert list(kept) == wanted
    assert evaluate(pruned, x).shape == (len(x), len(network.levels[-1]))


@settings(max_examples=40)
@given(network=networks(), seed=st.integers(0, 2**31))
def test_a_removed_edge_leaves_its_mean(network: Network, seed: int) -> None:
    x, edges = samples(network), all_edges(network)
    assume(edges)
    edge = edges[seed % len(edges)]
    constants = prune.means(network, x, [edge])
    removed = prune.remove_edges(network, constants)
    old, new = network.layers[edge.layer], removed.layers[edge.layer]
    assert not new.active[edge.subnode, edge.source]
    moved = new.subnode_bias - old.subnode_bias
    expected = np.zeros_like(moved)
    expected[edge.subnode] = old.subnode_scale[edge.subnode] * constants[edge]
    assert moved == pytest.approx(expected)
    mean = measure(network, x).layers[edge.layer].edge_mean[edge.subnode, edge.source]
    assert constants[edge] == mean
    assert prune.means(network, None, [edge]) == {edge: 0.0}


@settings(max_examples=40)
@given(network=networks())
def test_attribution_of_the_outputs_averages_to_the_scores(network: Network) -> None:
    found = measure(network, samples(network))
    each = attribution(network, found)
    assert each.shape == (len(network.levels[-1]), len(network.levels[0]))
    assert each.mean(axis=0) == pytest.approx(found.node_scores[0], rel=1e-9, abs=1e-12)
    weights = np.arange(1.0, 1 + len(each))
    assert attribution(network, found, None, weights) == pytest.approx(weights[:, None] * each)


def test_drop_node_undoes_expand_width() -> None:
    network = random_spline_network(empty_network([2, 2, 1], seed=1))
    wider = expand_width(network, 1, 1, sum_bool=False, mult_arity=3)
    narrow = prune.drop_node(wider, 1, 2, samples(network))
    assert narrow.same_values(network)


def test_every_level_keeps_its_strongest_node() -> None:
    network = random_spline_network(empty_network([2, 3, 1], seed=1))
    x = samples(network)
    strongest = int(np.argmax(measure(network, x).node_scores[1]))
    assert prune.prune_node(network, x, 1e9).levels[1] == (network.levels[1][strongest],)
    assert len(prune.prune_input(network, x, 1e9)[1]) == 1


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda n, x: prune.prune_edge(n, x, float("nan")), "threshold is a number"),
        (lambda n, x: prune.prune_node(n, x, active=[[0], [1]]), "1 hidden levels, not 2"),
        (lambda n, x: prune.prune_node(n, x, active=[[7]]), "nodes 0 to 2, not 7"),
        (lambda n, x: prune.prune_node(n, x, active=[[]]), "must keep a node"),
        (lambda n, x: prune.prune_input(n, x, active=[]), "must keep a node"),
        (lambda n, x: prune.drop_node(n, 0, 0, x), "hidden levels"),
        (lambda n, x: prune.drop_node(n, 1, 3, x), "nodes 0 to 2, not 3"),
        (lambda n, x: prune.edges_of_node(n, 1, 0, "sideways"), '"all", "up" or "down"'),
        (lambda n, x: prune.edges_of_node(n, 5, 0), "no node 0 in level 5"),
    ],
)
def test_errors_say_what_is_true(call, says) -> None:  # type: ignore[no-untyped-def]
    network = random_spline_network(empty_network([2, 3, 1]))
    with pytest.raises(EditError, match=says):
        call(network, samples(network))


def test_a_level_with_one_node_keeps_it() -> None:
    network = random_spline_network(empty_network([2, 1, 1]))
    with pytest.raises(EditError, match="has only this node"):
        prune.drop_node(network, 1, 0, samples(network))


# pykan as the oracle


@pytest.fixture
def quiet_float64():  # type: ignore[no-untyped-def]
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    with contextlib.redirect_stdout(io.StringIO()), torch.random.fork_rng():
        yield
    torch.set_default_dtype(previous)


def pykan_model(seed: int, width: Any, arity: Any) -> tuple[Any, np.ndarray]:
    model = kan.MultKAN(
        width=width, mult_arity=arity, grid=4, k=3, seed=seed, auto_save=False, noise_scale=0.8
    )
    # Edges of different weight, or all would go or stay.
    rng = np.random.default_rng(seed)
    for layer in model.act_fun:
        layer.mask.data *= torch.tensor(10.0 ** rng.uniform(-0.7, 0.8, layer.mask.shape))
    x = rng.uniform(-1, 1, (200, model.width_in[0]))
    model(torch.tensor(x))
    model.attribute()
    return model, x


SHAPES: list[tuple[Any, Any]] = [
    ([3, 5, 4, 1], 2),
    ([3, [3, 2], 2], 2),
    ([2, [1, 2], 1], [[], [2, 3], []]),
]


def apart(scores: np.ndarray) -> float:
    """A threshold far from all scores: pykan's differ by up to 1e-4 / std(subnode)."""
    ordered = np.sort(scores[scores > 0])
    ordered = ordered[len(ordered) // 4 :]
    at = int(np.argmax(ordered[1:] / ordered[:-1]))
    return float(np.sqrt(ordered[at] * ordered[at + 1]))


@pytest.mark.usefixtures("quiet_float64")
@pytest.mark.parametrize(("width", "arity"), SHAPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_edges_go_as_in_pykan(seed: int, width: Any, arity: Any) -> None:
    model, x = pykan_model(seed, width, arity)
    network = from_pykan(model)
    limit = apart(np.concatenate([s.backward.ravel() for s in measure(network, x).layers]))
    model.prune_edge(limit, log_history=False)
    pruned = prune.prune_edge(network, x, limit)
    assert pruned.n_edge < network.n_edge
    for theirs, layer in zip(model.act_fun, pruned.layers, strict=True):
        assert np.array_equal(layer.spline_active, theirs.mask.detach().numpy().T != 0)
    # Without the constants, the outputs are pykan's.
    plain = replace(
        pruned,
        layers=tuple(
            replace(layer, subnode_bias=old.subnode_bias)
            for layer, old in zip(pruned.layers, network.layers, strict=True)
        ),
    )
    assert evaluate(plain, x) == pytest.approx(model(torch.tensor(x)).detach().numpy(), abs=1e-6)


@pytest.mark.usefixtures("quiet_float64")
@pytest.mark.parametrize(("width", "arity"), SHAPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_nodes_go_as_in_pykan(seed: int, width: Any, arity: Any) -> None:
    model, x = pykan_model(seed, width, arity)
    network = from_pykan(model)
    limit = apart(np.concatenate(measure(network, x).node_scores[1:-1]))
    mine = prune.prune_node(network, x, limit)
    kept = [np.flatnonzero(s.detach().numpy() > limit).tolist() for s in model.node_scores[1:-1]]
    assert mine.width != network.width
    theirs = from_pykan(model.prune_node(active_neurons_id=kept, log_history=False))
    assert mine.width == theirs.width
    for ours, other in zip(mine.layers, theirs.layers, strict=True):
        for name, values in ours.arrays():
            if name != "subnode_bias":
                assert values == pytest.approx(dict(other.arrays())[name]), name


@pytest.mark.usefixtures("quiet_float64")
def test_attribute_is_pykans() -> None:
    model, x = pykan_model(3, [3, 4, 2], 2)
    # pykan adds 1e-4 to every deviation, which makes small ones look unimportant.
    for layer in model.act_fun:
        layer.mask.data.fill_(1.0)
    model(torch.tensor(x))
    mine = KAN.from_network(from_pykan(model), dtype=torch.float64)
    mine(torch.tensor(x))
    for level in (1, 2):
        theirs = model.attribute(level).detach().numpy()
        assert mine.attribute(level).numpy() == pytest.approx(theirs, rel=5e-3)
        assert mine.attribute(level, 1).numpy() == pytest.approx(theirs[1], rel=5e-3)
    with pytest.raises(EditError, match="a level is a whole number of at least 1"):
        mine.attribute(0)
    with pytest.raises(DataError, match="levels 1 to 2"):
        mine.attribute(3)
    with pytest.raises(DataError, match="2 nodes"):
        mine.attribute(2, out_score=[1.0])
    model.attribute()
    assert mine.feature_score.numpy() == pytest.approx(
        model.feature_score.detach().numpy(), rel=5e-3
    )


# KAN


@pytest.fixture
def model() -> KAN:
    """y = sin(3 x1) + 1e-6 x2, x3 unused, by one node of two."""
    network = empty_network([3, 2, 1], seed=0)
    for edge, name, affine in (
        (EdgeRef(0, 0, 0), "sin", (3.0, 0.0, 1.0, 0.0)),
        (EdgeRef(0, 1, 0), "x", (1.0, 0.0, 1e-6, 5.0)),
        (EdgeRef(0, 2, 1), "x^2", (1.0, 0.0, 1.0, 0.0)),
        (EdgeRef(1, 0, 0), "x", (1.0, 0.0, 1.0, 0.0)),
        (EdgeRef(1, 1, 0), "x", (1.0, 0.0, 1e-9, 2.0)),
    ):
        network = set_function(network, edge, name, affine)
    model = KAN.from_network(network, dtype=torch.float64)
    model(torch.tensor(np.random.default_rng(0).uniform(-1, 1, (200, 3))))
    return model


def test_prune_makes_a_new_model_and_leaves_the_old_one(model: KAN) -> None:
    x = model.cache_data
    assert x is not None
    before, y = model.network(), model(x)
    pruned = model.prune()
    assert model.network().same_values(before)
    assert pruned.width == [[3, 0], [1, 0], [1, 0]]
    assert pruned.n_edge == 2
    # The constants of what went are in the biases.
    assert torch.allclose(pruned(x), y, atol=1e-5)
    assert pruned.symbolic_formula() is not None


def test_prune_input_says_which_columns_stay(model: KAN) -> None:
    x = model.cache_data
    assert x is not None
    y = model(x)
    fewer = model.prune_input()
    assert fewer.input_id == (0,)
    assert fewer.input_names == ("x1",)
    assert torch.allclose(fewer(x[:, [0]]), y, atol=1e-5)
    chosen = model.prune_input(active_inputs=[0, 2]).prune_input(active_inputs=[1])
    assert chosen.input_id == (2,)
    with pytest.raises(DataError, match="has 1 inputs"):
        fewer(x)


def test_a_file_keeps_which_inputs_are_left(model: KAN, tmp_path: Path) -> None:
    x = model.cache_data
    assert x is not None
    fewer, path = model.prune_input(active_inputs=[0, 2]), tmp_path / "model.safetensors"
    fewer.save(path)
    loaded = KAN.load(path)
    assert (loaded.input_id, loaded.input_names) == ((0, 2), ("x1", "x3"))
    assert torch.equal(loaded(x[:, loaded.input_id]), fewer(x[:, [0, 2]]))
    # A table's columns are found by their names.
    (y,) = model.output_names
    table = pd.DataFrame({"x1": x[:, 0], "x2": x[:, 1], "x3": x[:, 2], y: x[:, 0]})
    loaded.fit(table, steps=1, log=0)
    assert loaded.cache_data is not None
    assert loaded.cache_data.shape[1] == 2
    assert set(loaded.cache_data[:, 1].tolist()) <= set(x[:, 2].tolist())
    model.save(path)
    assert KAN.load(path).input_id is None


@pytest.mark.parametrize("wrong", ["0", [0], [2, 0], [0, 0], [0, True], [-1, 0]])
def test_columns_in_a_file_are_checked(model: KAN, tmp_path: Path, wrong: object) -> None:
    path = tmp_path / "model.safetensors"
    fewer = model.prune_input(active_inputs=[0, 2])
    save_network(fewer.network(), path, {"input_id": wrong})
    with pytest.raises(FileError, match="the columns of its 2 inputs"):
        KAN.load(path)


def test_prune_edge_and_remove_change_the_model_itself(model: KAN) -> None:
    x = model.cache_data
    assert x is not None
    y = model(x)
    assert model.prune_edge() is model
    assert model.n_edge == 2
    assert torch.allclose(model(x), y, atol=1e-5)
    assert model.remove_node(1, 0, mode="up").n_edge == 1
    assert model.remove_edge(0, 0, 0).n_edge == 0
    assert model(x).detach().numpy() == pytest.approx(float(y.detach().mean()), abs=1e-9)


def test_without_samples_a_removed_edge_leaves_nothing() -> None:
    model = KAN([2, 1], seed=0)
    model.remove_edge(0, 0, 0)
    assert model.n_edge == 1
    assert not model.network().layers[0].subnode_bias.any()
    with pytest.raises(DataError, match="call the model or get_act"):
        model.prune()
