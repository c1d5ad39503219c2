"""Evaluation in torch: one program for float32 and float64, CPU and GPU, with autograd.

Only active edges are computed. An edit that adds absent edges therefore leaves every
arithmetic operation as it was, and the output equal bit for bit.

Samples and tensors may have leading axes, written "..." here: many networks of one shape
are computed at once. Nothing waits for a device or depends on a value, so that the passes
there and back can be recorded as a CUDA graph. (That is why indices are taken one axis at
a time: the way back through x[:, rows, columns] sorts, and cannot be recorded.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import silu

from kanstudio import functions
from kanstudio.errors import DataError
from kanstudio.functions import Function
from kanstudio.network.network import FloatArray, Layer, Network, Node
from kanstudio.network.spline import basis

BoolArray = NDArray[np.bool_]


class LayerTensors(NamedTuple):
    """The arrays of a :class:`Layer` as tensors; same names, shapes and meaning.

    Each may have leading axes; those of all have to fit together.
    """

    knots: Tensor
    coef: Tensor
    scale_base: Tensor
    scale_sp: Tensor
    spline_mask: Tensor
    symbolic_mask: Tensor
    affine: Tensor
    subnode_scale: Tensor
    subnode_bias: Tensor
    node_scale: Tensor
    node_bias: Tensor


@dataclass(frozen=True)
class SymbolicGroup:
    """The active symbolic edges of one layer that share a function.

    edges: subnode * S + source of each.
    """

    function: Function
    subnodes: Tensor
    sources: Tensor
    edges: Tensor


@dataclass(frozen=True)
class SplineBlock:
    """Splines that are summed in one matrix product.

    subnodes, sources: index vectors; None for all of the layer. chosen (rows, columns):
    which of these edges belong to the block; None for all.
    """

    subnodes: Tensor | None
    sources: Tensor | None
    chosen: Tensor | None


@dataclass(frozen=True)
class LayerProgram:
    """Which edges of a layer are computed, and how subnodes become nodes.

    blocks: first the splines on which the output depends, then those on which it does not
    depend yet. The size of a matrix product decides how it rounds: apart, the new splines
    of a non-intrusive perturbation leave every bit of the output as it was.
    silent: index vectors (subnodes, sources) of active splines whose scales are both 0.
    factors: per port p the index of each node's p-th subnode, or the number of subnodes
    (a column of ones) where the node has fewer ports.
    sums_only: every node has one subnode, in the same order.
    """

    degree: int
    n_subnodes: int
    groups: tuple[SymbolicGroup, ...]
    blocks: tuple[SplineBlock, ...]
    silent: tuple[Tensor, Tensor]
    factors: tuple[Tensor, ...]
    sums_only: bool


class LayerValues(NamedTuple):
    """What a layer comes to, with the same leading axes for all.

    inputs (..., n, S); symbolic and spline parts of the edges (..., n, J, S); raw subnode
    sums (..., n, J).
    """

    inputs: Tensor
    symbolic: Tensor
    spline: Tensor
    subnodes: Tensor


def tensors(layer: Layer, dtype: torch.dtype, device: torch.device | str = "cpu") -> LayerTensors:
    """Fresh tensors with a layer's values."""
    return LayerTensors(
        **{name: torch.tensor(a, dtype=dtype, device=device) for name, a in layer.arrays()}
    )


def stacked(
    layers: Sequence[Layer], dtype: torch.dtype, device: torch.device | str = "cpu"
) -> LayerTensors:
    """Layers of one shape as one; arrays that are not the same in all get a leading axis."""

    def together(arrays: Sequence[FloatArray]) -> Tensor:
        first = arrays[0]
        same = all(np.array_equal(first, array) for array in arrays[1:])
        return torch.tensor(first if same else np.stack(arrays), dtype=dtype, device=device)

    names = LayerTensors._fields
    return LayerTensors(
        **{name: together([getattr(layer, name) for layer in layers]) for name in names}
    )


