"""Removing a level: what is computed stays the same, or the level stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import SMOOTH, networks, samples

from kanstudio import compile
from kanstudio.editor.commands import Perturb, RemoveLevel, apply
from kanstudio.editor.document import new_document
from kanstudio.errors import EditError
from kanstudio.network import edits
from kanstudio.network.contract import remove_level
from kanstudio.network.forward import evaluate
from kanstudio.network.network import ABSENT, Network, frozen

DOPPLER = "omega_0*(1 + v/c)/sqrt(1 - v^2/c^2)"


@given(networks(), st.data())
def test_an_added_layer_is_taken_back(network: Network, data: st.DataObject) -> None:
    level = data.draw(st.integers(0, network.depth))
    deeper = edits.expand_depth(network, level)
    # Above the outputs the new level is the outputs': the one below it hands them on.
    back = remove_level(deeper, min(level + 1, network.depth))
    assert back.width == network.width and back.mult_arity == network.mult_arity
    assert (back.input_names, back.output_names) == (network.input_names, network.output_names)
    x = samples(network)
    assert np.array_equal(evaluate(back, x), evaluate(network, x), equal_nan=True)


def straight(network: Network, layer_index: int, *, seed: int, single: bool) -> Network:
    """The network with straight lines alone in one layer; single: one into each subnode."""
    rng = np.random.default_rng(seed)
    layer = network.layers[layer_index]
    names = [["x"] * layer.n_sources for _ in range(layer.n_subnodes)]
    if single:
        for row in names:
            row[:] = [ABSENT] * layer.n_sources
            row[int(rng.integers(layer.n_sources))] = "x"
    plain = layer.with_arrays(
        spline_mask=np.zeros(layer.active.shape), symbolic_mask=np.full(layer.active.shape, 0.5)
    )
    layers = list(network.layers)
    layers[layer_index] = replace(plain, functions=tuple(map(tuple, names)))
    return network.with_layers(tuple(layers))


@given(networks(functions=tuple(set(SMOOTH) - {ABSENT})), st.integers(0, 2**20), st.booleans())
def test_a_level_goes_exactly_or_not_at_all(network: Network, seed: int, lower: bool) -> None:
    if network.depth < 2:
        network = edits.expand_depth(network)
    network = straight(network, 0 if lower else 1, seed=seed, single=lower)
    x = samples(network)
    try:
        smaller = remove_level(network, 1)
    except EditError:
        return
    assert smaller.depth == network.depth - 1
    wanted = evaluate(network, x)
    np.testing.assert_allclose(evaluate(smaller, x), wanted, rtol=1e-9, atol=1e-9)


def two_layers(upper: str, *, arity: int = 1) -> Network:
    """x, y to one node, sin(x) + y (or their product), then a function."""
    base = edits.expand_depth(new_document("sin(x) + y").network)
    layer = replace(base.layers[1], functions=((upper,),))
    network = base.with_layers((base.layers[0], layer))
    if arity > 1:
        network = new_document("x*y").network
        network = edits.expand_depth(network)
        network = network.with_layers(
            (network.layers[0], replace(network.layers[1], functions=((upper,),)))
        )
    return network


def test_a_straight_line_above_is_taken_into_the_sum() -> None:
    network = two_layers("x")
    line = frozen([[[2.0, 1.0, -3.0, 0.5]]])
    network = network.with_layers((network.layers[0], replace(network.layers[1], affine=line)))
    smaller = remove_level(network, 1)
    x = samples(network)
    wanted = -3 * (2 * (np.sin(x[:, :1]) + x[:, 1:]) + 1) + 0.5
    np.testing.assert_allclose(evaluate(smaller, x), wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (two_layers("sin"), "1.1 computes what a function reads"),
        (two_layers("sin", arity=2), "1.1 multiplies"),
        (new_document("x*sin(y) + x", strategy="tree").network, "layer 1"),
        (new_document("exp(x) + cos(exp(x))").network, "layer 1"),
    ],
)
def test_a_level_that_works_stays_and_says_why(network: Network, why: str) -> None:
    with pytest.raises(EditError, match=why):
        remove_level(network, 1)


@pytest.mark.parametrize("level", [0, 2, -1, 1.5, None])
def test_only_hidden_levels_can_go(level: int) -> None:
    with pytest.raises(EditError, match="hidden"):
        remove_level(two_layers("x"), level)


def test_an_unread_node_is_no_obstacle() -> None:
    network = edits.expand_width(edits.expand_depth(new_document("sin(x)*y").network), 1, 2)
    x = samples(network)
    assert np.array_equal(evaluate(remove_level(network, 1), x), evaluate(network, x))


def test_a_model_loses_the_layer_that_it_got() -> None:
    model = compile("exp(sin(pi*x) + y^2)")
    x = torch.rand(20, 2, dtype=torch.float64)
    before = model(x)
    assert model.expand_depth().remove_level(2).width == [[2, 0], [1, 0], [1, 0]]
    assert torch.equal(model(x), before)
    with pytest.raises(EditError, match=r"layer 1 is needed: 1\.1"):
        model.remove_level(1)


def test_the_command_is_undone_and_stops_at_splines_everywhere() -> None:
    document = new_document(DOPPLER)
    deeper = replace(document, network=edits.expand_depth(document.network, 1))
    assert apply(deeper, RemoveLevel(2)).network.width == document.network.width
    with pytest.raises(EditError, match="layer 2"):
        apply(apply(deeper, Perturb("all")), RemoveLevel(2))
