"""Functions of the table at a point of the prime field: those whose laws proofs use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from kanstudio.compiler.field import P, inverse
from kanstudio.compiler.point import OutsideError, Point, Value, product, total, value

_ONE = value(1)
_MINUS = value(P - 1)
_TWO, _HALF = value(2), value(inverse(2))
_Law = Callable[[Point, Value], Value]


def _over(top: Value, bottom: Value) -> Value:
    if bottom.of == 0:
        raise OutsideError("a pole")
    below = tuple((base, -exponent) for base, exponent in bottom.factors)
    return product([top, value(inverse(bottom.of), below)])


def _reciprocal(law: _Law) -> _Law:
    return lambda point, x: _over(_ONE, law(point, x))


def _cos(point: Point, x: Value) -> Value:
    return value(point.turn(x)[0])


def _sin(point: Point, x: Value) -> Value:
    return value(point.turn(x)[1])


def _tan(point: Point, x: Value) -> Value:
    c, s = point.turn(x)
    return _over(value(s), value(c))


def _halves(point: Point, x: Value, sign: Value) -> Value:
    """``(e**x + sign * e**-x) / 2``."""
    grown = point.exp(x)
    return product([_HALF, total([grown, product([sign, _over(_ONE, grown)])])])


def _cosh(point: Point, x: Value) -> Value:
    return _halves(point, x, _ONE)


def _sinh(point: Point, x: Value) -> Value:
    return _halves(point, x, _MINUS)


def _tanh(point: Point, x: Value) -> Value:
    return _over(_sinh(point, x), _cosh(point, x))


def _sigmoid(point: Point, x: Value) -> Value:
    return _over(_ONE, total([_ONE, point.exp(product([_MINUS, x]))]))


def _sign(point: Point, x: Value) -> Value:
    if x.of == 0:
        return value(0)
    return _ONE if point.is_positive(x.of) else _MINUS


def _abs(point: Point, x: Value) -> Value:
    return product([_sign(point, x), x])


def _relu(point: Point, x: Value) -> Value:
    return product([_step(point, x), x])


def _step(point: Point, x: Value) -> Value:
    return product([_HALF, total([_ONE, _sign(point, x)])])


def _cbrt(point: Point, x: Value) -> Value:
    root = point.power(_abs(point, x), Fraction(1, 3)) if x.of else x
    return product([_sign(point, x), root])


LAWS: Mapping[str, _Law] = {
    "x": lambda point, x: x,
    "exp": lambda point, x: point.exp(x),
    "log": lambda point, x: point.log(x),
    "cos": _cos,
    "sin": _sin,
    "tan": _tan,
    "sec": _reciprocal(_cos),
    "csc": _reciprocal(_sin),
    "cot": _reciprocal(_tan),
    "sinc": lambda point, x: _over(_sin(point, x), x),
    "cosh": _cosh,
    "sinh": _sinh,
    "tanh": _tanh,
    "sech": _reciprocal(_cosh),
    "csch": _reciprocal(_sinh),
    "coth": _reciprocal(_tanh),
    "arctanh": lambda point, x: point.arctanh(x),
    "sigmoid": _sigmoid,
    "softplus": lambda point, x: point.log(total([_ONE, point.exp(x)])),
    "silu": lambda point, x: product([x, _sigmoid(point, x)]),
    "gaussian": lambda point, x: point.exp(product([_MINUS, x, x])),
    "abs": _abs,
    "sgn": _sign,
    "relu": _relu,
    "heaviside": _step,
    "cbrt": _cbrt,
}
