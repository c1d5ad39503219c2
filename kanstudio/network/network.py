"""The network as a value: what is saved, edited and undone.

A :class:`Network` never changes. An edit makes a new one that shares every
array it did not touch. Arrays are read-only float64; the axis order of both
fronts is ``(subnode, source)``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

ABSENT = "0"
"""The function name of an edge without a symbolic front."""


def frozen(values: ArrayLike) -> FloatArray:
    """A read-only float64 array with the given values."""
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True)
class Node:
    """A node of one level; ``node_id`` stays the same for the node's whole life.

    arity is 1 for a sum node and the number of factors, at least 2, for a mult node.
    """

    node_id: int
    arity: int = 1

    @property
    def is_mult(self) -> bool:
        return self.arity > 1


@dataclass(frozen=True, slots=True)
class EdgeRef:
    """An edge by position: from node ``source`` of level ``layer`` to ``subnode``."""

    layer: int
    source: int
    subnode: int


@dataclass(frozen=True)
class Layer:
    """All edges between two levels, and the affine maps of the upper level.

    With S sources, J subnodes, N nodes above, K knots and B = K - degree - 1:

    - knots (S, K): each source's extended knot vector, not decreasing.
    - coef (J, S, B): spline coefficients.
    - scale_base, scale_sp (J, S): factors of silu(x) and of the spline.
    - spline_mask, symbolic_mask (J, S): factor of each front; 0 switches it off.
    - functions: J rows of S names that `functions.get` knows; "0" is no function.
    - affine (J, S, 4): a, b, c, d of ``c * f(a * x + b) + d``.
    - subnode_scale, subnode_bias (J,); node_scale, node_bias (N,).
    """

    knots: FloatArray
    coef: FloatArray
    scale_base: FloatArray
    scale_sp: FloatArray
    spline_mask: FloatArray
    symbolic_mask: FloatArray
    functions: tuple[tuple[str, ...], ...]
    affine: FloatArray
    subnode_scale: FloatArray
    subnode_bias: FloatArray
    node_scale: FloatArray
    node_bias: FloatArray

    @property
    def n_sources(self) -> int:
        return int(self.spline_mask.shape[1])

    @property
    def n_subnodes(self) -> int:
        return int(self.spline_mask.shape[0])

    @property
    def n_nodes(self) -> int:
        return int(self.node_scale.shape[0])

    @cached_property
    def symbolic_active(self) -> NDArray[np.bool_]:
        """(J, S): the edge has a function and its mask is not 0."""
        named = np.array([[name != ABSENT for name in row] for row in self.functions], dtype=bool)
        active: NDArray[np.bool_] = named.reshape(self.symbolic_mask.shape) & (
            self.symbolic_mask != 0
        )
        return active

    @cached_property
    def spline_active(self) -> NDArray[np.bool_]:
        """(J, S): the spline front's mask is not 0."""
        active: NDArray[np.bool_] = self.spline_mask != 0
        return active

    @cached_property
    def active(self) -> NDArray[np.bool_]:
        """(J, S): at least one front is active."""
        return self.symbolic_active | self.spline_active

    def arrays(self) -> Iterator[tuple[str, FloatArray]]:
        """Name and array of everything numeric, in a fixed order."""
        for item in fields(self):
            if item.name != "functions":
                yield item.name, getattr(self, item.name)

    def with_arrays(self, **arrays: ArrayLike) -> Layer:
        """The same layer with some arrays replaced (copied and frozen)."""
        values: dict[str, Any] = {name: frozen(array) for name, array in arrays.items()}
        return replace(self, **values)

    def __reduce__(self) -> tuple[Any, ...]:
        # One block: as many small arrays take pickle longer, and would come back writable.
        arrays = [array for _, array in self.arrays()]
        block = np.concatenate([array.ravel() for array in arrays]).tobytes()
        return _unpickled, (self.functions, [array.shape for array in arrays], block)


