"""Is a layout what the formula says? Asked once, of the form that a search has found.

A form is taken if both checks say yes, and each sees what the other does not:

- symbolic (proof.py): it is the same formula, exactly, for every input at which the formula
  has a real value. A form that no law known there proves is refused, right or not.
- numeric: its outputs in float64, at random points, keep the digits.

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
from kanstudio.compiler.evaluate import sympy_function
from kanstudio.compiler.levels import LevelGraph
from kanstudio.compiler.proof import proven
from kanstudio.network.network import FloatArray

TOLERANCE = 1e-9
_RANGES = ((-2.0, 2.0), (0.1, 1.5), (1.0, 4.0))
_POINTS = 8
_AT_ENDS = 0.3
_FAR = 3.0


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
    return replace(graph, checked=f"symbolically and at {_POINTS * len(_RANGES)} points")


def agrees(
    graph: LevelGraph,
    expressions: Sequence[sympy.Expr],
    names: Sequence[str],
    ranges: Sequence[Range] | None = None,
) -> bool:
    """At random points, do the outputs equal the formulas wherever these have a value?"""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(*ends, (_POINTS, graph.n_inputs)) for ends in _RANGES])
    if ranges:
        low, high = np.transpose([_with_ends(one) for one in ranges])
        x = rng.uniform(low, high, x.shape)
        at_ends = rng.random(x.shape) < _AT_ENDS
        x[:_POINTS][at_ends[:_POINTS]] = np.broadcast_to(low, x.shape)[:_POINTS][at_ends[:_POINTS]]
    expected = sympy_function(expressions, names)(x)
    real = np.isfinite(expected)
    difference = np.abs(values(graph, x) - expected)
    return bool((difference <= TOLERANCE * (1 + np.abs(expected)))[real].all())


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
