"""Empty layers and networks to start from."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from kanstudio.errors import EditError
from kanstudio.network.network import ABSENT, FloatArray, Layer, Network, Node, frozen


def uniform_knots(low: float, high: float, grid: int, degree: int) -> FloatArray:
    """grid + 1 equidistant knots on [low, high], extended by degree knots at both ends."""
    step = (high - low) / grid
    return frozen(low + step * np.arange(-degree, grid + degree + 1))


def n_subnodes(nodes: Sequence[Node]) -> int:
    return sum(node.arity for node in nodes)


def empty_layer(
    n_sources: int,
    targets: Sequence[Node],
    *,
    grid: int = 5,
    degree: int = 3,
    seed: int = 0,
    noise_scale: float = 0.5,
) -> Layer:
    """A layer whose edges are all absent (both fronts off).

    The splines carry random values all the same, so that switching them on (perturb)
    breaks symmetry: silu factors are uniform in [-1, 1] / sqrt(S), coefficients uniform
    in noise_scale / grid * [-1/2, 1/2]; these are pykan's defaults. A wave of its own
    per edge comes from ``seed`` alone.
    """
    if grid < 1 or degree < 0:
        raise EditError(f"a spline needs grid >= 1 and degree >= 0, not {grid} and {degree}")
    rng = np.random.default_rng(seed)
    shape = (n_subnodes(targets), n_sources)
    per_source = 1 / np.sqrt(max(n_sources, 1))
    return Layer(
        knots=frozen(np.tile(uniform_knots(-1.0, 1.0, grid, degree), (n_sources, 1))),
        coef=frozen((rng.random((*shape, grid + degree)) - 0.5) * noise_scale / grid),
        scale_base=frozen(rng.uniform(-1, 1, shape) * per_source),
        scale_sp=frozen(np.full(shape, per_source)),
        spline_mask=frozen(np.zeros(shape)),
        symbolic_mask=frozen(np.ones(shape)),
        functions=tuple((ABSENT,) * n_sources for _ in range(shape[0])),
        affine=frozen(np.tile([1.0, 0.0, 1.0, 0.0], (*shape, 1))),
        subnode_scale=frozen(np.ones(shape[0])),
        subnode_bias=frozen(np.zeros(shape[0])),
        node_scale=frozen(np.ones(len(targets))),
        node_bias=frozen(np.zeros(len(targets))),
    )


def empty_network(
    width: Sequence[Sequence[int] | int],
    mult_arity: Sequence[Sequence[int]] | int = 2,
    *,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    grid: int = 5,
    degree: int = 3,
    seed: int = 0,
) -> Network:
    """A network of the given shape whose edges are all absent.

    width: per level a number of sum nodes or [sum nodes, mult nodes].
    mult_arity: per level the arities of its mult nodes, or one arity for all.
    """
    pairs = [(w, 0) if isinstance(w, int) else (w[0], w[1]) for w in width]
    if len(pairs) < 2 or any(s < 0 or m < 0 or s + m < 1 for s, m in pairs) or pairs[0][1]:
        raise EditError(f"width {list(width)} is not a network: every level needs a node")
    arities = (
        [[mult_arity] * m for _, m in pairs]
        if isinstance(mult_arity, int)
        else [list(a) for a in mult_arity]
    )
    if [len(a) for a in arities] != [m for _, m in pairs] or any(
        k < 2 for row in arities for k in row
    ):
        raise EditError(f"mult_arity {arities} does not fit width {list(width)}")
    levels: list[tuple[Node, ...]] = []
    next_id = 0
    for (n_sum, _), row in zip(pairs, arities, strict=True):
        kinds = [1] * n_sum + row
        levels.append(tuple(Node(next_id + i, arity) for i, arity in enumerate(kinds)))
        next_id += len(kinds)
    layers = tuple(
        empty_layer(len(below), above, grid=grid, degree=degree, seed=seed + index)
        for index, (below, above) in enumerate(itertools.pairwise(levels))
    )
    inputs = tuple(input_names or (f"x{i + 1}" for i in range(len(levels[0]))))
    return Network(
        levels=tuple(levels),
        layers=layers,
        input_names=inputs,
        output_names=tuple(output_names or name_outputs([None] * len(levels[-1]), inputs)),
        degree=degree,
        next_id=next_id,
    )


def name_outputs(names: Sequence[str | None], inputs: Sequence[str]) -> tuple[str, ...]:
    """The given names; y (or y1, y2, ...) for the missing ones, another letter if taken."""
    taken = {*inputs, *names}
    for letter in ("y", "f", "z", "u", "w", "out"):
        made = [letter] if len(names) == 1 else [f"{letter}{i + 1}" for i in range(len(names))]
        missing = [new for new, name in zip(made, names, strict=True) if name is None]
        if taken.isdisjoint(missing):
            break
    return tuple(name or new for name, new in zip(names, made, strict=True))
