"""From a network to sympy expressions, level by level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from kanstudio.errors import KanStudioError
from kanstudio.formula.algebra import ONE
from kanstudio.network.network import ABSENT, EdgeRef, Layer, Network
from kanstudio.symbolic.arithmetic import Number, add, call, multiply
from kanstudio.symbolic.splines import has_spline

MAX_OPERATIONS = 50_000

ZERO = sp.Integer(0)
SplineMaker = Callable[[EdgeRef], Callable[[sp.Expr], sp.Expr]]
BoolArray = NDArray[np.bool_]


class TooLargeError(KanStudioError):
    """A network's formula, written out, would have too many operations."""


def used_edges(network: Network) -> list[BoolArray]:
    """Per layer (J, S): the edges that add something on which an output depends."""
    used = np.ones(len(network.levels[-1]), dtype=bool)
    chosen = []
    for layer, targets in zip(network.layers[::-1], network.levels[:0:-1], strict=True):
        scaled = (layer.scale_base != 0) | (layer.scale_sp != 0)
        speaking = layer.symbolic_active | (layer.spline_active & scaled)
        wanted = used & (layer.node_scale != 0)
        rows = np.repeat(wanted, [node.arity for node in targets])
        edges = speaking & (rows & (layer.subnode_scale != 0))[:, None]
        chosen.append(edges)
        used = edges.any(axis=0)
    return chosen[::-1]


def count_operations(network: Network, edges: Sequence[BoolArray]) -> float:
    """How many operations the outputs have when written out; what is shared counts anew.

    An upper bound: edges that only carry a value on count nothing.
    """
    sizes = np.ones(len(network.levels[0]))
    for layer, chosen, targets in zip(network.layers, edges, network.levels[1:], strict=True):
        carries = [[name == "x" for name in row] for row in layer.functions]
        costs = np.where(np.array(carries).reshape(chosen.shape), 0.0, 1.0)
        terms = np.where(chosen, sizes[None, :] + costs, 0.0).sum(axis=1)
        first = np.cumsum([0, *(node.arity for node in targets)])[:-1]
        with np.errstate(over="ignore"):
            sizes = np.add.reduceat(terms, first)
    return float(sizes.sum())


def check_size(network: Network, limit: int = MAX_OPERATIONS) -> None:
    """Raise TooLargeError unless the outputs have at most ``limit`` operations."""
    count = count_operations(network, used_edges(network))
    if count > limit:
        raise TooLargeError(
            f"written out, the formula of this network would have about {count:.2g} operations, "
            f"and at most {limit:,} are allowed: prune it, or fix its edges to functions"
        )


@dataclass(frozen=True)
class Spelling:
    """How the parts of a network are written.

    number: the sympy number of a float. spline: from an edge to the function that stands
    for its spline front. negligible: b counts as 0 in a*x + b where it is smaller than this
    share of a.
    """

    number: Number
    spline: SplineMaker
    negligible: float = 0.0


def expressions(
    network: Network, symbols: Sequence[sp.Symbol], spelling: Spelling
) -> list[sp.Expr]:
    """One expression per output, in canonical form; symbols: one per input.

    Raises KanStudioError where numbers are not finite or grow beyond 1e300, and
    RecursionError where sympy does.
    """
    if not all(np.isfinite(array).all() for layer in network.layers for _, array in layer.arrays()):
        raise KanStudioError("a network with values that are not finite has no formula")
    edges = used_edges(network)
    values: list[sp.Expr] = list(symbols)
    try:
        for index in range(network.depth):
            level = _Level(network, index, values, spelling)
            values = level.nodes(edges[index])
    except OverflowError:
        raise KanStudioError(
            "the formula of this network has numbers beyond 1e300: its scales are too large"
        ) from None
    except FloatingPointError:
        raise KanStudioError(
            "the formula of this network has numbers too small to tell from 0: its scales are "
            "too small"
        ) from None
    return values


class _Level:
    """The nodes of one level from those below."""

    def __init__(
        self, network: Network, index: int, values: Sequence[sp.Expr], spelling: Spelling
    ) -> None:
        self.layer: Layer = network.layers[index]
        self.targets = network.levels[index + 1]
        self.index = index
        self.values = values
        self.number = spelling.number
        self.spline = spelling.spline
        self.negligible = spelling.negligible

    def nodes(self, chosen: BoolArray) -> list[sp.Expr]:
        layer, start, nodes = self.layer, 0, []
        for position, node in enumerate(self.targets):
            scale, bias = layer.node_scale[position], layer.node_bias[position]
            ports = range(start, start + node.arity)
            start += node.arity
            factors = [self.subnode(port, chosen[port]) for port in ports] if scale else []
            nodes.append(self.affine(scale, multiply(factors) if factors else ONE, bias))
        return nodes

    def subnode(self, port: int, chosen: BoolArray) -> sp.Expr:
        terms: list[sp.Expr] = []
        for source in np.flatnonzero(chosen).tolist():
            terms += self.edge(port, source)
        scale, bias = self.layer.subnode_scale[port], self.layer.subnode_bias[port]
        return self.affine(scale, add(terms) if terms else ZERO, bias)

    def edge(self, port: int, source: int) -> list[sp.Expr]:
        """The terms that an edge adds to its subnode."""
        layer, x = self.layer, self.values[source]
        terms = []
        if layer.symbolic_active[port, source]:
            name, mask = layer.functions[port][source], layer.symbolic_mask[port, source]
            assert name != ABSENT
            a, b, c, d = layer.affine[port, source]
            value = call(name, self.affine(a, x, b), self.number)
            terms.append(self.affine(mask * c, value, mask * d))
        if has_spline(layer, port, source):
            terms.append(self.spline(EdgeRef(self.index, source, port))(x))
        return terms

    def affine(self, scale: float, value: sp.Expr, bias: float) -> sp.Expr:
        """scale * value + bias."""
        if abs(bias) <= self.negligible * abs(scale):
            bias = 0.0
        if scale == 1 and bias == 0:
            return value
        product = multiply([self.number(float(scale)), value]) if scale != 1 else value
        return add([product, self.number(float(bias))]) if bias != 0 else product