def layer_program(
    layer: Layer,
    targets: tuple[Node, ...],
    degree: int,
    device: torch.device | str = "cpu",
    used: BoolArray | None = None,
) -> LayerProgram:
    """Plan the evaluation of one layer into the given nodes.

    used: for each of the nodes whether the output depends on it; None for all.
    """

    def index(values: np.ndarray | list[int]) -> Tensor:
        return torch.tensor(np.asarray(values, dtype=np.int64), device=device)

    by_name: dict[str, list[tuple[int, int]]] = {}
    for subnode, source in np.argwhere(layer.symbolic_active):
        by_name.setdefault(layer.functions[subnode][source], []).append((subnode, source))
    groups = tuple(
        SymbolicGroup(
            functions.get(name),
            index([j for j, _ in edges]),
            index([i for _, i in edges]),
            index([j * layer.n_sources + i for j, i in edges]),
        )
        for name, edges in sorted(by_name.items())
    )
    ports = max((node.arity for node in targets), default=1)
    first = np.cumsum([0] + [node.arity for node in targets])[:-1]
    factors = tuple(
        index([
            start + port if port < node.arity else layer.n_subnodes
            for start, node in zip(first, targets, strict=True)
        ])
        for port in range(ports)
    )  # fmt: skip

    def block(chosen: BoolArray) -> SplineBlock:
        rows, columns = np.flatnonzero(chosen.any(axis=1)), np.flatnonzero(chosen.any(axis=0))
        part = chosen[np.ix_(rows, columns)]
        whole = np.array_equal(part, layer.spline_active[np.ix_(rows, columns)])
        return SplineBlock(
            None if len(rows) == layer.n_subnodes else index(rows),
            None if len(columns) == layer.n_sources else index(columns),
            None if whole else torch.tensor(part, device=device),
        )

    silent = layer.spline_active & ~_speaking(layer)
    needed = layer.spline_active & ~silent
    if used is not None:
        needed = needed & np.repeat(used, [node.arity for node in targets])[:, None]
    parts = (needed, layer.spline_active & ~needed)
    rows, columns = np.nonzero(silent)
    return LayerProgram(
        degree=degree,
        n_subnodes=layer.n_subnodes,
        groups=groups,
        blocks=tuple(block(part) for part in parts if part.any()),
        silent=(index(rows), index(columns)),
        factors=factors,
        sums_only=ports == 1,
    )


def _speaking(layer: Layer) -> BoolArray:
    """(J, S): the edge is active and not a spline that is scaled to 0."""
    scaled = (layer.scale_base != 0) | (layer.scale_sp != 0)
    speaking: BoolArray = layer.symbolic_active | (layer.spline_active & scaled)
    return speaking


def _used_nodes(network: Network) -> list[BoolArray]:
    """For the levels above the inputs: on which nodes does the output depend?"""
    used = [np.ones(len(network.levels[-1]), dtype=bool)]
    for layer, targets in zip(network.layers[:0:-1], network.levels[:1:-1], strict=True):
        rows = np.repeat(used[-1], [node.arity for node in targets])
        used.append(_speaking(layer)[rows].any(axis=0))
    return used[::-1]


def program(network: Network, device: torch.device | str = "cpu") -> tuple[LayerProgram, ...]:
    """Plan the evaluation of a whole network."""
    return tuple(
        layer_program(layer, targets, network.degree, device, used)
        for layer, targets, used in zip(
            network.layers, network.levels[1:], _used_nodes(network), strict=True
        )
    )


def is_outdated(plan: LayerProgram, p: LayerTensors) -> bool:
    """True if a spline has been trained that was silent when the program was made."""
    if not len(plan.silent[0]):
        return False
    return bool(p.scale_base[plan.silent].any() | p.scale_sp[plan.silent].any())


def _take(values: Tensor, dim: int, index: Tensor | None) -> Tensor:
    return values if index is None else values.index_select(dim, index)


def _spline_features(plan: LayerProgram, block: SplineBlock, p: LayerTensors, x: Tensor) -> Tensor:
    """(..., n, S', B + 1): the B-splines and silu of the block's sources."""
    active = _take(x, -1, block.sources)
    splines = basis(active, _take(p.knots, -2, block.sources), plan.degree)
    others = silu(active).unsqueeze(-1)
    return torch.cat([splines, others.expand(*splines.shape[:-1], 1)], dim=-1)


def spline_features(plan: LayerProgram, p: LayerTensors, x: Tensor) -> tuple[Tensor, ...]:
    """What the spline blocks of a layer make of x: per block (..., n, S', B + 1).

    For samples that are used again and again on the same grid.
    """
    return tuple(_spline_features(plan, block, p, x) for block in plan.blocks)


def _spline_weights(block: SplineBlock, p: LayerTensors) -> Tensor:
    """(..., J', S', B + 1): mask * [scale_sp * coef, scale_base], 0 for edges of other blocks."""
    splines = (p.spline_mask * p.scale_sp).unsqueeze(-1) * p.coef
    base = (p.spline_mask * p.scale_base).unsqueeze(-1)
    shape = _broadcast(splines.shape[:-1], base.shape[:-1])
    weights = torch.cat([splines.expand(*shape, -1), base.expand(*shape, 1)], dim=-1)
    weights = _take(_take(weights, -3, block.subnodes), -2, block.sources)
    return weights if block.chosen is None else weights * block.chosen.unsqueeze(-1)


def _symbolic(group: SymbolicGroup, p: LayerTensors, x: Tensor) -> Tensor:
    """(..., n, edges of the group): mask * (c * f(a * x + b) + d)."""
    affine = p.affine.flatten(-3, -2).index_select(-2, group.edges)
    a, b, c, d = affine.unsqueeze(-3).unbind(-1)
    values = c * group.function.torch(a * x.index_select(-1, group.sources) + b) + d
    mask = p.symbolic_mask.flatten(-2).index_select(-1, group.edges)
    return mask.unsqueeze(-2) * values


