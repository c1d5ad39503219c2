"""Is a layout what the formula says? Asked of forms that a search has found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy
import torch

from kanstudio import functions
from kanstudio.compiler.evaluate import sympy_function
from kanstudio.compiler.levels import LevelGraph
from kanstudio.network.network import FloatArray

TOLERANCE = 1e-9
_RANGES = ((-2.0, 2.0), (0.1, 1.5), (1.0, 4.0))
_POINTS = 8


def agrees(graph: LevelGraph, expressions: Sequence[sympy.Expr], names: Sequence[str]) -> bool:
    """At random points, do the outputs equal the formulas wherever these have a value?"""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(*ends, (_POINTS, graph.n_inputs)) for ends in _RANGES])
    expected = sympy_function(expressions, names)(x)
    real = np.isfinite(expected)
    difference = np.abs(values(graph, x) - expected)
    return bool((difference <= TOLERANCE * (1 + np.abs(expected)))[real].all())


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
                    a, b, c, d = connection.affine
                    function = functions.get(connection.function).torch
                    total = total + c * function(a * below[connection.source] + b) + d
                product = product * (subnode.scale * total + subnode.bias)
            above.append(node.scale * product + node.bias)
        below = above
    result: FloatArray = torch.stack(below, dim=1).numpy()
    return result
