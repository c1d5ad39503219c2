"""Simple numbers in place of those that training or rounding left, as far as that is exact."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import sympy as sp

from kanstudio.network.network import FloatArray
from kanstudio.symbolic.arithmetic import exponential, multiply, replaced
from kanstudio.symbolic.constants import EXACT, recognise
from kanstudio.symbolic.program import Program, values

_SIMPLE_DENOMINATOR = 20
_START = 10.0
_STEP = 100.0
_PASSES = 4
_LARGEST_SHIFT = 100


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
    expected: FloatArray,
    tolerance: float,
) -> list[sp.Expr]:
    """The expressions with simple numbers, at most ``tolerance`` off expected at the samples.

    expected (n, expressions): the values that count, see ``within``.
    """

    def once(found: list[sp.Expr]) -> list[sp.Expr]:
        program = Program(found, symbols, samples)
        accepted = _accepted(program, expected, tolerance)
        return [replaced(item, accepted, recognise) for item in found] if accepted else found

    found = list(expressions)
    for _ in range(_PASSES):
        before = found
        found = once(found)
        joined = [_joined(item) for item in found] if _n_rough(found) else found
        if joined != found:
            joined = once(joined)
            fits = within(values(joined, symbols, samples), expected, tolerance)
            if fits and _n_rough(joined) < _n_rough(found):
                found = joined
        if found == before:
            break
    return found


def _accepted(program: Program, expected: FloatArray, tolerance: float) -> dict[sp.Expr, sp.Expr]:
    """Simple numbers for those of a program.

    The roughest replacements are tried first, all together; where they do too much harm,
    each half on its own, and so on; what is refused is tried again more closely.
    """
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

    left = [item for item in program.numbers if _is_rough(item)]
    spread = _START * tolerance
    while left and spread > EXACT / _STEP:
        close = max(spread, EXACT)
        tried = [(item, _simpler(float(item), close)) for item in left]
        take([(item, new) for item, new in tried if new is not None])
        left = [item for item in left if item not in accepted]
        spread /= _STEP
    return accepted


def _joined(expression: sp.Expr) -> sp.Expr:
    """c*exp(b + u) as (c*e^b)*exp(u): training moves c and b against each other."""
    made: dict[sp.Basic, sp.Expr] = {}
    for node in sp.postorder_traversal(expression):
        if isinstance(node, sp.exp) and node.args[0].is_Add:
            shift, rest = node.args[0].as_coeff_Add()
            if shift != 0 and abs(shift) < _LARGEST_SHIFT:
                outside = sp.Float(math.exp(float(shift)))
                made[node] = multiply([outside, exponential(rest, recognise)])
    return replaced(expression, made, recognise) if made else expression


def _n_rough(expressions: Sequence[sp.Expr]) -> int:
    return sum(_is_rough(node) for e in expressions for node in sp.preorder_traversal(e))


def _is_rough(item: sp.Expr) -> bool:
    return bool(item.is_Float or (item.is_Rational and item.q > _SIMPLE_DENOMINATOR))


def _simpler(value: float, spread: float) -> sp.Expr | None:
    if abs(value) <= spread:
        return sp.Integer(0)
    found = recognise(value, spread)
    same = float(found) == value and _is_rough(found)
    return None if found.is_Float or same else found
