"""sympy's expressions and the function table at a point of the prime field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache

import sympy

from kanstudio import functions
from kanstudio.compiler import evaluate
from kanstudio.compiler.exact import Exact, exact, residue
from kanstudio.compiler.field import decimal, drawn, from_fraction, signed
from kanstudio.compiler.laws import LAWS
from kanstudio.compiler.point import OutsideError, Point, Value, product, total, value
from kanstudio.functions.powers import exponent_of

Other = Callable[[sympy.Basic], Value]
_SLOT = sympy.Symbol("x")


class UnreadError(ValueError):
    """No law says what an expression is at a point."""


@lru_cache(maxsize=1024)
def constant_residue(node: sympy.Basic) -> int:
    """What a constant of a formula is in the field.

    What has no value there, or none that is known, is random: equal only to itself.
    """
    try:
        return Reader(Point(), {}).read(node).of
    except (OutsideError, ZeroDivisionError):
        return signed("constant", str(node))


def applied_to(name: str, x: float, found: float) -> float:
    """A function's value at a constant, with what it is exactly if that is known."""
    point = Point()
    if isinstance(x, Exact):
        point.know(x.residue, x.antilog, x.turn)
    try:
        return exact(found, applied(name, value(residue(x)), point).of)
    except (OutsideError, ZeroDivisionError):
        return found


def _residue_of(number: sympy.Expr) -> int:
    if isinstance(number, sympy.Float):
        return residue(float(number))
    return from_fraction(Fraction(int(number.p), int(number.q)))


def _unknown(node: sympy.Basic) -> Value:
    if node.free_symbols:
        raise UnreadError(str(node))
    return value(signed("constant", str(node)))


def applied(name: str, x: Value, point: Point) -> Value:
    """A function of the table; composed ones by their formula."""
    if name in LAWS:
        return LAWS[name](point, x)
    row = functions.get(name)
    if row.exponent is not None:
        return point.power(x, decimal(row.exponent))
    if row.expression is not None:
        with suppress(UnreadError):
            return Reader(point, {_SLOT.name: x}).read(row.expression)
    return point.atom(name, x.of)


class Reader:
    """Reads sympy expressions at a point.

    known: the values of the symbols. other: reads what is no sum, product, power or function
    of the table.
    """

    def __init__(self, point: Point, known: Mapping[str, Value], other: Other = _unknown) -> None:
        self.point = point
        self.known = known
        self.other = other
        self.found: dict[sympy.Basic, Value] = {}

    def read(self, expression: sympy.Basic) -> Value:
        for node in evaluate.postorder(expression, self._operands):
            if node not in self.found:
                self.found[node] = self._node(node)
        return self.found[expression]

    def _operands(self, node: sympy.Basic) -> Sequence[sympy.Basic]:
        if isinstance(node, sympy.Add | sympy.Mul | sympy.Pow):
            return node.args  # type: ignore[no-any-return]
        row = functions.match(node) if isinstance(node, sympy.Function) else None
        return () if row is None else (row[1],)

    def _node(self, node: sympy.Basic) -> Value:
        match node:
            case sympy.Symbol():
                return self.known[node.name]
            case sympy.Rational() | sympy.Float():
                return value(_residue_of(node))
            case sympy.Add():
                return total([self.found[term] for term in node.args])
            case sympy.Mul():
                return product([self.found[factor] for factor in node.args])
            case sympy.Pow():
                return self._power(node)
        return self._other(node)

    def _power(self, node: sympy.Pow) -> Value:
        try:
            return self._power_of(node, self.found[node.base], self.found[node.exp])
        except OutsideError:
            if node.free_symbols:
                raise
            return value(drawn("constant", str(node)))

    def _power_of(self, node: sympy.Pow, base: Value, exponent: Value) -> Value:
        if isinstance(node.exp, sympy.Integer):
            return self.point.power(base, Fraction(int(node.exp)))
        if not node.exp.free_symbols and (node.base.free_symbols or node.exp.is_Rational):
            # A network has such a power by its name, and long exponents as decimals.
            return self.point.power(base, decimal(exponent_of(node.exp)))
        if node.base == sympy.E:
            return self.point.exp(exponent)
        return self.point.exp(product([exponent, self.point.log(base)]))

    def _other(self, node: sympy.Basic) -> Value:
        if node in evaluate.NUMBER_SYMBOLS:
            return value(drawn(str(node)))
        row = functions.match(node) if isinstance(node, sympy.Function) else None
        if row is not None:
            return applied(row[0], self.found[row[1]], self.point)
        return self.other(node)
