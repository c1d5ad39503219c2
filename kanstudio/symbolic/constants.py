"""Numbers as people write them, found behind the doubles that stand for them.

1/3, 2*pi, sqrt(2)/2 and 9.81 all become doubles on their way into a network. Here a double
becomes the simplest number of a few forms that lies within a given distance, if that number
is so simple that its being there is no coincidence.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
import sympy as sp

from kanstudio.formula.numbers import exact, tidy

EXACT = 4 * float(np.finfo(np.float64).eps)
"""Relative distance to which a product of a few doubles is exact."""

_CHANCE = 0.01
_LARGEST_COST = 1e9
_LARGEST_ROOTED = 10**6
_LONGEST_DECIMAL = 12
_LONGEST_EXACT = 12

# How much less is such a number to be expected than a fraction of the same size?
_FACTORS: tuple[tuple[sp.Expr, float], ...] = (
    (sp.Integer(1), 1),
    (sp.pi, 2),
    (1 / sp.pi, 4),
    (sp.pi**2, 6),
    (1 / sp.pi**2, 8),
    *((sp.pi**power, 30) for power in (3, 4, -3, -4)),
    (sp.E, 10),
    *((sp.E**power, 12) for power in (-1, 2, -2)),
    *((sp.log(base) ** power, 20) for base in (2, 10, 3, 5) for power in (1, -1)),
)
_ROOTS: tuple[tuple[sp.Expr, float], ...] = (
    (sp.Integer(1), 8),
    (sp.pi, 20),
    (1 / sp.pi, 20),
    (sp.pi**2, 30),
    (1 / sp.pi**2, 30),
    (sp.pi**3, 40),
    (1 / sp.pi**3, 40),
    (sp.E, 40),
    (1 / sp.E, 40),
)


def _valued(forms: tuple[tuple[sp.Expr, float], ...]) -> tuple[tuple[sp.Expr, float, float], ...]:
    return tuple((factor, weight, float(factor)) for factor, weight in forms)


_VALUED = _valued(_FACTORS), _valued(_ROOTS)
# Numbers of few digits look like something rare now and then.
_ROUGH = 1e-5
_LARGEST_ROUGH_WEIGHT = 10
_COMMON = tuple(
    tuple(form for form in forms if form[1] <= _LARGEST_ROUGH_WEIGHT) for forms in _VALUED
)

# Sums such as 1 + 2*pi and (1 + sqrt(5))/2: a rational multiple of one of these, and a rest.
_SUMMANDS = (sp.pi, sp.sqrt(2), sp.sqrt(3), sp.sqrt(5), sp.E)
_MULTIPLES = sorted(
    {Fraction(sign * top, bottom) for top in range(1, 13) for bottom in (1, 2, 3, 4, 6)
     for sign in (1, -1)}
)  # fmt: skip
_MULTIPLE_VALUES = np.outer(
    [float(summand) for summand in _SUMMANDS], [float(multiple) for multiple in _MULTIPLES]
)
_DENOMINATORS = np.arange(1.0, 13.0)
_LARGEST_REST = 100.0


@lru_cache(maxsize=100_000)
def recognise(value: float, spread: float = EXACT) -> sp.Expr:
    """The simplest number within the relative distance ``spread`` of value.

    A Float where no number is simple enough to be meant: the wider the spread, the simpler
    it has to be. Not for 0: what may count as 0 is for the caller to say.
    """
    if value == 0 or not math.isfinite(value):
        return tidy(value)
    size = abs(value)
    found = min(_candidates(size, spread), key=lambda pair: pair[0], default=None)
    if found is not None and found[0] <= min(_CHANCE / spread, _LARGEST_COST):
        return found[1] if value > 0 else -found[1]
    if spread <= EXACT:
        return _sum_of_two(value, spread) or _decimal(value)
    return sp.Float(value)


def shortened(value: float, spread: float) -> sp.Expr:
    """As ``recognise``, or a decimal within the spread with no more digits than that takes."""
    found = recognise(value, spread)
    if not found.is_Float or spread <= EXACT:
        return found
    return exact(Fraction(f"{value:.{math.ceil(-math.log10(spread))}e}"))


def _candidates(size: float, spread: float) -> list[tuple[float, sp.Expr]]:
    """(cost, number) of every form in which size can be written."""
    found: list[tuple[float, sp.Expr]] = []
    bound = min(_CHANCE / spread, _LARGEST_COST)
    factors, roots = _COMMON if spread > _ROUGH else _VALUED
    for factor, weight, unit in factors:
        fraction = _simple_fraction(size / unit, spread, bound / weight)
        if fraction is not None:
            top, bottom = fraction
            found.append((top * bottom * weight, sp.Rational(top, bottom) * factor))
    if 1e-150 < size < 1e150:
        for factor, weight, unit in roots:
            fraction = _simple_fraction(size * size / unit, 2 * spread, bound / weight)
            if fraction is not None and max(fraction) <= _LARGEST_ROOTED:
                top, bottom = fraction
                number = sp.sqrt(sp.Rational(top, bottom)) * factor ** sp.Rational(1, 2)
                found.append((top * bottom * weight, number))
    for digits in range(_LONGEST_DECIMAL):
        shown = f"{size:.{digits}e}"
        if abs(float(shown) - size) <= spread * size:
            mantissa = shown.partition("e")[0].replace(".", "")
            found.append((float(mantissa), exact(Fraction(shown))))
            break
    return found


def _decimal(value: float) -> sp.Expr:
    """The number that a double was typed as, if it can be told from its neighbours."""
    digits = repr(value).partition("e")[0].replace(".", "").strip("-0")
    return exact(Fraction(repr(value))) if len(digits) <= _LONGEST_EXACT else tidy(value)


def _simple_fraction(value: float, spread: float, bound: float) -> tuple[int, int] | None:
    """The first continued fraction (top, bottom) close enough, if top * bottom <= bound."""
    before, top, below, bottom = 0, 1, 1, 0
    rest = value
    while rest < 1e15:
        whole = math.floor(rest)
        before, top = top, whole * top + before
        below, bottom = bottom, whole * bottom + below
        if top * bottom > bound or max(top, bottom) > bound:
            return None
        if top and abs(top / bottom - value) <= spread * value:
            return top, bottom
        if rest == whole:
            return None
        rest = 1 / (rest - whole)
    return None


def _sum_of_two(value: float, spread: float) -> sp.Expr | None:
    """1 + 2*pi for 7.283185307179586; None where no such sum is value."""
    if abs(value) > _LARGEST_REST:
        return None
    rests = (value - _MULTIPLE_VALUES)[..., None] * _DENOMINATORS
    tops = np.round(rests)
    scale = np.maximum(np.abs(_MULTIPLE_VALUES), abs(value))[..., None] * _DENOMINATORS
    fits = (np.abs(rests - tops) <= spread * scale) & (tops != 0) & (np.abs(tops) <= _LARGEST_REST)
    if not fits.any():
        return None
    places = np.argwhere(fits)
    weights = [
        abs(tops[tuple(place)]) * _DENOMINATORS[place[2]] * _size(_MULTIPLES[place[1]])
        for place in places
    ]
    summand, multiple, denominator = places[int(np.argmin(weights))]
    top = int(tops[summand, multiple, denominator])
    rest = sp.Rational(top, int(_DENOMINATORS[denominator]))
    chosen = _MULTIPLES[multiple]
    return rest + sp.Rational(chosen.numerator, chosen.denominator) * _SUMMANDS[summand]


def _size(fraction: Fraction) -> int:
    return abs(fraction.numerator) * fraction.denominator
