"""From the syntax tree to sympy, with nothing left to sympy that could take long.

Every step knows the float64 value of what is constant (see numbers.py). Coefficients are
collected here and not by sympy, so that no integer grows beyond what a float can hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

import sympy as sp

from kanstudio import functions
from kanstudio.formula import numbers
from kanstudio.formula.ast import (
    Call,
    Compare,
    Constant,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Sum,
    Variable,
    count,
)
from kanstudio.formula.limits import (
    MAX_CONSTANT,
    MAX_EXACT_NODES,
    MAX_EXPONENT,
    MAX_NODES,
    refuse,
)

_NOT_REAL = (sp.zoo, sp.nan, sp.oo, -sp.oo, sp.I)
# Functions whose value at a small rational (times pi) sympy may keep as it is.
_EXACT = frozenset(
    {"exp", "log", "sqrt", "sin", "cos", "tan", "cot", "sec", "csc"}
    | {"arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"}
)
# Sympy's own simplifications of a function are left out where its argument has more nodes
# than _LARGE or the formula more than _LARGE_FORMULA.
_LARGE = 60
_LARGE_FORMULA = 600
_MAX_IRRATIONAL_FACTORS = 8
_RELATIONS = {
    "<": sp.StrictLessThan,
    "<=": sp.LessThan,
    ">": sp.StrictGreaterThan,
    ">=": sp.GreaterThan,
}


@dataclass(frozen=True, slots=True)
class Built:
    """A sympy expression; value in float64 where it is constant; its number of nodes."""

    expr: sp.Expr
    value: float | None
    size: int


_MINUS_ONE = Built(sp.Integer(-1), -1.0, 1)


def build(node: Node, text: str) -> sp.Expr:
    """The sympy expression of a tree; raises FormulaError with the span at fault."""
    builder = _Builder(text, count(node) > _LARGE_FORMULA)
    try:
        expr = builder.build(node).expr
        builder.check_result(expr, node)
    except RecursionError:
        refuse("nested too deeply", text, node.start, node.end)
    return expr


class _Builder:
    def __init__(self, text: str, large: bool) -> None:
        self.text = text
        self.large = large

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

    def refuse(self, message: str, node: Node, hint: str = "") -> NoReturn:
        refuse(message, self.text, node.start, node.end, hint)

    def check_result(self, expr: sp.Expr, node: Node) -> None:
        """What no single step can see: exponents and coefficients that came together."""
        for part in sp.preorder_traversal(expr):
            if part in _NOT_REAL:
                self.refuse("this has no real value", node)
            if isinstance(part, sp.Pow) and part.exp.is_Number and not part.base.is_Number:
                if not abs(part.exp) <= MAX_EXPONENT:
                    self.refuse(f"an exponent beyond {MAX_EXPONENT}", node)
            elif part.is_Number and not _representable(part):
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
        return Built(numbers.exact(node.value), value, 1)

    # Sums, products, powers

    def sum(self, node: Sum) -> Built:
        terms = [self.build(term) for term in node.terms]
        size = 1 + sum(term.size for term in terms)
        coefficients: dict[sp.Expr, Fraction] = {}
        for term in terms:
            coefficient, rest = term.expr.as_coeff_Mul(rational=False)
            total = coefficients.get(rest, Fraction(0)) + numbers.fraction_of(coefficient)
            coefficients[rest] = numbers.fraction_of(numbers.exact(total))
        expr = sp.Add(
            *(_scaled(numbers.exact(number), rest) for rest, number in coefficients.items())
        )
        value = None
        if all(term.value is not None for term in terms):
            value = math.fsum(term.value for term in terms if term.value is not None)
        return self.finished(node, expr, value, size)

    def quotients(self, node: Product) -> Built:
        factors = []
        for item, divides in zip(node.factors, node.divided, strict=True):
            factor = self.build(item)
            if divides:
                if _is_zero(factor):
                    self.refuse("division by zero", item)
                factor = self.power(item, factor, _MINUS_ONE)
            factors.append(factor)
        return self.product(node, factors)

    def product(self, node: Node, factors: list[Built]) -> Built:
        coefficient, rests, size, value = Fraction(1), [], 1, 1.0
        constant = True
        for factor in factors:
            number, rest = factor.expr.as_coeff_Mul(rational=False)
            coefficient *= numbers.fraction_of(number)
            coefficient = self.small(coefficient, node)
            rests.append(rest)
            size += factor.size
            constant = constant and factor.value is not None
            value *= factor.value if factor.value is not None else 1.0
        rests, irrational = self.without_irrationals(node, rests)
        coefficient = self.small(coefficient * irrational, node)
        expr = _scaled(numbers.exact(coefficient), sp.Mul(*rests))
        return self.finished(node, expr, value if constant else None, size)

    def without_irrationals(
        self, node: Node, factors: list[sp.Expr]
    ) -> tuple[list[sp.Expr], Fraction]:
        """Factors like sqrt(2), if there are many, as one float: sympy pairs them all."""
        parts = [part for factor in factors for part in sp.Mul.make_args(factor)]
        irrational = [part for part in parts if part.is_number and not part.is_Rational]
        if len(irrational) <= _MAX_IRRATIONAL_FACTORS:
            return factors, Fraction(1)
        value = self.check(math.prod(float(part) for part in irrational), node)
        rests = [part for part in parts if not part.is_number or part.is_Rational]
        return rests, Fraction(value)

    def small(self, coefficient: Fraction, node: Node) -> Fraction:
        """The coefficient as far as sympy shall see it: rounded where it is long."""
        try:
            self.check(float(coefficient), node)
        except OverflowError:
            self.refuse("a constant beyond 1e300", node)
        return numbers.fraction_of(numbers.exact(coefficient))

    def power(self, node: Node, base: Built, exponent: Built) -> Built:
        size = base.size + exponent.size + 1
        if exponent.value is None:
            if base.value is not None and base.value < 0:
                self.refuse("a negative number to a variable power has no real value", node)
            return Built(sp.Pow(base.expr, exponent.expr), None, size)
        if abs(exponent.value) > MAX_EXPONENT:
            where = node.exponent if isinstance(node, Power) else node
            self.refuse(f"an exponent beyond {MAX_EXPONENT}", where)
        if base.value is not None:
            return self.constant_power(node, base.value, exponent.value, base, exponent)
        number, rest = base.expr.as_coeff_Mul(rational=False)
        size_of_number = abs(math.log10(abs(float(number)))) if number else 0.0
        if size_of_number * abs(exponent.value) > math.log10(MAX_CONSTANT):
            self.refuse("a constant beyond 1e300", node)
        if number != 1 and exponent.expr.is_Integer:
            scale = self.small(numbers.fraction_of(number) ** int(exponent.expr), node)
            expr = _scaled(numbers.exact(scale), sp.Pow(rest, exponent.expr))
        elif number > 0 and not _small(number):
            # No root of a long number: sympy would factor it.
            scale = self.small(Fraction(float(number) ** exponent.value), node)
            expr = _scaled(numbers.exact(scale), _powered(rest, exponent.expr))
        else:
            expr = _powered(base.expr, exponent.expr)
        return Built(expr, None, size)

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
        return self.finished(node, _powered(left.expr, right.expr), value, size)

    def finished(self, node: Node, expr: sp.Expr, value: float | None, size: int) -> Built:
        """Check a constant; make it one float where it is long or no longer exact."""
        if value is None:
            # x - x is the constant 0, and 0*x too.
            value = float(expr) if expr.is_Number else None
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
        if node.name == "mod":
            return self.doubled(node, self.mod(node, exprs), size + items[1].size)
        return Built(self.apply(node, exprs, size), None, size)

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
        if degree is None or degree == 0 or not degree.is_integer() or items[0].value is not None:
            self.refuse("a root has a whole number as its degree", node)
        if degree % 2 == 0 or degree == 1:
            exponent = sp.Rational(1, int(degree))
            return self.power(node, items[0], Built(exponent, 1 / degree, 1))
        # An odd root is real for negative numbers too.
        if degree == 3:
            return Built(functions.get("cbrt").sympy(items[0].expr), None, items[0].size + 1)
        item = items[0]
        exponent = Built(sp.Rational(1, int(degree)), 1 / degree, 1)
        size = self.power(node, Built(sp.Abs(item.expr), None, item.size), exponent)
        return self.doubled(node, sp.sign(item.expr) * size.expr, size.size + item.size)

    def doubled(self, node: Node, expr: sp.Expr, size: int) -> Built:
        """A result that holds an argument twice; nested, it would grow exponentially."""
        if size > MAX_NODES:
            self.refuse(f"written out, more than {MAX_NODES} operations", node)
        return Built(expr, None, size)

    def apply(self, node: Call, exprs: list[sp.Expr], size: int) -> sp.Expr:
        """The call of a function with a variable somewhere in its arguments."""
        name, first = node.name, exprs[0]
        if name in _COMPOSED:
            return _COMPOSED[name](*exprs)
        if name in {"max", "min"}:
            head = sp.Max if name == "max" else sp.Min
            return head(*exprs, evaluate=False) if len(set(exprs)) > 1 else first
        if name == "log":
            return self.logarithm(node, exprs)
        if name.startswith("bessel"):
            order = float(first) if first.is_Number else None
            name, first = self.bessel_name(node, order), exprs[1]
        if size > _LARGE or self.large:
            return _unsimplified(name, first)
        return functions.get(name).sympy(first)

    def logarithm(self, node: Call, exprs: list[sp.Expr]) -> sp.Expr:
        top = sp.log(exprs[0])
        if len(exprs) == 1 or exprs[1] == sp.E:
            return top
        if exprs[1].is_Number and (exprs[1] <= 0 or exprs[1] == 1):
            self.refuse("no base of a logarithm", node.arguments[1])
        return top / sp.log(exprs[1])

    def mod(self, node: Call, exprs: list[sp.Expr]) -> sp.Expr:
        x, modulus = exprs
        if modulus.is_zero:
            self.refuse("division by zero", node.arguments[1])
        return modulus * functions.get("frac").sympy(x / modulus)

    def piecewise(self, node: Call) -> Built:
        pieces: list[tuple[sp.Expr, object]] = []
        size = 1
        for condition, item in zip(node.arguments[:-1:2], node.arguments[1::2], strict=True):
            assert isinstance(condition, Compare)
            left, right = self.build(condition.left), self.build(condition.right)
            then = self.build(item)
            size += left.size + right.size + then.size
            if left.value is None or right.value is None:
                relation = _RELATIONS[condition.operator]
                pieces.append((then.expr, relation(left.expr, right.expr, evaluate=False)))
            elif _holds(condition.operator, left.value, right.value):
                pieces.append((then.expr, sp.true))
        last = self.build(node.arguments[-1])
        pieces.append((last.expr, sp.true))
        size += last.size
        if pieces[0][1] is sp.true:
            first = pieces[0][0]
            return Built(first, float(first) if first.is_Number else None, size)
        return Built(sp.Piecewise(*pieces, evaluate=False), None, size)


def _log_to(base: int) -> object:
    return lambda x: sp.log(x) / sp.log(sp.Integer(base))


def _hypot(x: sp.Expr, y: sp.Expr) -> sp.Expr:
    return sp.sqrt(x**2 + y**2)


# Functions that are written with those of the table.
_COMPOSED = {
    "log2": _log_to(2),
    "log10": _log_to(10),
    "sech": lambda x: 1 / sp.cosh(x),
    "csch": lambda x: 1 / sp.sinh(x),
    "coth": lambda x: 1 / sp.tanh(x),
    "factorial": lambda x: sp.gamma(x + 1),
    "hypot": _hypot,
    "atan2": sp.atan2,
}


def _scaled(number: sp.Expr, rest: sp.Expr) -> sp.Expr:
    if number == 1:
        return rest
    return sp.Mul(number, rest)


def _powered(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    """base**exponent. Powers of powers, on which sympy takes exponential time, by hand."""
    if not (base.is_Pow and base.exp.is_number) or exponent.is_Integer:
        return sp.Pow(base, exponent)
    if base.exp.is_Rational and exponent.is_Rational and not base.exp.is_Integer:
        # The base cannot be negative, so the exponents multiply.
        return sp.Pow(base.base, base.exp * exponent)
    return sp.Pow(base, exponent, evaluate=False)


def _unsimplified(name: str, argument: sp.Expr) -> sp.Expr:
    """The function without sympy's simplifications, which take long on large arguments."""
    slot = sp.Dummy()
    applied = functions.get(name).sympy(slot)
    rest = [item for item in applied.args if item != slot]
    if applied.func is sp.Heaviside:
        return sp.Heaviside(argument, *rest, evaluate=False)
    return applied.func(*rest, argument, evaluate=False)


def _small(number: sp.Expr) -> bool:
    return bool(number.is_Rational and abs(number.p) <= 1000 and number.q <= 1000)


def _simple(item: Built) -> bool:
    """May sympy look for an exact value at this constant?"""
    value, expr = item.value, item.expr
    if value is None or abs(value) > 1e6:
        return False
    number, rest = expr.as_coeff_Mul()
    whole = number.is_Rational and abs(number.p) <= 10**6 and number.q <= 1000
    return bool(whole and (rest == 1 or (rest == sp.pi and number.q <= 60) or rest == sp.E))


def _is_zero(item: Built) -> bool:
    return item.value == 0 or item.expr == 0


def _odd_root(exponent: sp.Expr) -> bool:
    return bool(exponent.is_Rational and exponent.q % 2 == 1)


def _holds(operator: str, left: float, right: float) -> bool:
    if operator in {"<", "<="}:
        return left < right or (operator == "<=" and left == right)
    return left > right or (operator == ">=" and left == right)


def _representable(number: sp.Expr) -> bool:
    if number.is_Rational:
        return bool(int(number.p).bit_length() < 990 and int(number.q).bit_length() < 990)
    return not numbers.too_large(float(number))
