"""The largest and the smallest of several values, to the last digits."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

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
_MAX_VISITED = 300
_SMALL = frozenset({
    "sin", "cos", "tanh", "arctan", "arcsin", "arccos", "arcsinh", "arccosh", "sigmoid", "erf",
    "erfc", "erfinv", "gaussian", "sgn", "heaviside", "frac", "sinc", "j0", "j1", "y0", "log",
    "sech", "arccot", "arcsec", "arccsc", "arcsech", "Si",
})  # fmt: skip
_LIKE_THEIR_ARGUMENT = frozenset(
    {"abs", "relu", "silu", "softplus", "floor", "ceil", "cbrt", "tan", "cot", "sec", "csc"}
)
_POWERS = (-2, 3)


def maximum(*arguments: Affine) -> Affine:
    """The largest of all; the two that are ready first are joined first."""
    queue = [
        (_height(value), at, value, not _may_be_huge(value)) for at, value in enumerate(arguments)
    ]
    heapify(queue)
    while len(queue) > 1:
        _, at, left, tame = heappop(queue)
        _, _, right, other_tame = heappop(queue)
        if other_tame and not tame:
            left, right = right, left
        tame = tame or other_tame  # never a huge negative number, which left must not be
        joined = _relu_form(left, right) if tame else _selected(left, right)
        heappush(queue, (_height(joined), at, joined, tame))
    return queue[0][2]


def _height(value: Affine) -> int:
    return value.core.height if value.core is not None else -1


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


def _may_be_huge(value: Affine) -> bool:
    """Can the value take digits from others beside it? Products of a few inputs cannot."""
    if abs(value.scale) > _LARGEST or abs(value.bias) > _LARGEST:
        return True
    if value.core is None:
        return False
    seen: set[int] = set()
    stack: list[Core] = [value.core]
    while stack:
        core = stack.pop()
        if id(core) in seen:
            continue
        seen.add(id(core))
        parts = _parts(core)
        if parts is None or len(seen) > _MAX_VISITED:
            return True
        for part in parts:
            if abs(part.scale) > _LARGEST or abs(part.bias) > _LARGEST:
                return True
            if part.core is not None:
                stack.append(part.core)
    return False


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
