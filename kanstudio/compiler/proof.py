"""Is a level graph exactly what was typed? Asked once, of the form that a search has found.

Both are read at random points of the prime field (point.py), the formula as typed and the
network as it is laid out, with the exact constants that its doubles stand for. Equal values
at every point prove the identity, wherever the formula has a real value: where signs and
roots matter, there are points for every combination of signs that comes up. The probability
that formulas pass that differ where the signs are the same is below 2**-100.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sympy

from kanstudio.compiler import evaluate
from kanstudio.compiler.at_point import Reader, applied
from kanstudio.compiler.bounds import Bounds
from kanstudio.compiler.exact import Exact, residue
from kanstudio.compiler.field import P, drawn, is_positive, signed
from kanstudio.compiler.interned import postorder
from kanstudio.compiler.levels import LevelGraph, LevelNode, Subnode
from kanstudio.compiler.normal import Affine, Apply, Core, Product, Sum, Variable
from kanstudio.compiler.point import OutsideError, Point, Value, product, total, value
from kanstudio.compiler.read import read

MAX_STEPS = 2_000
"""Larger formulas are compared with numbers only."""
_TRIALS = 96
_PER_COMBINATION = 4
_ENOUGH = 32


def proven(
    graph: LevelGraph,
    expressions: Sequence[sympy.Expr],
    names: Sequence[str],
    bounds: Bounds | None = None,
) -> bool:
    """Is the graph equal to the expressions wherever these have a real value?

    bounds: of the inputs, with what was taken for positive; there only. False where no law
    that is known here says so, and for formulas that are too large.
    """
    steps = sum(1 for expression in expressions for _ in evaluate.postorder(expression))
    if steps + sum(map(len, graph.levels)) > MAX_STEPS:
        return False
    compared, combinations = 0, set()
    for trial in range(_TRIALS):
        point = Point()
        inputs = [value(_input(index, trial, bounds)) for index in range(graph.n_inputs)]
        try:
            if bounds and not _are_positive(bounds.relied.values(), inputs, point):
                continue
            reader = _reader(names, inputs, point)
            wanted = [reader.read(expression).of for expression in expressions]
        except (OutsideError, ZeroDivisionError):
            continue
        try:
            if [v.of for v in graph_at(graph, inputs, point)] != wanted:
                return False
        except (OutsideError, ZeroDivisionError):
            return False
        compared += 1
        combinations.add(tuple(point.signs))
        if not point.signs or compared >= min(_ENOUGH, _PER_COMBINATION * (len(combinations) + 1)):
            return True
    return False


def _input(index: int, trial: int, bounds: Bounds | None) -> int:
    """A random input, with its sign if that is known."""
    low, high = bounds.ranges[index] if bounds and bounds.ranges else (-1.0, 1.0)
    if low >= 0:
        return drawn("x", index, trial)
    return -drawn("x", index, trial) % P if high <= 0 else signed("x", index, trial)


def _are_positive(values: Iterable[Affine], inputs: Sequence[Value], point: Point) -> bool:
    return all(is_positive(affine_at(one, inputs, point).of) for one in values)


def _reader(names: Sequence[str], inputs: Sequence[Value], point: Point) -> Reader:
    def other(node: sympy.Basic) -> Value:
        return affine_at(read(node, names), inputs, point)

    return Reader(point, dict(zip(names, inputs, strict=True)), other)


def graph_at(graph: LevelGraph, inputs: Sequence[Value], point: Point) -> list[Value]:
    """The outputs of a network at a point; OutsideError where one has no value."""
    below = list(inputs)
    for level in graph.levels:
        below = [_node(node, below, point) for node in level]
    return below


def _node(node: LevelNode, below: Sequence[Value], point: Point) -> Value:
    ports = [_subnode(subnode, below, point) for subnode in node.subnodes]
    inner = product(ports) if len(ports) > 1 else ports[0]
    return scaled(inner, node.scale, node.bias, point)


def _subnode(subnode: Subnode, below: Sequence[Value], point: Point) -> Value:
    parts = []
    for connection in subnode.connections:
        a, b, c, d = connection.affine
        inner = scaled(below[connection.source], a, b, point)
        parts.append(scaled(applied(connection.function, inner, point), c, d, point))
    inner = total(parts) if parts else value(0)
    return scaled(inner, subnode.scale, subnode.bias, point)


def scaled(x: Value, scale: float, bias: float, point: Point) -> Value:
    """``scale * x + bias``."""
    if scale != 1:
        x = product([_number(scale, point), x])
    return total([x, _number(bias, point)]) if bias != 0 else x


def _number(of: float, point: Point) -> Value:
    if isinstance(of, Exact):
        point.know(of.residue, of.antilog, of.turn)
    return value(residue(of))


def affine_at(root: Affine, inputs: Sequence[Value], point: Point) -> Value:
    """A normal form at a point."""
    found: dict[int, Value] = {}

    def of(affine: Affine) -> Value:
        if affine.core is None:
            return _number(affine.bias, point)
        return scaled(found[id(affine.core)], affine.scale, affine.bias, point)

    def core_at(core: Core) -> Value:
        match core:
            case Variable():
                return inputs[core.index]
            case Sum():
                return total([scaled(found[id(t)], weight, 0.0, point) for weight, t in core.terms])
            case Product():
                return product([of(factor) for factor in core.factors])
            case Apply():
                return applied(core.function, of(core.argument), point)

    for core in postorder([root]):
        found[id(core)] = core_at(core)
    return of(root)
