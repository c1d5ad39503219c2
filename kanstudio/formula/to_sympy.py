"""From the syntax tree to sympy, with nothing left to sympy that could take long.

Every step knows the float64 value of what is constant (see numbers.py); what is not
constant is put together by algebra.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import sympy as sp

from kanstudio import functions
from kanstudio.formula import algebra, numbers
from kanstudio.formula.ast import (
    Call,
    Constant,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Sum,
    Variable,
)
from kanstudio.formula.limits import (
    MAX_EXACT_NODES,
    MAX_EXPONENT,
    refuse,
)
from kanstudio.formula.shorthands import REPEATING, SHORTHANDS, log_to
from kanstudio.formula.to_piecewise import Built, PiecewiseBuilder

_NOT_REAL = (sp.zoo, sp.nan, sp.oo, -sp.oo, sp.I)
# Functions whose value at a small rational (times pi) sympy may keep as it is.
_EXACT = frozenset(
    {"exp", "log", "sqrt", "sin", "cos", "tan", "cot", "sec", "csc"}
    | {"arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"}
)


_MINUS_ONE = Built(sp.Integer(-1), -1.0, 1)


def build(node: Node, text: str) -> sp.Expr:
    """The sympy expression of a tree; raises FormulaError with the span at fault."""
    builder = _Builder(text)
    try:
        expr = builder.build(node).expr
        builder.check_result(expr, node)
    except RecursionError:
        refuse("nested too deeply", text, node.start, node.end)
    return expr


class _Builder(PiecewiseBuilder):
    def build(self, node: Node) -> Built:
        match node:
            case Number():
                return self.number(node)
            case Constant():
                value = math.pi if node.name == "pi" else math.e
                return Built(sp.pi if node.name == "pi" else sp.E, value, 1)
            case Variable():
                return Built(sp.Symbol(node.name), None, 1)
            case Negative():
                return self.product(node, [_MINUS_ONE, self.build(node.item)])
            case Sum():
                return self.sum(node)
            case Product():
                return self.quotients(node)
            case Power():
                return self.power(node, self.build(node.base), self.build(node.exponent))
            case Call():
                return self.call(node)
        raise AssertionError(node)  # the parser lets conditions only into calls

    # Errors

    def check(self, value: float, node: Node) -> float:
        if numbers.too_large(value):
            self.refuse("a constant beyond 1e300", node)
        return value

    def check_result(self, expr: sp.Expr, node: Node) -> None:
        """What no single step can see: exponents and coefficients that came together."""
        for part in sp.preorder_traversal(expr):
            if part in _NOT_REAL:
                self.refuse("this has no real value", node)
            if isinstance(part, sp.Pow) and part.exp.is_Number and not part.base.is_Number:
                if not abs(part.exp) <= MAX_EXPONENT:
                    self.refuse(f"an exponent beyond {MAX_EXPONENT}", node)
            elif part.is_Number and not numbers.representable(part):
                self.refuse("a constant beyond 1e300", node)

    # Leaves

    def number(self, node: Number) -> Built:
        try:
            value = float(node.value)
        except OverflowError:
            value = math.inf
        self.check(value, node)
        if value == 0 and node.value != 0:
            self.refuse("a number too small to tell from 0", node)
        exact = numbers.tidy(value) if numbers.is_long(node.text) else numbers.exact(node.value)
        return Built(exact, value, 1)

    # Sums, products, powers

    def sum(self, node: Sum) -> Built:
        terms = [self.build(term) for term in node.terms]
        with self.bounded(node):
            expr = algebra.add(term.expr for term in terms)
        value = None
        if all(term.value is not None for term in terms):
            value = math.fsum(term.value for term in terms if term.value is not None)
        return self.finished(node, expr, value, 1 + sum(term.size for term in terms))

    def quotients(self, node: Product) -> Built:
        factors = []
        for item, divides in zip(node.factors, node.divided, strict=True):
            factor = self.build(item)
            if divides:
                if factor.value == 0 or factor.expr == 0:
                    self.refuse("division by zero", item)
                factor = self.power(item, factor, _MINUS_ONE)
            factors.append(factor)
        return self.product(node, factors)

    def product(self, node: Node, factors: list[Built]) -> Built:
        with self.bounded(node):
            expr = algebra.multiply(factor.expr for factor in factors)
        value = None
        if all(factor.value is not None for factor in factors):
            value = math.prod(factor.value for factor in factors if factor.value is not None)
        return self.finished(node, expr, value, 1 + sum(factor.size for factor in factors))

    @contextmanager
    def bounded(self, node: Node) -> Iterator[None]:
        """Refuse coefficients that grow beyond what a float holds."""
        try:
            yield
        except OverflowError:
            self.refuse("a constant beyond 1e300", node)
        except FloatingPointError:
            self.refuse("a number too small to tell from 0", node)

    def power(self, node: Node, base: Built, exponent: Built) -> Built:
        size = base.size + exponent.size + 1
        if exponent.value is None and base.value is not None and base.value < 0:
            self.refuse("a negative number to a variable power has no real value", node)
        large = exponent.value is not None and abs(exponent.value) > MAX_EXPONENT
        if large and base.expr != sp.E:  # e^x is exp(x)
            where = node.exponent if isinstance(node, Power) else node
            self.refuse(f"an exponent beyond {MAX_EXPONENT}", where)
        if exponent.value is not None and base.value is not None:
            return self.constant_power(node, base.value, exponent.value, base, exponent)
        with self.bounded(node):
            return Built(algebra.power(base.expr, exponent.expr), None, size)

    def constant_power(
        self, node: Node, base: float, exponent: float, left: Built, right: Built
    ) -> Built:
        try:
            value = self.check(numbers.power(base, exponent), node)
        except OverflowError:
            self.refuse("a constant beyond 1e300", node)
        except ZeroDivisionError:
            self.refuse("division by zero", node)
        except ValueError:
            hint = "write cbrt(x) or root(x, n)" if _odd_root(right.expr) else ""
            self.refuse("a negative number has no real power of this kind", node, hint)
        size = left.size + right.size + 1
        if left.expr.is_Rational and not right.expr.is_Integer and not _small(left.expr):
            return Built(numbers.tidy(value), value, size)
        if left.expr.is_Rational and right.expr.is_Integer:
            fraction = numbers.fraction_of(left.expr) ** int(right.expr)
            return self.finished(node, numbers.exact(fraction), value, size)
        return self.finished(node, algebra.power(left.expr, right.expr), value, size)

    def finished(self, node: Node, expr: sp.Expr, value: float | None, size: int) -> Built:
        """Check a constant; make it one float where it is long or no longer exact."""
        if value is None:
            # x - x is the constant 0, and 0*x too; x/x/sqrt(3) is 1/sqrt(3).
            constant = expr.is_Number or (expr.is_number and expr.is_real)
            value = float(expr) if constant else None
            return Built(expr, value, size)
        if expr in _NOT_REAL:
            self.refuse("this has no real value", node)
        if expr.is_Rational:
            value = float(expr)
        elif expr.is_Float or size > MAX_EXACT_NODES:
            expr = numbers.tidy(value)
        return Built(expr, self.check(value, node), size)

    # Functions

    def call(self, node: Call) -> Built:
        if node.name in {"where", "piecewise"}:
            return self.piecewise(node)
        items = [self.build(item) for item in node.arguments]
        size = 1 + sum(item.size for item in items)
        values = [item.value for item in items if item.value is not None]
        if len(values) == len(items):
            return self.constant_call(node, items, values, size)
        if node.name in {"sqrt", "pow", "root"}:
            return self.root_or_power(node, items)
        exprs = [item.expr for item in items]
        if node.name in REPEATING:
            return self.doubled(node, self.apply(node, exprs), REPEATING[node.name] * size)
        with self.bounded(node):
            return Built(self.apply(node, exprs), None, size)

    def constant_call(
        self, node: Call, items: list[Built], values: list[float], size: int
    ) -> Built:
        name = node.name
        try:
            value = self.evaluate(node, values)
        except OverflowError:
            self.refuse("a constant beyond 1e300", node)
        except ZeroDivisionError:
            self.refuse(f"{name} has no value here: division by zero", node)
        except ValueError:
            self.refuse(f"{name} has no real value here", node)
        self.check(value, node)
        if name in _EXACT and len(items) == 1 and _simple(items[0]):
            half = sp.Rational(1, 2)
            expr = items[0].expr
            expr = sp.Pow(expr, half) if name == "sqrt" else functions.get(name).sympy(expr)
            return self.finished(node, expr, value, size)
        if name in {"max", "min"}:
            return next(item for item in items if item.value == value)
        if name == "abs":
            return self.product(node, [_MINUS_ONE, items[0]]) if values[0] < 0 else items[0]
        return Built(numbers.tidy(value), value, size)

    def evaluate(self, node: Call, values: list[float]) -> float:
        if node.name.startswith("bessel"):
            return numbers.evaluate(self.bessel_name(node, values[0]), values[1:])
        return numbers.evaluate(node.name, values)

    def bessel_name(self, node: Call, order: float | None) -> str:
        """besselj(0, x) is j0(x)."""
        if order not in {0, 1}:
            self.refuse(f"{node.name} has the orders 0 and 1", node.arguments[0])
        return f"{node.name[-1]}{int(order or 0)}"

    def root_or_power(self, node: Call, items: list[Built]) -> Built:
        if node.name == "pow":
            return self.power(node, items[0], items[1])
        degree = items[1].value if node.name == "root" else 2.0
        if degree is None:
            return self.power(node, items[0], self.power(node, items[1], _MINUS_ONE))
        if degree == 0 or not degree.is_integer() or items[0].value is not None:
            self.refuse("a root has a whole number as its degree", node)
        if degree % 2 == 0 or degree == 1:
            exponent = sp.Rational(1, int(degree))
            return self.power(node, items[0], Built(exponent, 1 / degree, 1))
        # An odd root is real for negative numbers too.
        item = items[0]
        if degree == 3:
            return Built(algebra.apply("cbrt", item.expr), None, item.size + 1)
        size = Built(algebra.apply("abs", item.expr), None, item.size)
        root = self.power(node, size, Built(sp.Rational(1, int(degree)), 1 / degree, 1))
        expr = algebra.multiply([algebra.apply("sgn", item.expr), root.expr])
        return self.doubled(node, expr, root.size + item.size)

    def doubled(self, node: Node, expr: sp.Expr, size: int) -> Built:
        """A result that holds an argument twice; nested, it would grow exponentially."""
        self.check_written(size, node)
        return Built(expr, None, size)

    def apply(self, node: Call, exprs: list[sp.Expr]) -> sp.Expr:
        """The call of a function with a variable somewhere in its arguments."""
        name, first = node.name, exprs[0]
        if name in SHORTHANDS:
            return SHORTHANDS[name](*exprs)
        if name in {"max", "min"}:
            head = sp.Max if name == "max" else sp.Min
            return head(*exprs, evaluate=False) if len(set(exprs)) > 1 else first
        if name == "log":
            return self.logarithm(node, exprs)
        if name == "mod":
            return self.mod(node, exprs)
        if name.startswith("bessel"):
            order = float(first) if first.is_Number else None
            name, first = self.bessel_name(node, order), exprs[1]
        return algebra.apply(name, first)

    def logarithm(self, node: Call, exprs: list[sp.Expr]) -> sp.Expr:
        x, base = exprs if len(exprs) > 1 else (exprs[0], sp.E)
        if base.is_Number and (base <= 0 or base == 1):
            self.refuse("no base of a logarithm", node.arguments[1])
        return log_to(x, base)

    def mod(self, node: Call, exprs: list[sp.Expr]) -> sp.Expr:
        x, modulus = exprs
        if modulus == 0:
            self.refuse("division by zero", node.arguments[1])
        return sp.Mod(x, modulus, evaluate=False)


def _small(number: sp.Expr) -> bool:
    return bool(number.is_Rational and abs(number.p) <= 1000 and number.q <= 1000)


def _simple(item: Built) -> bool:
    """May sympy look for an exact value at this constant?"""
    value, expr = item.value, item.expr
    if value is None or abs(value) > 1e6:
        return False
    number, rest = expr.as_coeff_Mul()
    whole = number.is_Rational and abs(number.p) <= 10**6 and number.q <= 1000
    return bool(whole and (rest == 1 or (rest == sp.pi and number.q <= 12) or rest == sp.E))


def _odd_root(exponent: sp.Expr) -> bool:
    return bool(exponent.is_Rational and exponent.q % 2 == 1)
