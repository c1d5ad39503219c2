"""The largest and the smallest of several values, to the last digits."""

from __future__ import annotations

from kanstudio import functions
from kanstudio.compiler.normal import (
    Affine,
    Apply,
    Core,
    Product,
    Sum,
    add,
    apply,
    constant,
    multiply,
)

_LARGEST = 1e4
_HUGE = 2
_MAX_VISITED = 300
_SMALL = frozenset({
    "sin", "cos", "tanh", "arctan", "arcsin", "arccos", "arcsinh", "arccosh", "sigmoid", "erf",
    "erfc", "erfinv", "gaussian", "sgn", "heaviside", "frac", "sinc", "j0", "j1", "y0", "log",
})  # fmt: skip
_LIKE_THEIR_ARGUMENT = frozenset(
    {"abs", "relu", "silu", "softplus", "floor", "ceil", "cbrt", "tan", "cot", "sec", "csc"}
)
_POWERS = (-2, 3)


def maximum(*arguments: Affine) -> Affine:
    """The largest of all; each argument twice at most, whatever their number."""
    result, *others = sorted(arguments, key=_rank)
    exact = _rank(result) < _HUGE
    for argument in others:
        result = _relu_form(result, argument) if exact else _selected(result, argument)
    return result


def minimum(*arguments: Affine) -> Affine:
    return _negative(maximum(*(_negative(argument) for argument in arguments)))


def _relu_form(left: Affine, right: Affine) -> Affine:
    """``left + relu(right - left)``: few edges, but the rounding error is that of left."""
    return add([(1.0, left), (1.0, apply("relu", _difference(right, left)))])


def _selected(left: Affine, right: Affine) -> Affine:
    """Both times how far they are chosen: 0 or 1, or 1/2 where they are equal."""
    choice = apply("heaviside", _difference(right, left))
    other = _difference(constant(1.0), choice)
    return add([(1.0, where_holds(choice, right)), (1.0, where_holds(other, left))])


def where_holds(condition: Affine, value: Affine) -> Affine:
    """The value where a condition is 1, and exactly 0 where it is 0.

    The product, but a huge constant times ``1 - c`` would be a sum, in which other terms
    lose their digits beside it.
    """
    if value.core is None and abs(value.bias) > _LARGEST and condition.bias != 0:
        condition = apply("relu", condition)
    return multiply([condition, value])


def _rank(value: Affine) -> int:
    """0 for a constant, 1 for what stays within some digits, _HUGE for what may be huge."""
    if abs(value.scale) > _LARGEST or abs(value.bias) > _LARGEST:
        return _HUGE
    if value.core is None:
        return 0
    seen: set[int] = set()
    stack: list[Core] = [value.core]
    while stack:
        core = stack.pop()
        if id(core) in seen:
            continue
        seen.add(id(core))
        parts = _parts(core)
        if parts is None or len(seen) > _MAX_VISITED:
            return _HUGE
        for part in parts:
            if abs(part.scale) > _LARGEST or abs(part.bias) > _LARGEST:
                return _HUGE
            if part.core is not None:
                stack.append(part.core)
    return 1


def _parts(core: Core) -> list[Affine] | None:
    """What makes a core large, if its parts are large; None if it can be huge on its own."""
    if isinstance(core, Sum):
        return [Affine(weight, term, 0.0) for weight, term in core.terms]
    if isinstance(core, Product):
        return list(core.factors)
    if not isinstance(core, Apply) or core.function in _SMALL:
        return []
    exponent = functions.get(core.function).exponent
    low, high = _POWERS
    if core.function in _LIKE_THEIR_ARGUMENT or (exponent and low <= exponent <= high):
        return [core.argument]
    return None


def _negative(value: Affine) -> Affine:
    return add([(-1.0, value)])


def _difference(left: Affine, right: Affine) -> Affine:
    return add([(1.0, left), (-1.0, right)])