def _leading(p: LayerTensors, x: Tensor) -> torch.Size:
    """The leading axes of what a layer makes of x (..., n, S)."""
    edges = (p.spline_mask, p.symbolic_mask, p.scale_base, p.scale_sp)
    return _broadcast(
        x.shape[:-2], p.knots.shape[:-2], p.coef.shape[:-3], p.affine.shape[:-3],
        *(values.shape[:-2] for values in edges),
    )  # fmt: skip


def _broadcast(*shapes: torch.Size) -> torch.Size:
    found: torch.Size = torch.broadcast_shapes(*shapes)  # type: ignore[no-untyped-call]
    return found


def _add(sums: Tensor, dim: int, index: Tensor | None, values: Tensor) -> Tensor:
    """sums, with values added at these places of the axis."""
    if index is None:
        return sums + values
    shape = list(sums.shape)
    shape[dim] = len(index)
    return sums.index_add(dim, index, values.expand(shape))


def subnode_sums(
    plan: LayerProgram, p: LayerTensors, x: Tensor, features: tuple[Tensor, ...] = ()
) -> Tensor:
    """Sum of all edges into each subnode: x (..., n, S) -> (..., n, J).

    features: `spline_features` of x, where they are known.
    """
    sums = x.new_zeros((*_leading(p, x), x.shape[-2], plan.n_subnodes))
    for group in plan.groups:
        sums = _add(sums, -1, group.subnodes, _symbolic(group, p, x))
    features = features or spline_features(plan, p, x)
    for block, known in zip(plan.blocks, features, strict=True):
        values = known.flatten(-2) @ _spline_weights(block, p).flatten(-2).mT
        sums = _add(sums, -1, block.subnodes, values)
    return sums


def nodes_from_sums(plan: LayerProgram, p: LayerTensors, sums: Tensor) -> Tensor:
    """Affine map of the subnodes, products of the mult nodes, affine map of the nodes."""
    nodes = p.subnode_scale.unsqueeze(-2) * sums + p.subnode_bias.unsqueeze(-2)
    if not plan.sums_only:
        padded = torch.cat([nodes, torch.ones_like(nodes[..., :1])], dim=-1)
        nodes = padded.index_select(-1, plan.factors[0])
        for factor in plan.factors[1:]:
            # One factor after the other: a row of ones never changes a bit of the product.
            nodes = nodes * padded.index_select(-1, factor)
    return p.node_scale.unsqueeze(-2) * nodes + p.node_bias.unsqueeze(-2)


def layer_forward(
    plan: LayerProgram, p: LayerTensors, x: Tensor, features: tuple[Tensor, ...] = ()
) -> Tensor:
    """x (..., n, S) -> nodes of the next level (..., n, N)."""
    return nodes_from_sums(plan, p, subnode_sums(plan, p, x, features))


def edge_values(
    plan: LayerProgram, p: LayerTensors, x: Tensor, features: tuple[Tensor, ...] = ()
) -> LayerValues:
    """Every edge on its own; memory is n * J * S, so choose n with care."""
    shape = (*_leading(p, x), x.shape[-2], plan.n_subnodes, x.shape[-1])
    symbolic, spline = x.new_zeros(shape), x.new_zeros(shape)
    for group in plan.groups:
        symbolic[..., group.subnodes, group.sources] = _symbolic(group, p, x)
    features = features or spline_features(plan, p, x)
    for block, known in zip(plan.blocks, features, strict=True):
        values = torch.einsum("...nif,...jif->...nji", known, _spline_weights(block, p))
        if block.sources is not None:
            rows = values.new_zeros((*values.shape[:-1], x.shape[-1]))
            values = rows.index_add(-1, block.sources, values)
        spline = _add(spline, -2, block.subnodes, values)
    return LayerValues(x, symbolic, spline, subnode_sums(plan, p, x, features))


def check_inputs(n_inputs: int, shape: tuple[int, ...]) -> None:
    """Raise DataError unless the shape is (samples, n_inputs)."""
    if len(shape) != 2 or shape[1] != n_inputs:
        raise DataError(f"the network has {n_inputs} inputs: it takes [n, {n_inputs}], not {shape}")


def evaluate(network: Network, x: FloatArray) -> FloatArray:
    """Outputs (n, outputs) in float64 for inputs (n, inputs)."""
    check_inputs(len(network.levels[0]), np.shape(x))
    with torch.no_grad():
        values = torch.tensor(np.asarray(x), dtype=torch.float64)
        for plan, layer in zip(program(network), network.layers, strict=True):
            values = layer_forward(plan, tensors(layer, torch.float64), values)
    result: FloatArray = values.numpy()
    return result