def _unpickled(
    functions: tuple[tuple[str, ...], ...], shapes: list[tuple[int, ...]], block: bytes
) -> Layer:
    numbers, names = np.frombuffer(block), [item.name for item in fields(Layer)]
    names.remove("functions")
    ends = itertools.accumulate(map(math.prod, shapes))
    arrays = {
        name: numbers[end - math.prod(shape) : end].reshape(shape)
        for name, shape, end in zip(names, shapes, ends, strict=True)
    }
    return Layer(functions=functions, **arrays)


@dataclass(frozen=True)
class Network:
    """A Kolmogorov-Arnold network (Liu et al. 2024, arXiv:2404.19756; 2408.10205).

    levels[0] holds the inputs, levels[-1] the outputs; layers[l] maps level l to
    level l + 1. In each level sum nodes stand first, then mult nodes.
    """

    levels: tuple[tuple[Node, ...], ...]
    layers: tuple[Layer, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    degree: int = 3
    next_id: int = field(default=0, compare=False)

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.layers)

    @property
    def width(self) -> list[list[int]]:
        """[[sum nodes, mult nodes] per level], as pykan writes it."""
        return [
            [sum(not node.is_mult for node in level), sum(node.is_mult for node in level)]
            for level in self.levels
        ]

    @property
    def mult_arity(self) -> list[list[int]]:
        """The arities of the mult nodes per level."""
        return [[node.arity for node in level if node.is_mult] for level in self.levels]

    @property
    def n_edge(self) -> int:
        """Number of edges with at least one active front."""
        return int(sum(layer.active.sum() for layer in self.layers))

    @property
    def grid(self) -> int:
        """Number of grid intervals inside the domain of the first layer's splines."""
        return int(self.layers[0].knots.shape[1]) - 2 * self.degree - 1

    def subnode_owner(self, level: int) -> list[tuple[Node, int]]:
        """(node, port) of every subnode of a level, in the order of the subnodes."""
        return [(node, port) for node in self.levels[level] for port in range(node.arity)]

    def edge_id(self, edge: EdgeRef) -> str:
        """A name that an edit elsewhere does not change: source id, target id, port."""
        node, port = self.subnode_owner(edge.layer + 1)[edge.subnode]
        return f"{self.levels[edge.layer][edge.source].node_id}-{node.node_id}.{port}"

    def find_edge(self, edge_id: str) -> EdgeRef | None:
        """The position of an edge, or None if the network has no such edge."""
        source_text, _, target_text = edge_id.partition("-")
        for layer_index in range(self.depth):
            sources = [str(node.node_id) for node in self.levels[layer_index]]
            if source_text not in sources:
                continue
            targets = [f"{n.node_id}.{p}" for n, p in self.subnode_owner(layer_index + 1)]
            if target_text in targets:
                return EdgeRef(layer_index, sources.index(source_text), targets.index(target_text))
        return None

    def find_node(self, node_id: int) -> tuple[int, int] | None:
        """(level, index) of a node, or None if the network has no such node."""
        for level_index, level in enumerate(self.levels):
            for index, node in enumerate(level):
                if node.node_id == node_id:
                    return level_index, index
        return None

    def with_layers(self, layers: tuple[Layer, ...]) -> Network:
        """The same nodes with other layers of the same shapes."""
        return replace(self, layers=layers)

    def same_values(self, other: Any) -> bool:
        """True if structure, functions and every array are equal, bit for bit."""
        if not isinstance(other, Network):
            return False
        if (self.levels, self.input_names, self.output_names, self.degree) != (
            other.levels, other.input_names, other.output_names, other.degree
        ):  # fmt: skip
            return False
        return len(self.layers) == len(other.layers) and all(
            a.functions == b.functions
            and all(
                np.array_equal(x, y, equal_nan=True)
                for (_, x), (_, y) in zip(a.arrays(), b.arrays(), strict=True)
            )
            for a, b in zip(self.layers, other.layers, strict=True)
        )
