"""Sums, products, powers and calls in sympy's canonical form, made without sympy's rules.

sympy's constructors ask about signs, realness and zeros, recursively: for some formulas
of a hundred characters that takes minutes. Here a sum collects like terms, a product
collects powers, in linear time, and the results are what sympy itself would make in all
everyday cases: `add([x, x]) == x + x`. Only numbers, known to be small, reach sympy.

Everything raises OverflowError where a coefficient is beyond 1e300, and FloatingPointError
where it is too small to tell from 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import cmp_to_key, lru_cache

import sympy as sp

from kanstudio import functions
from kanstudio.formula.numbers import exact, fraction_of, too_large
from kanstudio.functions import Function

ONE = sp.Integer(1)
MINUS_ONE = sp.Integer(-1)
HALF = sp.Rational(1, 2)
_MAX_IRRATIONAL_FACTORS = 8
_LARGEST_ROOTED = 1000
_ODD = frozenset(
    {"sin", "tan", "cot", "csc", "arcsin", "arctan", "sinh", "tanh", "arcsinh", "arctanh"}
    | {"arccot", "arccsc", "csch", "coth", "arccoth", "arccsch"}
    | {"erf", "erfi", "erfinv", "sgn", "cbrt", "j1", "i1", "Si"}
)
_EVEN = frozenset({"cos", "sec", "cosh", "sech", "abs", "gaussian", "sinc", "j0", "i0"})
_order = cmp_to_key(sp.Basic.compare)


def add(terms: Iterable[sp.Expr]) -> sp.Expr:
    """The sum of any number of terms."""
    coefficients: dict[sp.Expr, Fraction] = {}
    for term in terms:
        for part in sp.Add.make_args(term):
            number, rest = part.as_coeff_Mul()
            total = coefficients.get(rest, Fraction(0)) + fraction_of(number)
            coefficients[rest] = _bounded(total)
    constant = coefficients.pop(ONE, Fraction(0))
    found = [_scaled(number, rest) for rest, number in coefficients.items() if number]
    found.sort(key=_order)
    if constant or not found:
        found.insert(0, exact(constant))
    return found[0] if len(found) == 1 else sp.Add._from_args(found)


def multiply(factors: Iterable[sp.Expr]) -> sp.Expr:
    """The product of any number of factors; a number times a sum is multiplied out."""
    coefficient, rests = Fraction(1), []
    pending = list(factors)
    for _ in range(3):  # collecting powers can bring new numbers: sqrt(2)*sqrt(2)
        # As sympy has it: x^2*x is x^3 and 2^y*2^y is 2^(2*y), but x*x^y stays.
        powers: dict[tuple[sp.Expr, sp.Expr], list[sp.Expr]] = {}
        for factor in pending:
            for part in sp.Mul.make_args(factor):
                if part.is_Rational or part.is_Float:
                    coefficient = _bounded(coefficient * fraction_of(part))
                else:
                    base, exponent = part.as_base_exp()
                    number, rest = exponent.as_coeff_Mul()
                    powers.setdefault((base, rest), []).append(number)
        rests = [_collected(*key, numbers) for key, numbers in powers.items()]
        if not any(rest.is_Number or rest.is_Mul for rest in rests):
            break
        pending = rests
    if not coefficient:
        return sp.Integer(0)
    number, rests = _with_irrationals(coefficient, rests)
    if not rests:
        return exact(number)
    rests.sort(key=_order)
    return _scaled(number, rests[0] if len(rests) == 1 else sp.Mul._from_args(rests))


def power(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    """base**exponent; for real numbers, so that (x^0.5)^0.5 is x^0.25."""
    if exponent == 0 or base == 1:
        return ONE
    if exponent == 1:
        return base
    if base == sp.E:
        return _exponential(exponent)
    if base.is_number and exponent.is_number:
        return sp.Pow(base, exponent)
    if exponent.is_Integer and (base.is_Mul or base.is_Pow or isinstance(base, sp.exp)):
        return _integer_power(base, exponent)
    if base.is_Mul and exponent.is_Number:
        return _power_of_product(base, exponent)
    if base.is_Pow and exponent.is_Rational and base.exp.is_Rational and abs(base.exp) < 1:
        # What has a root cannot be negative, so the exponents multiply; beyond 1 sympy
        # does not do so either.
        return power(base.base, base.exp * exponent)
    return sp.Pow(base, exponent, evaluate=False)


def apply(name: str, argument: sp.Expr) -> sp.Expr:
    """A function of the table."""
    if argument.is_number:  # the variables have cancelled
        return functions.get(name).sympy(argument)
    if name == "exp":
        return _exponential(argument)
    number, rest = argument.as_coeff_Mul()
    if name == "abs" and number != 1:
        return multiply([abs(number), apply("abs", rest)])
    if number.is_negative and name in _ODD:
        return multiply([MINUS_ONE, apply(name, multiply([MINUS_ONE, argument]))])
    if number.is_negative and name in _EVEN:
        argument = multiply([MINUS_ONE, argument])
    head, before, after = _head(functions.get(name))
    return head(*before, argument, *after, evaluate=False)


@lru_cache(maxsize=256)
def _head(row: Function) -> tuple[type[sp.Expr], tuple[sp.Expr, ...], tuple[sp.Expr, ...]]:
    """The sympy class of a function, and the arguments around the variable one."""
    slot = sp.Dummy()
    applied = row.sympy(slot)
    at = applied.args.index(slot)
    return applied.func, applied.args[:at], applied.args[at + 1 :]


def _exponential(exponent: sp.Expr) -> sp.Expr:
    if exponent.is_number:
        return sp.exp(exponent)
    number, rest = exponent.as_coeff_Mul()
    if isinstance(rest, sp.log):
        return power(rest.args[0], number)
    return sp.exp(exponent, evaluate=False)


def _bounded(value: Fraction) -> Fraction:
    """value with the precision that `exact` keeps.

    OverflowError beyond 1e300, FloatingPointError where it is too small to tell from 0.
    """
    number = float(value)
    if too_large(number):
        raise OverflowError
    if value and not number:
        raise FloatingPointError
    return fraction_of(exact(value))


def _scaled(number: Fraction, rest: sp.Expr) -> sp.Expr:
    if number == 1 or rest == 1:
        return rest if number == 1 else exact(number)
    if rest.is_Add:
        return add([_scaled(number, term) for term in rest.args])
    inner, rest = rest.as_coeff_Mul()
    number = _bounded(number * fraction_of(inner))
    if number == 1:
        return rest
    return sp.Mul._from_args([exact(number), *sp.Mul.make_args(rest)])


def _collected(base: sp.Expr, exponent: sp.Expr, numbers: list[sp.Expr]) -> sp.Expr:
    """base to the power of exponent times the sum of numbers."""
    number = numbers[0] if len(numbers) == 1 else add(numbers)
    return power(base, number if exponent == 1 else multiply([number, exponent]))


def _with_irrationals(
    coefficient: Fraction, factors: list[sp.Expr]
) -> tuple[Fraction, list[sp.Expr]]:
    """Join factors like sqrt(2) and sqrt(3); many of them become one float.

    sympy knows how to join roots, but takes long over many of them.
    """
    irrational = [factor for factor in factors if factor.is_number]
    if len(irrational) < 2:
        return coefficient, factors
    rests = [factor for factor in factors if not factor.is_number]
    if len(irrational) > _MAX_IRRATIONAL_FACTORS:
        value = math.prod(float(factor) for factor in irrational)
        if too_large(value):
            raise OverflowError
        return _bounded(coefficient * Fraction(value)), rests
    number, joined = sp.Mul(*irrational).as_coeff_Mul()
    coefficient = _bounded(coefficient * fraction_of(number))
    return coefficient, [*(part for part in sp.Mul.make_args(joined) if part != 1), *rests]


def _integer_power(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    if isinstance(base, sp.exp):
        return _exponential(multiply([base.args[0], exponent]))
    if base.is_Pow:
        return power(base.base, multiply([base.exp, exponent]))
    number, rest = base.as_coeff_Mul()
    size = math.log10(abs(float(number))) * int(exponent)
    if abs(size) > 300:
        raise OverflowError if size > 0 else FloatingPointError
    scale = exact(fraction_of(number) ** int(exponent))
    return multiply([scale, *(power(part, exponent) for part in sp.Mul.make_args(rest))])


def _power_of_product(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    """(2*x)^(1/2) is sqrt(2)*sqrt(x): positive numbers come out of the power."""
    number, rest = base.as_coeff_Mul()
    parts = sp.Mul.make_args(rest)
    outside = [part for part in parts if part in {sp.pi, sp.E}]
    inside = [part for part in parts if part not in {sp.pi, sp.E}]
    if not inside:
        return sp.Pow(base, exponent)
    if abs(number) != 1:
        outside.append(abs(number))
    if number.is_negative:
        inside.append(MINUS_ONE)
    scales = [_number_power(part, exponent) for part in outside]
    held = multiply(inside)
    held = sp.Pow(held, exponent, evaluate=False) if held.is_Mul else power(held, exponent)
    return multiply([*scales, held]) if scales else held


def _number_power(number: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    long = number.is_Float or (
        number.is_Rational and max(abs(number.p), number.q) > _LARGEST_ROOTED
    )
    if not long:
        return sp.Pow(number, exponent)
    # No root of a long number: sympy would factor it.
    return exact(Fraction(float(number) ** float(exponent)))
