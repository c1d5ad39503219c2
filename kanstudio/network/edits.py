"""Edits of the structure: each makes a new network and shares what it did not touch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from kanstudio import functions
from kanstudio.errors import EditError, KanStudioError
from kanstudio.network import checks
from kanstudio.network.build import empty_layer
from kanstudio.network.network import ABSENT, EdgeRef, FloatArray, Layer, Network, Node, frozen

Edit = Callable[[Network], Network]
PerturbMode = Literal["minimal", "all", "non-intrusive"]
PERTURB_MODES: tuple[PerturbMode, ...] = ("minimal", "all", "non-intrusive")


def expand_depth(network: Network, level: int | None = None, *, seed: int = 0) -> Network:
    """Add an identity layer above a level; the output stays the same bit for bit.

    level: 0 (the inputs) to depth (the outputs, also the default). Raises EditError.
    """
    at = network.depth if level is None else checks.integer(level)
    if at is None or not 0 <= at <= network.depth:
        raise EditError(
            f"cannot add a layer above level {level}: there are levels 0 to {network.depth}"
        )
    below = network.levels[at]
    added = tuple(Node(network.next_id + index) for index in range(len(below)))
    empty = empty_layer(
        len(below), added, grid=network.grid, degree=network.degree, seed=seed + network.depth
    )
    identity = tuple(
        tuple("x" if source == subnode else ABSENT for source in range(len(below)))
        for subnode in range(len(below))
    )
    layer = replace(empty, functions=identity)
    return replace(
        network,
        levels=(*network.levels[: at + 1], added, *network.levels[at + 1 :]),
        layers=(*network.layers[:at], layer, *network.layers[at:]),
        next_id=network.next_id + len(added),
    )


def expand_width(
    network: Network,
    layer: int,
    n_added: int,
    *,
    sum_bool: bool = True,
    mult_arity: int | Sequence[int] = 2,
    seed: int = 0,
) -> Network:
    """Add nodes to a hidden level; the output stays the same bit for bit.

    layer: 1 to depth - 1. New sum nodes stand before the old nodes, new mult nodes
    after them (pykan's order). All new edges are absent. Everything that the old
    edges hold stays. Raises EditError.
    """
    position = checks.integer(layer)
    if position is None or not 1 <= position < network.depth:
        last = network.depth - 1
        there = (
            "this network has no hidden layer (add depth first)"
            if last < 1
            else f"this network has hidden layers 1 to {last}"
        )
        raise EditError(f"cannot expand layer {layer}: {there}")
    layer, n_added = position, checks.whole("the number of nodes to add", n_added, 1)
    n_basis = network.grid + network.degree
    below, above = network.layers[layer - 1], network.layers[layer]
    checks.layer_size(above.n_sources + n_added, above.n_subnodes, n_basis)
    arities = [1] * n_added if sum_bool else checks.arities(n_added, mult_arity)
    checks.layer_size(below.n_sources, below.n_subnodes + sum(arities), n_basis)
    added = tuple(Node(network.next_id + i, arity) for i, arity in enumerate(arities))
    old = network.levels[layer]
    level = (*added, *old) if sum_bool else (*old, *added)
    layers = list(network.layers)
    layers[layer - 1] = _add_targets(below, added, network.degree, seed, first=sum_bool)
    layers[layer] = _add_sources(
        above, n_added, network.levels[layer + 1], network.degree, seed + 1, first=sum_bool
    )
    return replace(
        network,
        levels=(*network.levels[:layer], level, *network.levels[layer + 1 :]),
        layers=tuple(layers),
        next_id=network.next_id + n_added,
    )


def _join(old: FloatArray, new: FloatArray, axis: int, *, first: bool) -> FloatArray:
    return frozen(np.concatenate([new, old] if first else [old, new], axis=axis))


def _add_targets(
    layer: Layer, added: tuple[Node, ...], degree: int, seed: int, *, first: bool
) -> Layer:
    """New subnodes and nodes above; the knots belong to the sources and stay."""
    grid = layer.knots.shape[1] - 2 * degree - 1
    new = empty_layer(layer.n_sources, added, grid=grid, degree=degree, seed=seed)
    # Ports start at 1: near 0 the other factors would kill every gradient.
    ports = np.repeat([float(node.is_mult) for node in added], [node.arity for node in added])
    new = replace(new, subnode_bias=frozen(ports))
    fresh = dict(new.arrays())
    joined = {
        name: _join(values, fresh[name], 0, first=first)
        for name, values in layer.arrays()
        if name != "knots"
    }
    rows = (*new.functions, *layer.functions) if first else (*layer.functions, *new.functions)
    return replace(layer, functions=rows, **joined)


def _add_sources(
    layer: Layer, n_added: int, targets: tuple[Node, ...], degree: int, seed: int, *, first: bool
) -> Layer:
    """New sources below; what belongs to the subnodes and nodes above stays."""
    grid = layer.knots.shape[1] - 2 * degree - 1
    new = empty_layer(n_added, targets, grid=grid, degree=degree, seed=seed)
    fresh = dict(new.arrays())
    joined = {"knots": _join(layer.knots, new.knots, 0, first=first)}
    for name, values in layer.arrays():
        if values.ndim >= 2 and name != "knots":
            joined[name] = _join(values, fresh[name], 1, first=first)
    rows = tuple(
        (*theirs, *ours) if first else (*ours, *theirs)
        for ours, theirs in zip(layer.functions, new.functions, strict=True)
    )
    return replace(layer, functions=rows, **joined)


def perturb(
    network: Network, mode: PerturbMode = "non-intrusive", mag: float = 1.0, seed: int = 0
) -> Network:
    """Switch on spline fronts with the mask ``mag``, so that training can move them.

    - "all": every edge. "minimal": edges with an active front. Both change the output.
    - "non-intrusive": edges into subnodes on which nothing depends yet; in the last
      layer every edge that has no spline gets mask 1 with scale_base = scale_sp = 0.
      The output does not change at all, and what the last layer learned stays.

    A spline that was off starts with random values from ``seed``: the same call gives
    the same network. Raises EditError for an unknown mode or a magnitude that is
    negative or not finite.
    """
    if mode not in PERTURB_MODES:
        raise EditError(f"perturb mode {mode!r} is not one of {', '.join(PERTURB_MODES)}")
    mag, seed = checks.magnitude(mag), checks.whole("a seed", seed, 0)
    layers = []
    for index, layer in enumerate(network.layers):
        last = index == network.depth - 1
        if mode == "non-intrusive" and last:
            layers.append(_add_silent_splines(layer))
            continue
        chosen = _chosen_edges(network, index, mode)
        layers.append(_switch_on(layer, chosen, mag, seed + index))
    return network.with_layers(tuple(layers))


def _chosen_edges(network: Network, layer_index: int, mode: PerturbMode) -> np.ndarray:
    layer = network.layers[layer_index]
    if mode == "all":
        return np.ones_like(layer.active)
    if mode == "minimal":
        return layer.active
    idle = ~layer.active.any(axis=1)
    # An idle subnode can still be a constant that the output needs: then it stays.
    used = network.layers[layer_index + 1].active.any(axis=0)
    arities = [node.arity for node in network.levels[layer_index + 1]]
    free = idle & ~np.repeat(used, arities)
    return np.repeat(free[:, None], layer.n_sources, axis=1)


def _switch_on(layer: Layer, chosen: np.ndarray, mag: float, seed: int) -> Layer:
    fresh = chosen & ~layer.spline_active
    rng = np.random.default_rng(seed)
    n_basis = layer.coef.shape[2]
    waves = (rng.random(layer.coef.shape) - 0.5) * 0.5 / max(n_basis - 3, 1)
    per_source = 1 / np.sqrt(max(layer.n_sources, 1))
    bases = rng.uniform(-1, 1, layer.scale_base.shape) * per_source
    return layer.with_arrays(
        spline_mask=np.where(chosen, mag, layer.spline_mask),
        coef=np.where(fresh[..., None], waves, layer.coef),
        scale_base=np.where(fresh, bases, layer.scale_base),
        scale_sp=np.where(fresh, per_source, layer.scale_sp),
    )


def _add_silent_splines(layer: Layer) -> Layer:
    silent = ~layer.spline_active
    return layer.with_arrays(
        spline_mask=np.where(silent, 1.0, layer.spline_mask),
        scale_base=np.where(silent, 0.0, layer.scale_base),
        scale_sp=np.where(silent, 0.0, layer.scale_sp),
    )


def set_function(
    network: Network,
    edge: EdgeRef,
    name: str,
    affine: Sequence[float] = (1.0, 0.0, 1.0, 0.0),
) -> Network:
    """Give one edge the symbolic front ``c * f(a * x + b) + d``; "0" takes it away.

    name: of the function table, or a formula of x such as "exp(sin(x)) + x^2". Raises
    EditError for a function that there is not.
    """
    try:
        name = functions.get(name).name
    except KanStudioError as error:
        raise EditError(str(error)) from error
    old = network.layers[edge.layer]
    rows = [list(row) for row in old.functions]
    rows[edge.subnode][edge.source] = name
    values = old.affine.copy()
    values[edge.subnode, edge.source] = affine
    new = replace(old, functions=tuple(map(tuple, rows)), affine=frozen(values))
    layers = (*network.layers[: edge.layer], new, *network.layers[edge.layer + 1 :])
    return network.with_layers(layers)


def random_spline_network(network: Network) -> Network:
    """The same network with every spline front on and every symbolic front off."""
    layers = tuple(
        replace(
            layer,
            spline_mask=frozen(np.ones_like(layer.spline_mask)),
            functions=tuple((ABSENT,) * layer.n_sources for _ in range(layer.n_subnodes)),
        )
        for layer in network.layers
    )
    return network.with_layers(layers)
