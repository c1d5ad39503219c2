"""All trainable numbers of a network as one flat vector, and back.

Order: layer by layer first the active splines, each with its B coefficients, scale_base
and scale_sp; then the active symbolic fronts, each with a, b, c, d; then, if asked for,
subnode_scale, subnode_bias, node_scale, node_bias. Edges are sorted by (subnode, source).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kanstudio.network.network import FloatArray, Layer, Network

IntArray = NDArray[np.int64]

AFFINE_FIELDS = ("subnode_scale", "subnode_bias", "node_scale", "node_bias")


@dataclass(frozen=True)
class LayerPacking:
    """Where the parameters of one layer stand in the flat vector.

    spline_edges (E, 2), symbolic_edges (M, 2): (subnode, source) of the active fronts.
    E blocks of n_basis + 2 numbers start at ``start``, M blocks of 4 follow, then the
    affine maps if they are trained, up to ``stop``.
    """

    spline_edges: IntArray
    symbolic_edges: IntArray
    n_basis: int
    start: int
    affine_maps: int

    @property
    def symbolic_start(self) -> int:
        return self.start + len(self.spline_edges) * (self.n_basis + 2)

    @property
    def affine_start(self) -> int:
        return self.symbolic_start + 4 * len(self.symbolic_edges)

    @property
    def stop(self) -> int:
        return self.affine_start + self.affine_maps


@dataclass(frozen=True)
class Packing:
    """The layout of the flat vector for networks of one structure."""

    layers: tuple[LayerPacking, ...]

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.layers[-1].stop

    def pack(self, network: Network) -> FloatArray:
        """The parameters of a network, shape (size,)."""
        parts: list[FloatArray] = []
        for plan, layer in zip(self.layers, network.layers, strict=True):
            rows, columns = plan.spline_edges.T
            splines = np.concatenate(
                [
                    layer.coef[rows, columns],
                    layer.scale_base[rows, columns, None],
                    layer.scale_sp[rows, columns, None],
                ],
                axis=1,
            )
            symbolic = layer.affine[plan.symbolic_edges[:, 0], plan.symbolic_edges[:, 1]]
            parts += [splines.ravel(), symbolic.ravel()]
            if plan.affine_maps:
                parts += [getattr(layer, name) for name in AFFINE_FIELDS]
        return np.concatenate(parts)

    def unpack(self, network: Network, params: FloatArray) -> Network:
        """The network with these parameters; copies, everything else is shared."""
        return network.with_layers(
            tuple(
                _unpack_layer(plan, layer, params)
                for plan, layer in zip(self.layers, network.layers, strict=True)
            )
        )


def packing(network: Network, *, affine_trainable: bool = False) -> Packing:
    """The layout for a network's active edges."""
    layers: list[LayerPacking] = []
    start = 0
    for layer in network.layers:
        maps = 2 * (layer.n_subnodes + layer.n_nodes) if affine_trainable else 0
        plan = LayerPacking(
            spline_edges=np.argwhere(layer.spline_active).astype(np.int64),
            symbolic_edges=np.argwhere(layer.symbolic_active).astype(np.int64),
            n_basis=int(layer.coef.shape[2]),
            start=start,
            affine_maps=maps,
        )
        layers.append(plan)
        start = plan.stop
    return Packing(tuple(layers))


def _unpack_layer(plan: LayerPacking, layer: Layer, params: FloatArray) -> Layer:
    if plan.stop == plan.start:
        return layer
    arrays: dict[str, Any] = {}
    if len(plan.spline_edges):
        block = params[plan.start : plan.symbolic_start].reshape(-1, plan.n_basis + 2)
        rows, columns = plan.spline_edges.T
        for name, values in (
            ("coef", block[:, :-2]),
            ("scale_base", block[:, -2]),
            ("scale_sp", block[:, -1]),
        ):
            arrays[name] = getattr(layer, name).copy()
            arrays[name][rows, columns] = values
    if len(plan.symbolic_edges):
        rows, columns = plan.symbolic_edges.T
        arrays["affine"] = layer.affine.copy()
        arrays["affine"][rows, columns] = params[plan.symbolic_start : plan.affine_start].reshape(
            -1, 4
        )
    at = plan.affine_start
    if plan.affine_maps:
        for name in AFFINE_FIELDS:
            size = getattr(layer, name).size
            arrays[name] = params[at : at + size].copy()
            at += size
    for values in arrays.values():
        values.flags.writeable = False
    return replace(layer, **arrays)
