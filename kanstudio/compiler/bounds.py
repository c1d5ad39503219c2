"""Between which numbers a value lies: interval arithmetic on the normal form.

Inputs lie in the ranges that the caller gave, or anywhere. Rules that are right for positive
values only ask here; what they were told about a value is kept, for the proof to go by.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

from kanstudio import functions
from kanstudio.compiler.interned import postorder
from kanstudio.compiler.monomial import Exponent
from kanstudio.compiler.normal import Affine, Apply, Core, Product, Sum, Variable

Range = tuple[float, float]
_ALL: Range = (-math.inf, math.inf)
_MONOTONE: Mapping[str, Callable[[float], float]] = {
    "exp": math.exp, "log": lambda x: math.log(x) if x > 0 else -math.inf, "tanh": math.tanh,
    "arctan": math.atan, "sinh": math.sinh, "relu": lambda x: max(x, 0.0),
}  # fmt: skip
_IMAGES: Mapping[str, Range] = {
    "sin": (-1, 1), "cos": (-1, 1), "abs": (0, math.inf), "cosh": (1, math.inf), "sech": (0, 1),
    "sigmoid": (0, 1), "gaussian": (0, 1), "softplus": (0, math.inf), "erf": (-1, 1),
    "arccos": (0, math.pi), "erfc": (0, 2), "heaviside": (0, 1), "arccosh": (0, math.inf),
}  # fmt: skip
_TURN = {"sin": math.pi / 2, "cos": 0.0}
"""Where the functions have their first maximum."""


class Bounds:
    """Bounds of values, and what was said of them.

    ranges: (low, high) of each input, or None. relied: values of which somebody was told that
    they are positive; inputs, which the ranges themselves tell about, are not among them.
    """

    def __init__(self, ranges: Sequence[Range] | None) -> None:
        self.ranges = ranges
        self.relied: dict[tuple[int, float, float], Affine] = {}
        self._found: dict[int, tuple[Core, Range]] = {}

    @property
    def are_known(self) -> bool:
        """Has every input a range with two ends?"""
        return self.ranges is not None and all(map(math.isfinite, itertools.chain(*self.ranges)))

    def are_positive(self, value: Affine) -> bool:
        """Is the value known to be above 0, but for the ends of the ranges?"""
        low, high = self.of(value)
        if not (low >= 0 and high > 0):
            return False
        if value.core is not None and not isinstance(value.core, Variable):
            self.relied[id(value.core), value.scale, value.bias] = value
        return True

    def are_nonzero(self, value: Affine, *, inside: bool = False) -> bool:
        """Does the value keep away from 0? inside: but for the ends of the ranges."""
        low, high = self.of(value)
        return low > 0 or high < 0 or (inside and (low == 0 < high or low < 0 == high))

    def of(self, value: Affine) -> Range:
        if value.core is None:
            return float(value.bias), float(value.bias)
        for core in postorder([value]):
            if id(core) not in self._found:
                self._found[id(core)] = core, self._core(core)
        return _scaled(self._found[id(value.core)][1], value.scale, value.bias)

    def _core(self, core: Core) -> Range:
        match core:
            case Variable():
                return self.ranges[core.index] if self.ranges else _ALL
            case Sum():
                parts = [_scaled(self._found[id(t)][1], w, 0.0) for w, t in core.terms]
                return sum(low for low, _ in parts), sum(high for _, high in parts)
            case Product():
                result = (1.0, 1.0)
                for factor in core.factors:
                    assert factor.core is not None
                    inner = self._found[id(factor.core)][1]
                    result = _times(result, _scaled(inner, factor.scale, factor.bias))
                return result
            case Apply():
                return _image(core.function, self.of(core.argument))


def _scaled(of: Range, scale: float, bias: float) -> Range:
    low, high = _times(of, (float(scale), float(scale)))
    return low + float(bias), high + float(bias)


def _times(one: Range, other: Range) -> Range:
    ends = [0.0 if a == 0 or b == 0 else float(a) * float(b) for a in one for b in other]
    return min(ends), max(ends)


def _image(name: str, argument: Range) -> Range:
    """The values of a function on a range, where it has any."""
    try:
        exponent = functions.get(name).exponent
        if exponent is not None:
            return _power(argument, exponent)
        if name in _MONOTONE:
            return _MONOTONE[name](argument[0]), _MONOTONE[name](argument[1])
        if name in _TURN:
            return _wave(argument, _TURN[name])
        if name in ("csc", "sec"):
            return _power(_wave(argument, _TURN["sin" if name == "csc" else "cos"]), -1)
    except OverflowError:
        pass
    return _IMAGES.get(name, _ALL)


def _power(of: Range, exponent: Exponent) -> Range:
    low, high = of
    even = isinstance(exponent, int) and exponent % 2 == 0
    if not isinstance(exponent, int):
        low = max(low, 0.0)
        high = max(high, 0.0)
    if low < 0 < high or (low < 0 and low == -math.inf):
        if not even:
            return _ALL
        ends = [abs(low), abs(high), 0.0]
        low, high = min(ends), max(ends)
    ends = [_end(low, exponent), _end(high, exponent)]
    return min(ends), max(ends)


def _end(x: float, exponent: Exponent) -> float:
    if x == 0 and exponent < 0:
        return math.inf
    return float(x ** (exponent if isinstance(exponent, int) else float(exponent)))


def _wave(of: Range, top: float) -> Range:
    """The values of cos(x - top)."""
    low, high = of
    if not high - low < 2 * math.pi:
        return -1.0, 1.0
    ends = [math.cos(low - top), math.cos(high - top)]
    has_top, has_bottom = (
        2 * math.pi * math.ceil((low - at) / (2 * math.pi)) + at <= high
        for at in (top, top + math.pi)
    )
    return (-1.0 if has_bottom else min(ends)), (1.0 if has_top else max(ends))
