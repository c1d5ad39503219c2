"""The same numbers as pykan, wherever pykan is right."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from oracle import from_pykan

from kanstudio.datasets import get_feynman_dataset
from kanstudio.network import edits
from kanstudio.network.forward import evaluate
from kanstudio.network.grid import update_grid_from_samples
from kanstudio.network.measure import measure

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    kan = pytest.importorskip("kan")
    from kan.compiler import kanpiler

SHAPES: list[tuple[Any, Any]] = [
    ([2, 3, 1], 2),
    ([3, [2, 2], 2], 2),
    ([2, [1, 2], [0, 1], 1], [[], [2, 3], [2], []]),
]


@pytest.fixture(autouse=True)
def quiet_float64():  # type: ignore[no-untyped-def]
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    with contextlib.redirect_stdout(io.StringIO()), torch.random.fork_rng():
        yield
    torch.set_default_dtype(previous)


def pykan_model(width: Any, arity: Any, seed: int) -> Any:
    model = kan.MultKAN(
        width=width, mult_arity=arity, grid=4, k=3, seed=seed, auto_save=False, noise_scale=0.8
    )
    rng = np.random.default_rng(seed)
    for layer in range(model.depth):
        for i in range(model.width_in[layer]):
            for j in range(model.width_out[layer + 1]):
                if rng.random() < 0.5:
                    name = str(rng.choice(["x", "x^2", "sin", "tanh", "exp"]))
                    model.fix_symbolic(
                        layer, i, j, name, fit_params_bool=False, verbose=False, log_history=False
                    )
                    if rng.random() < 0.5:
                        model.act_fun[layer].mask.data[i][j] = 0.5
    return model


@pytest.mark.parametrize(("width", "arity"), SHAPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_forward_and_scores_match(width: Any, arity: Any, seed: int) -> None:
    model = pykan_model(width, arity, seed)
    network = from_pykan(model)
    x = np.random.default_rng(seed).uniform(-1, 1, (200, len(network.levels[0])))
    expected = model(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(evaluate(network, x), expected, rtol=1e-9, atol=1e-9)

    model.attribute()
    ours = measure(network, x)
    for index, layer in enumerate(ours.layers):
        np.testing.assert_allclose(layer.forward_n, model.acts_scale[index], atol=1e-9)
        np.testing.assert_allclose(layer.forward_u, model.edge_actscale[index].detach(), atol=1e-9)
        # pykan adds 1e-4 to every deviation that it divides by; we do not.
        offset = 1.5 * sum(float((1e-4 / above.subnode_std).max()) for above in ours.layers[index:])
        np.testing.assert_allclose(
            layer.backward, model.edge_scores[index].detach(), rtol=offset, atol=1e-9
        )


@pytest.mark.parametrize("mode", ["all", "minimal", "non-intrusive"])
def test_perturb_masks_match_on_compiled_networks(mode: Any) -> None:
    sympy = pytest.importorskip("sympy")
    a, b = sympy.symbols("a b")
    model = kanpiler([a, b], sympy.exp(sympy.sin(sympy.pi * a) + b**2))
    model.get_act(torch.rand(20, 2))
    model.expand_depth()
    model.expand_width(1, 2)
    model.expand_width(1, 1, sum_bool=False, mult_arity=[3])
    ours = from_pykan(model)
    # The ports of our new mult nodes are 1, theirs 0; that is not what is compared here.
    model.perturb(mag=0.1, mode=mode)
    theirs = from_pykan(model)
    for a_layer, b_layer in zip(edits.perturb(ours, mode, 0.1).layers, theirs.layers, strict=True):
        np.testing.assert_allclose(a_layer.spline_mask, b_layer.spline_mask)


@pytest.mark.parametrize("mode", ["all", "minimal", "non-intrusive"])
@pytest.mark.parametrize("number", [2, 8, 13, 20, 26, 36, 43, 50, 65, 80, 95, 112])
def test_feynman_networks_edited_and_perturbed_match(number: int, mode: Any) -> None:
    variables, expression, _, ranges = get_feynman_dataset(number)
    model = kanpiler(list(variables), expression)
    low, high = np.array(ranges, dtype=float).T
    x = low + (high - low) * np.random.default_rng(number).uniform(0.2, 0.9, (100, len(low)))
    model(torch.tensor(x))
    ours = edits.expand_width(edits.expand_depth(from_pykan(model)), 1, 2)
    model.expand_depth()
    model.expand_width(1, 2)
    assert (ours.width, ours.mult_arity) == (model.width, model.mult_arity)

    ours = edits.perturb(from_pykan(model), mode, 0.1)
    model.perturb(mag=0.1, mode=mode)
    theirs = from_pykan(model)
    for one, other in zip(ours.layers, theirs.layers, strict=True):
        np.testing.assert_allclose(one.spline_mask, other.spline_mask)
    expected = model(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(evaluate(theirs, x), expected, rtol=1e-9, atol=1e-12)
    for layer, scale in zip(measure(theirs, x).layers, model.acts_scale, strict=True):
        np.testing.assert_allclose(layer.forward_n, scale, rtol=1e-7, atol=1e-10)


def test_expansion_gives_the_same_shape() -> None:
    model = pykan_model([2, [2, 1], 1], 2, 3)
    model.mult_arity = [[], [2], []]
    ours = from_pykan(model)
    model.expand_depth()
    model.expand_width(1, 2)
    model.expand_width(2, 2, sum_bool=False, mult_arity=[2, 3])
    ours = edits.expand_depth(ours)
    ours = edits.expand_width(ours, 1, 2)
    ours = edits.expand_width(ours, 2, 2, sum_bool=False, mult_arity=[2, 3])
    assert ours.width == model.width
    assert ours.mult_arity == model.mult_arity
    assert [layer.functions for layer in ours.layers] == [
        tuple(tuple(row) for row in layer.funs_name) for layer in model.symbolic_fun
    ]


def test_grid_update_matches() -> None:
    model = pykan_model([2, 2, 1], 2, 5)
    network = from_pykan(model)
    x = np.random.default_rng(0).normal(0, 0.8, (300, 2))
    moved = update_grid_from_samples(network, x)
    model.update_grid_from_samples(torch.tensor(x))
    theirs = from_pykan(model)
    for ours, other in zip(moved.layers, theirs.layers, strict=True):
        np.testing.assert_allclose(ours.knots, other.knots, atol=1e-6)
        np.testing.assert_allclose(
            np.where(ours.spline_active[..., None], ours.coef, 0),
            np.where(other.spline_active[..., None], other.coef, 0),
            atol=1e-5,
        )
