"""Functions that are exact in terms of the function table's, for real arguments.

A condition is a value that is exactly 1 where it holds and exactly 0 elsewhere. What a
network computes is always finite, so a branch that is not taken contributes 0 even where
it has no value itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import sympy

from kanstudio.compiler.normal import Affine, add, apply, constant, multiply

ONE = constant(1.0)


def _negative(value: Affine) -> Affine:
    return add([(-1.0, value)])


def _difference(left: Affine, right: Affine) -> Affine:
    return add([(1.0, left), (-1.0, right)])


def _maximum(*arguments: Affine) -> Affine:
    """``max(a, b) = a + relu(b - a)``; each argument twice at most, whatever their number."""
    result, *others = sorted(arguments, key=lambda argument: argument.core is None)
    for argument in others:
        result = add([(1.0, argument), (1.0, apply("relu", _difference(result, argument)))])
    return result


def _minimum(*arguments: Affine) -> Affine:
    return _negative(_maximum(*(_negative(argument) for argument in arguments)))


def _modulo(value: Affine, modulus: Affine) -> Affine:
    return multiply([modulus, apply("frac", multiply([value, apply("1/x", modulus)]))])


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
        otherwise = multiply([_not(condition), result])
        result = add([(1.0, multiply([condition, value])), (1.0, otherwise)])
    return result


def _angle(y: Affine, x: Affine) -> Affine:
    """``atan2(y, x)`` from ``atan(y / x)``, which is 0 at ``x = 0`` since 1/x is 0 there."""
    zero = constant(0.0)
    upper = add([(2.0, _greater_equal(y, zero)), (-1.0, ONE)])
    return add(
        [
            (1.0, apply("arctan", multiply([y, apply("1/x", x)]))),
            (math.pi, multiply([_less(x, zero), upper])),
            (math.pi / 2, multiply([_equal(x, zero), apply("sgn", y)])),
        ]
    )


def _of_reciprocal(function: str) -> Callable[[Affine], Affine]:
    return lambda argument: apply(function, apply("1/x", argument))


def _reciprocal_of(function: str) -> Callable[[Affine], Affine]:
    return lambda argument: apply("1/x", apply(function, argument))


REWRITES: Mapping[type, Callable[..., Affine]] = {
    sympy.Add: lambda *terms: add([(1.0, term) for term in terms]),
    sympy.Mul: lambda *factors: multiply(factors),
    sympy.Max: _maximum,
    sympy.Min: _minimum,
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
    sympy.ITE: lambda condition, value, other: _piecewise(value, condition, other, ONE),
    sympy.atan2: _angle,
    # Symbols without assumptions are complex to sympy, so |exp(x)| becomes exp(re(x)).
    # Here every variable is real, and so is every value that counts.
    sympy.re: lambda argument: argument,
    sympy.conjugate: lambda argument: argument,
    sympy.im: lambda argument: constant(0.0),
    sympy.sech: _reciprocal_of("cosh"),
    sympy.csch: _reciprocal_of("sinh"),
    sympy.coth: _reciprocal_of("tanh"),
    sympy.asec: _of_reciprocal("arccos"),
    sympy.acsc: _of_reciprocal("arcsin"),
    sympy.acot: _of_reciprocal("arctan"),
    sympy.acoth: _of_reciprocal("arctanh"),
    sympy.asech: _of_reciprocal("arccosh"),
    sympy.acsch: _of_reciprocal("arcsinh"),
}
"""What sympy's classes are in the normal form; all else is a row of the function table."""
