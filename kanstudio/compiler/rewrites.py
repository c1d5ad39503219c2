"""Functions that are exact in terms of the function table's, for real arguments.

A condition is a value that is exactly 1 where it holds and exactly 0 elsewhere. What a
network computes is always finite, so a branch that is not taken contributes 0 even where
it has no value itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import sympy

from kanstudio import functions
from kanstudio.compiler.exact import quotient
from kanstudio.compiler.extremes import maximum, minimum, where_holds
from kanstudio.compiler.normal import Affine, add, apply, constant, multiply

ONE = constant(1.0)
_MOST_FACTORS = 21
_MULTIPLES = range(1, 1000)


def _difference(left: Affine, right: Affine) -> Affine:
    return add([(1.0, left), (-1.0, right)])


def _modulo(value: Affine, modulus: Affine) -> Affine:
    if value.core is modulus.core and value.bias == modulus.bias == 0:
        # x mod x is 0, and x*(1/x) may be just below 1.
        ratio = quotient(value.scale, modulus.scale)
        return multiply([constant(ratio - math.floor(ratio)), modulus])
    if modulus.core is None and not _divides_exactly(modulus.bias):
        # 49*(1/49) is just below 1, so that its fraction is none; 49/49 is 1.
        slot = sympy.Symbol("x")
        name = functions.compose(sympy.Mod(slot, int(modulus.bias), evaluate=False), slot)
        return apply(name, value)
    return multiply([modulus, apply("frac", multiply([value, apply("1/x", modulus)]))])


def _divides_exactly(modulus: float) -> bool:
    """Is k*modulus*(1/modulus) the whole number k for a whole modulus? True for all others."""
    if not modulus.is_integer() or modulus == 0:
        return True
    return all(k * modulus * (1 / modulus) == k for k in _MULTIPLES)


def _greater(left: Affine, right: Affine) -> Affine:
    """1 where ``left > right``: relu first, since the sign alone is -1, 0 or 1."""
    return apply("sgn", apply("relu", _difference(left, right)))


def _less(left: Affine, right: Affine) -> Affine:
    return _greater(right, left)


def _greater_equal(left: Affine, right: Affine) -> Affine:
    return _not(_less(left, right))


def _less_equal(left: Affine, right: Affine) -> Affine:
    return _not(_greater(left, right))


def _unequal(left: Affine, right: Affine) -> Affine:
    return apply("abs", apply("sgn", _difference(left, right)))


def _equal(left: Affine, right: Affine) -> Affine:
    return _not(_unequal(left, right))


def _not(condition: Affine) -> Affine:
    return _difference(ONE, condition)


def _and(*conditions: Affine) -> Affine:
    return multiply(conditions)


def _or(*conditions: Affine) -> Affine:
    return _not(multiply([_not(condition) for condition in conditions]))


def _piecewise(*parts: Affine) -> Affine:
    """value, condition, value, condition, ...: the value of the first condition that holds."""
    result = constant(0.0)
    for value, condition in zip(reversed(parts[::2]), reversed(parts[1::2]), strict=True):
        otherwise = where_holds(_not(condition), result)
        result = add([(1.0, where_holds(condition, value)), (1.0, otherwise)])
    return result


def _angle(y: Affine, x: Affine) -> Affine:
    """``atan2(y, x)`` from ``atan(y / x)``, which is 0 at ``x = 0`` since 1/x is 0 there."""
    zero = constant(0.0)
    if x.core is None and x.bias == 0:
        return multiply([constant(math.pi / 2), apply("sgn", y)])
    upper = add([(2.0, _greater_equal(y, zero)), (-1.0, ONE)])
    return add(
        [
            (1.0, apply("arctan", multiply([y, apply("1/x", x)]))),
            (math.pi, multiply([_less(x, zero), upper])),
            (math.pi / 2, multiply([_equal(x, zero), apply("sgn", y)])),
        ]
    )


def _step(argument: Affine, at_zero: Affine) -> Affine:
    """``Heaviside(argument, at_zero)``."""
    zero = constant(0.0)
    if at_zero.core is None and at_zero.bias == 0.5:
        return apply("heaviside", argument)
    return add(
        [(1.0, _greater(argument, zero)), (1.0, multiply([at_zero, _equal(argument, zero)]))]
    )


def _exclusive(*conditions: Affine) -> Affine:
    """Exactly 1 where an odd number of conditions holds."""
    result, *others = conditions
    for condition in others:
        both = multiply([result, condition])
        result = add([(1.0, result), (1.0, condition), (-2.0, both)])
    return result


def _gamma(argument: Affine, shift: float = 0.0) -> Affine:
    return apply("gamma", add([(1.0, argument), (1.0, constant(shift))]))


def _over(numerator: Affine, *denominators: Affine) -> Affine:
    """Where a denominator is at a pole of gamma, its reciprocal is 0, and so is 1/x of 0."""
    return multiply([numerator, *(apply("1/x", denominator) for denominator in denominators)])


def _binomial(n: Affine, k: Affine) -> Affine:
    """A polynomial of n for a small whole k."""
    if k.core is None and k.bias in range(_MOST_FACTORS):
        factors = [add([(1.0, n), (1.0, constant(-float(i)))]) for i in range(int(k.bias))]
        return multiply([constant(quotient(1, math.factorial(int(k.bias)))), *factors])
    return _over(_gamma(n, 1.0), _gamma(k, 1.0), _gamma(_difference(n, k), 1.0))


REWRITES: Mapping[type, Callable[..., Affine]] = {
    sympy.Add: lambda *terms: add([(1.0, term) for term in terms]),
    sympy.Mul: lambda *factors: multiply(factors),
    sympy.Max: maximum,
    sympy.Min: minimum,
    sympy.Mod: _modulo,
    sympy.Piecewise: _piecewise,
    sympy.Gt: _greater,
    sympy.Lt: _less,
    sympy.Ge: _greater_equal,
    sympy.Le: _less_equal,
    sympy.Eq: _equal,
    sympy.Ne: _unequal,
    sympy.And: _and,
    sympy.Or: _or,
    sympy.Not: _not,
    sympy.Xor: _exclusive,
    sympy.Implies: lambda first, second: _or(_not(first), second),
    sympy.Equivalent: lambda *conditions: add(
        [(1.0, _and(*conditions)), (1.0, _and(*map(_not, conditions)))]
    ),
    sympy.ITE: lambda condition, value, other: _piecewise(value, condition, other, ONE),
    sympy.atan2: _angle,
    # Symbols without assumptions are complex to sympy, so |exp(x)| becomes exp(re(x)).
    # Here every variable is real, and so is every value that counts.
    sympy.re: lambda argument: argument,
    sympy.conjugate: lambda argument: argument,
    sympy.im: lambda argument: constant(0.0),
    sympy.arg: lambda argument: multiply([constant(math.pi), _less(argument, constant(0.0))]),
    sympy.UnevaluatedExpr: lambda argument: argument,
    sympy.Heaviside: _step,
    sympy.factorial: lambda n: _gamma(n, 1.0),
    sympy.binomial: _binomial,
    sympy.beta: lambda x, y: _over(
        multiply([_gamma(x), _gamma(y)]), _gamma(add([(1.0, x), (1.0, y)]))
    ),
    sympy.RisingFactorial: lambda x, k: _over(_gamma(add([(1.0, x), (1.0, k)])), _gamma(x)),
    sympy.FallingFactorial: lambda x, k: _over(_gamma(x, 1.0), _gamma(_difference(x, k), 1.0)),
    sympy.erf2: lambda x, y: _difference(apply("erf", y), apply("erf", x)),
    sympy.erfcinv: lambda x: apply("erfinv", _difference(ONE, x)),
}
"""What sympy's classes are in the normal form; all else is a row of the function table."""
