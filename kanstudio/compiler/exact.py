"""Constants that know what they are exactly: doubles with a residue of the prime field.

The normal form computes with doubles, since those are what a network has. An `Exact` is a
double that goes along with the same computation in the field of field.py, where nothing is
rounded: 1/3 times 3 is 1 there, and sqrt(2) times sqrt(2) is 2. So a network can be compared
exactly with what was typed, whatever its constants went through (proof.py).
"""

from __future__ import annotations

import math
from fractions import Fraction

from kanstudio.compiler.field import P, decimal, drawn, from_text, inverse, is_positive, root_power
from kanstudio.compiler.point import OutsideError, Point
from kanstudio.compiler.point import value as field_value

_NUMBERS = (int, float)


class Exact(float):
    """A float with the residue of the number that it stands for.

    antilog: the residue of exp of the number, if that is known: log(3) remembers the 3.
    turn: the residues of cos and sin of the number, if they are known.
    """

    __slots__ = ("antilog", "residue", "turn")
    residue: int
    antilog: int | None
    turn: tuple[int, int] | None

    def __mul__(self, other: float) -> float:
        if not isinstance(other, _NUMBERS):
            return NotImplemented
        if other == 1:
            return self
        made = exact(float.__mul__(self, other), self.residue * residue(other) % P)
        if self.antilog and not isinstance(other, Exact) and is_positive(self.antilog):
            made.antilog = root_power(self.antilog, decimal(float(other)))
        return made

    __rmul__ = __mul__

    def __add__(self, other: float) -> float:
        if not isinstance(other, _NUMBERS):
            return NotImplemented
        if other == 0:
            return self
        if self.residue == 0 and not self:
            return other
        return exact(float.__add__(self, other), (self.residue + residue(other)) % P)

    __radd__ = __add__

    def __sub__(self, other: float) -> float:
        return self + -other

    def __rsub__(self, other: float) -> float:
        return -self + other

    def __truediv__(self, other: float) -> float:
        return quotient(self, other)

    def __rtruediv__(self, other: float) -> float:
        return quotient(other, self)

    def __neg__(self) -> float:
        made = exact(float.__neg__(self), -self.residue % P)
        if self.antilog:
            made.antilog = inverse(self.antilog)
        return made

    def __abs__(self) -> float:
        return self if self >= 0 else -self


def exact(value: float, of: int) -> Exact:
    made = Exact(value)
    made.residue, made.antilog, made.turn = of, None, None
    return made


def residue(value: float) -> int:
    """What a number is in the field; a plain float is the fraction that its digits write."""
    return value.residue if isinstance(value, Exact) else from_text(value)


def quotient(top: float, bottom: float) -> float:
    """``top / bottom``; of two whole numbers too, which `/` would only round."""
    value = float(top) / float(bottom)
    below = residue(bottom)
    if value.is_integer() and not (isinstance(top, Exact) or isinstance(bottom, Exact)):
        return value
    # Only rounding can keep a bottom from 0 that is 0.
    return exact(value, residue(top) * inverse(below) % P) if below else value


def power(base: float, exponent: int | Fraction | float) -> float:
    """``base ** exponent``, exactly where the root is in the field."""
    value = float(base**exponent) if isinstance(exponent, int) else float(base) ** float(exponent)
    found = residue(base)
    if isinstance(exponent, int):
        return exact(value, pow(found, exponent, P) if found else 0)
    if not is_positive(found):
        return value
    return exact(value, root_power(found, decimal(exponent)))


def log(value: float) -> float:
    """The logarithm; what it is of stays known."""
    inner = residue(value)
    try:
        found = Point().log(field_value(inner)).of
    except OutsideError:
        return math.log(value)
    made = exact(math.log(value), found)
    made.antilog = inner
    return made


def exp(value: float) -> float:
    if value == 0:
        return 1.0
    known = value.antilog if isinstance(value, Exact) else None
    return math.exp(value) if known is None else exact(math.exp(value), known)


def polar(x: float, y: float) -> tuple[float, float]:
    """The length of (x, y) and its angle."""
    size, angle = math.hypot(x, y), math.atan2(y, x)
    of_x, of_y = residue(x), residue(y)
    square = (of_x * of_x + of_y * of_y) % P
    if not is_positive(square):
        return size, angle
    length = root_power(square, Fraction(1, 2))
    turned = exact(angle, drawn("angle", of_x, of_y))
    turned.turn = of_x * inverse(length) % P, of_y * inverse(length) % P
    return exact(size, length), turned
