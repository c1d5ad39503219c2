"""Is a layout what the formula says? Asked once, of the form that a search has found.

A form is taken if both checks say yes, and each sees what the other does not:

- symbolic (proof.py): it is the same formula, exactly, for every input at which the formula
  has a real value. A form that no law known there proves is refused, right or not.
- numeric: its outputs in float64 keep the digits, at random points and where they could be lost.

Else the next best form is asked, and at last the formula is laid out as it was typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import sympy
import torch

from kanstudio import functions
from kanstudio.compiler.bounds import Bounds, Range
from kanstudio.compiler.evaluate import postorder, sympy_function
from kanstudio.compiler.levels import LevelGraph
from kanstudio.compiler.proof import proven
from kanstudio.network.network import FloatArray

TOLERANCE = 1e-9
_RANGES = ((-2.0, 2.0), (0.1, 1.5), (1.0, 4.0))
_POINTS = 8
_AT_ENDS = 0.3
_FAR = 3.0
_COPIES = 2
_NEARLY = 1e-5
"""The part of a range that two numbers are apart that are nearly equal."""
_MOST_COLUMNS = 20
_DIGITS = 40


def checked(
    graph: LevelGraph, expressions: Sequence[sympy.Expr], names: Sequence[str], bounds: Bounds
) -> LevelGraph | None:
    """The graph, with a note of the check; None unless it is proven and keeps its digits.

    bounds: of the inputs; neither is asked beyond them.
    """
    if not agrees(graph, expressions, names, bounds.ranges):
        return None
    if not proven(graph, expressions, names, bounds):
        return None
    return replace(graph, checked="symbolically and with numbers")


def agrees(
    graph: LevelGraph,
    expressions: Sequence[sympy.Expr],
    names: Sequence[str],
    ranges: Sequence[Range] | None = None,
) -> bool:
    """Do the outputs equal the formulas at all samples where these have a value?"""
    x = _samples(graph.n_inputs, ranges)
    expected = sympy_function(expressions, names)(x)
    real = np.isfinite(expected)
    found = values(graph, x)
    sizes = np.where(real, np.abs(expected), 0.0)
    # What is small everywhere, as in SI units, has digits too.
    scales = np.minimum(sizes[: _POINTS * len(_RANGES)].max(axis=0), 1.0)
    with np.errstate(invalid="ignore"):
        # Where the formula is infinite, nothing is asked of the network.
        differ = real & ~(np.abs(found - expected) <= TOLERANCE * (scales + sizes))
    return not any(
        _is_wrong(expressions[column], names, x[row], found[row, column], scales[column])
        for row, column in np.argwhere(differ)
    )


def _is_wrong(
    expression: sympy.Expr, names: Sequence[str], inputs: FloatArray, found: float, scale: float
) -> bool:
    """Is a value wrong, or has the formula itself too few digits there in float64?

    Where a part of the formula has no value, or too large a one for doubles, the first is
    said: sympy compares no complex numbers, and would take all the memory for e**e**e**e**4.
    """
    parts = [part for part in postorder(expression) if isinstance(part, sympy.Expr)]
    if not np.isfinite(sympy_function(parts, names)(inputs[None])).all():
        return True
    at = {
        name: sympy.Float(float(value), _DIGITS) for name, value in zip(names, inputs, strict=True)
    }
    symbols = {symbol: at[symbol.name] for symbol in expression.free_symbols}
    exact = expression.evalf(_DIGITS, subs=symbols)
    if not exact.is_Float:
        return True
    return not abs(found - float(exact)) <= TOLERANCE * (scale + abs(float(exact)))


def _samples(n_inputs: int, ranges: Sequence[Range] | None) -> FloatArray:
    """Random points (n, inputs), and points where forms differ or lose digits if any do.

    These are, for each input, the ends of its range, 0 and what is nearly 0, and for each
    pair of inputs what is nearly equal; several of each, since not all have a value.
    """
    rng = np.random.default_rng(0)
    known = [_with_ends(one) for one in ranges or [_RANGES[0]] * n_inputs]
    ends = np.transpose(np.reshape(known, (n_inputs, 2)))
    spans = [ends if ranges else np.repeat([[low], [high]], n_inputs, 1) for low, high in _RANGES]
    rows = [rng.uniform(low, high, (_POINTS, n_inputs)) for low, high in spans]
    if ranges:
        at_ends = rng.random((_POINTS, n_inputs)) < _AT_ENDS
        rows[0] = np.where(at_ends, rng.choice(ends, _POINTS), rows[0])
    for span in spans * _COPIES:
        for column in range(min(n_inputs, _MOST_COLUMNS)):
            rows.append(_special(rng, column, span, ends))
    return np.concatenate(rows)


def _special(
    rng: np.random.Generator, column: int, span: FloatArray, ends: FloatArray
) -> FloatArray:
    """Points of a span where one input has its special values, or nearly those of others."""
    low, high = ends[:, column]
    near = _NEARLY * (high - low)
    fixed = [low, high, 0.0, near, -near]
    rows: FloatArray = rng.uniform(span[0], span[1], (len(fixed) + column, span.shape[1]))
    others = rows[len(fixed) :].diagonal() + near
    rows[:, column] = np.clip([*fixed, *others], low, high)
    return rows


def _with_ends(known: Range) -> Range:
    """A range with two ends, within one that may have none."""
    low, high = known
    low = low if np.isfinite(low) else min(-_FAR, high - _FAR)
    return low, high if np.isfinite(high) else max(_FAR, low + _FAR)


def values(graph: LevelGraph, x: FloatArray) -> FloatArray:
    """The outputs (n, outputs) for samples (n, inputs)."""
    below = list(torch.as_tensor(x, dtype=torch.float64).T)
    zero = torch.zeros(len(x), dtype=torch.float64)
    for level in graph.levels:
        above = []
        for node in level:
            product = torch.ones_like(zero)
            for subnode in node.subnodes:
                total = zero
                for connection in subnode.connections:
                    a, b, c, d = map(float, connection.affine)
                    function = functions.get(connection.function).torch
                    total = total + c * function(a * below[connection.source] + b) + d
                product = product * (float(subnode.scale) * total + float(subnode.bias))
            above.append(float(node.scale) * product + float(node.bias))
        below = above
    result: FloatArray = torch.stack(below, dim=1).numpy()
    return result
