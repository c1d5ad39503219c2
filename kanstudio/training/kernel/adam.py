"""Adam's update of all parameters in one pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from kanstudio.training.kernel.compiled import (
    PLAIN,
    compiled_entry,
    compiled_plainly,
    entry_point,
    source_hash,
)
from kanstudio.training.kernel.rows import U

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""How much stays of the mean and of the square; what is added to the root of the square."""


@compiled_plainly
def move(params, gradient, mean, square, size, scale, result):  # type: ignore[no-untyped-def]
    """New parameters, mean and square into the rows of result (3, P).

    size, scale: the learning rate and the factor of the root of the square, both corrected
    for the first steps. All but the gradient is float64.
    """
    new_mean, new_square = 1.0 - BETA1, 1.0 - BETA2
    moved, means, squares = result[0], result[1], result[2]
    for i in range(U(len(params))):
        g = np.float64(gradient[i])
        m = mean[i] + new_mean * (g - mean[i])
        s = square[i] + new_square * (g * g - square[i])
        means[i], squares[i] = m, s
        moved[i] = params[i] - size * m / (scale * np.sqrt(s) + EPSILON)


def _entry(version: str) -> Any:
    """The entry; it must make use of ``version``, see compiled_entry."""

    def move_once(params, gradient, mean, square, size, scale, result):  # type: ignore[no-untyped-def]
        move(params, gradient, mean, square, size, scale, result)
        return len(version)

    return compiled_entry(move_once, rounding=PLAIN)


move_once = _entry(source_hash())


@lru_cache(maxsize=1)
def code() -> Callable[..., Any]:
    """The compiled update."""
    return entry_point(move_once, (*[np.zeros(1)] * 4, 0.0, 0.0, np.zeros((3, 1))))
