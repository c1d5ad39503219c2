"""Numbers as people type them for a range, 2*pi or -1e-3, and back to such a text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from kanstudio import formula
from kanstudio.editor.document import Range
from kanstudio.errors import DataError, FormulaError

MAX_BOUND = 1e100
"""Far beyond this, a range's width and the values on it overflow."""
MAX_TYPED = 80


def read_bound(text: str) -> float:
    """The number that a text means. Raises DataError, which says what is wrong with it."""
    if not text.strip():
        raise DataError("it is empty")
    if len(text) > MAX_TYPED:
        raise DataError(f"it has more than {MAX_TYPED} characters")
    try:
        outputs = formula.parse(text, ()).outputs
    except FormulaError as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise DataError(f"{error.message}{hint}") from None
    if len(outputs) > 1 or outputs[0].name:
        raise DataError("it is no single number")
    value = float(outputs[0].expr)
    if not abs(value) <= MAX_BOUND:
        raise DataError(f"it lies beyond {MAX_BOUND:g}")
    return value


def read_range(name: str, low: str, high: str) -> Range:
    """The range that two texts mean. Raises DataError, which names the input."""
    bounds = []
    for word, text in (("from", low), ("to", high)):
        try:
            bounds.append(read_bound(text))
        except DataError as error:
            raise DataError(f"Range of {name}, {word}: {error}") from None
    if not bounds[0] < bounds[1]:
        shown = f"{spelled(bounds[0])} to {spelled(bounds[1])}"
        raise DataError(f"Range of {name}: it goes from a smaller to a larger number, not {shown}")
    return bounds[0], bounds[1]


def spelled(value: float) -> str:
    """The shortest text that `read_bound` reads as exactly this number.

    >>> spelled(6.283185307179586), spelled(-1.5), spelled(2.0)
    ('2*pi', '-1.5', '2')
    """
    plain = f"{value:.15g}".replace("e+", "e")
    plain = plain if float(plain) == value else repr(value)
    if len(plain) > 8 and (multiple := _of_pi(value)):
        return multiple
    return plain


def _of_pi(value: float) -> str:
    """The value as a small multiple of pi, "" if it is none."""
    share = Fraction(value / math.pi).limit_denominator(12)
    top, bottom = abs(share.numerator), share.denominator
    if not 0 < top <= 100:
        return ""
    text = "-" * (value < 0) + (f"{top}*" if top > 1 else "") + "pi"
    text += f"/{bottom}" if bottom > 1 else ""
    return text if read_bound(text) == value else ""


def change_of_ranges(
    names: Sequence[str], before: Sequence[Range], after: Sequence[Range], most: int = 3
) -> str:
    """Which ranges changed, in words; "" if none did."""
    pairs = zip(names, before, after, strict=True) if len(before) == len(after) else ()
    groups: dict[Range, list[str]] = {}
    for name, old, new in pairs:
        if old != new:
            groups.setdefault(new, []).append(name)
    shown = []
    for (low, high), group in groups.items():
        who = f"{len(group)} inputs" if len(group) > 2 else " and ".join(group)
        who = "all inputs" if len(group) == len(names) > 1 else who
        shown.append(f"{who} from {spelled(low)} to {spelled(high)}")
    if len(shown) > most:
        shown = [*shown[:most], f"{len(shown) - most} more"]
    return ", ".join(shown)
