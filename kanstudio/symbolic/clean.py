"""Simple numbers in place of those that training or rounding left, as far as that is exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import sympy as sp

from kanstudio.network.network import FloatArray
from kanstudio.symbolic.arithmetic import Number, replaced
from kanstudio.symbolic.constants import EXACT, recognise
from kanstudio.symbolic.program import Program

_SIMPLE_DENOMINATOR = 20
_START = 10.0
_STEP = 100.0


def within(found: FloatArray, expected: FloatArray, tolerance: float) -> bool:
    """Is each column off by at most tolerance times its largest value?

    Where expected is finite; where it is nowhere, nothing can be said against found.
    """
    for new, old in zip(found.T, expected.T, strict=True):
        real = np.isfinite(old)
        if not real.any():
            continue
        with np.errstate(invalid="ignore"):
            error = np.abs(new[real] - old[real]).max()
        if not error <= tolerance * np.abs(old[real]).max():
            return False
    return True


def cleaned(
    expressions: Sequence[sp.Expr],
    symbols: Sequence[sp.Symbol],
    samples: FloatArray,
    tolerance: float,
    number: Number,
) -> list[sp.Expr]:
    """The expressions with simple numbers, at most ``tolerance`` off at the samples.

    The roughest replacements are tried first, all together; where they do too much harm,
    each half on its own, and so on; what is refused is tried again more closely.
    """
    program = Program(expressions, symbols, samples)
    left = [item for item in program.numbers if _is_rough(item)]
    if not left:
        return list(expressions)
    expected = program.run()
    accepted: dict[sp.Expr, sp.Expr] = {}

    def fits(candidates: Mapping[sp.Expr, sp.Expr]) -> bool:
        trial = {old: float(new) for old, new in {**accepted, **candidates}.items()}
        return within(program.run(trial), expected, tolerance)

    def take(candidates: list[tuple[sp.Expr, sp.Expr]]) -> None:
        if not candidates:
            return
        if fits(dict(candidates)):
            accepted.update(candidates)
        elif len(candidates) > 1:
            half = len(candidates) // 2
            take(candidates[:half])
            take(candidates[half:])

    spread = _START * tolerance
    while left and spread > EXACT / _STEP:
        close = max(spread, EXACT)
        tried = [(item, _simpler(float(item), close)) for item in left]
        take([(item, new) for item, new in tried if new is not None])
        left = [item for item in left if item not in accepted]
        spread /= _STEP
    if not accepted:
        return list(expressions)
    return [replaced(expression, accepted, number) for expression in expressions]


def _is_rough(item: sp.Expr) -> bool:
    return bool(item.is_Float or (item.is_Rational and item.q > _SIMPLE_DENOMINATOR))


def _simpler(value: float, spread: float) -> sp.Expr | None:
    if abs(value) <= spread:
        return sp.Integer(0)
    found = recognise(value, spread)
    same = float(found) == value and _is_rough(found)
    return None if found.is_Float or same else found
