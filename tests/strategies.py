"""Random networks and edits for property tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from kanstudio.network.build import empty_network
from kanstudio.network.network import Network, frozen
from kanstudio.training import Dataset
from kanstudio.training.kernel.rows import TILE

SMOOTH = ("0", "x", "x^2", "sin", "cos", "tanh", "gaussian", "exp", "abs", "arctan")
"""Functions that are finite for every input that a small network makes."""


@st.composite
def networks(draw: st.DrawFn, *, functions: tuple[str, ...] = SMOOTH) -> Network:
    """A network of 1 to 3 layers with random fronts, masks and affine maps."""
    depth = draw(st.integers(1, 3))
    width: list[list[int]] = [[draw(st.integers(1, 3)), 0]]
    arities: list[list[int]] = [[]]
    for _ in range(depth):
        n_sum, n_mult = draw(st.integers(0, 2)), draw(st.integers(0, 2))
        width.append([max(n_sum, 0 if n_mult else 1), n_mult])
        arities.append([draw(st.integers(2, 3)) for _ in range(n_mult)])
    seed = draw(st.integers(0, 2**31))
    grid, degree = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    base = empty_network(width, arities, grid=grid, degree=degree, seed=seed)
    return fill(base, functions, seed)


def fill(network: Network, functions: tuple[str, ...], seed: int) -> Network:
    """Random functions, masks and affine maps in every layer."""
    rng = np.random.default_rng(seed)
    layers = []
    for layer in network.layers:
        shape = (layer.n_subnodes, layer.n_sources)
        names = rng.choice(functions, shape)
        affine = rng.normal(0, 0.7, (*shape, 4))
        layers.append(
            replace(
                layer,
                functions=tuple(tuple(map(str, row)) for row in names),
                affine=frozen(affine),
                spline_mask=frozen(rng.choice([0.0, 0.1, 1.0], shape)),
                symbolic_mask=frozen(rng.choice([0.0, 0.5, 1.0], shape)),
                subnode_scale=frozen(rng.normal(1, 0.2, shape[0])),
                subnode_bias=frozen(rng.normal(0, 0.2, shape[0])),
                node_scale=frozen(rng.normal(1, 0.2, layer.n_nodes)),
                node_bias=frozen(rng.normal(0, 0.2, layer.n_nodes)),
            )
        )
    return network.with_layers(tuple(layers))


@st.composite
def cases(draw: st.DrawFn, *names: tuple[str, ...]) -> tuple[Network, Dataset, bool]:
    """A network with any degrees, grids and masks, samples, and whether affine maps are trained.

    names: sets of functions, one of which is taken.
    """
    width, arities = [[draw(st.integers(1, 3)), 0]], [[]]
    for _ in range(draw(st.integers(1, 3))):
        n_mult = draw(st.integers(0, 2))
        width.append([draw(st.integers(0 if n_mult else 1, 2)), n_mult])
        arities.append([draw(st.integers(2, 4)) for _ in range(n_mult)])
    seed = draw(st.integers(0, 2**31))
    grid, degree = draw(st.sampled_from([1, 3, 5, 40])), draw(st.integers(0, 3))
    network = empty_network(width, arities, grid=grid, degree=degree, seed=seed)
    network = fill(network, draw(st.sampled_from(names)), seed)
    rng = np.random.default_rng(seed)
    n = draw(st.sampled_from([1, 7, TILE, TILE + 72]))
    d, o = len(width[0]) and width[0][0], sum(width[-1])
    x, y = rng.uniform(-1.3, 1.3, (n + 20, d)), rng.normal(size=(n + 20, o))
    if draw(st.booleans()):
        network = repeat_knots(network, rng)
    return network, Dataset(x[:n], y[:n], x[n:], y[n:]), draw(st.booleans())


def repeat_knots(network: Network, rng: np.random.Generator) -> Network:
    """Knots that are not equidistant, some of them double."""
    layers = []
    for layer in network.layers:
        knots = np.sort(layer.knots + rng.uniform(-0.1, 0.1, layer.knots.shape), axis=1)
        knots[:, 2:3] = knots[:, 1:2]
        layers.append(layer.with_arrays(knots=knots))
    return network.with_layers(tuple(layers))


def samples(network: Network, n: int = 50, seed: int = 0) -> np.ndarray:
    """Inputs (n, inputs), uniform in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (n, len(network.levels[0])))


__all__ = ["SMOOTH", "cases", "fill", "networks", "samples"]
