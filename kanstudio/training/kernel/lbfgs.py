"""The direction of L-BFGS in one pass over its pairs."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from kanstudio.training.kernel.compiled import compiled, compiled_entry, entry_point, source_hash
from kanstudio.training.kernel.rows import U


@compiled(relaxed=True)
def product(left, right):  # type: ignore[no-untyped-def]
    """Scalar product."""
    result = 0.0
    for i in range(U(len(left))):
        result += left[i] * right[i]
    return result


@compiled(relaxed=False)
def add(factor, values, result):  # type: ignore[no-untyped-def]
    for i in range(U(len(values))):
        result[i] += factor * values[i]


def _entry(version: str) -> Any:
    """The entry; it must make use of ``version``, see compiled_entry."""

    def direct(gradient, moves, changes, inverses, first, count, scale, weights, result):  # type: ignore[no-untyped-def]
        """Minus the inverse Hessian times the gradient into result (Nocedal and Wright,
        Numerical Optimization, 2006, algorithm 7.4).

        The pairs are rows of moves and changes, from ``first`` on and round again, the
        oldest first. weights: as many numbers, to work with.
        """
        n_rows = len(moves)
        for i in range(U(len(gradient))):
            result[i] = -gradient[i]
        for k in range(count - 1, -1, -1):
            row = (first + k) % n_rows
            weights[k] = inverses[row] * product(moves[row], result)
            add(-weights[k], changes[row], result)
        for i in range(U(len(result))):
            result[i] *= scale
        for k in range(count):
            row = (first + k) % n_rows
            add(weights[k] - inverses[row] * product(changes[row], result), moves[row], result)
        return len(version)

    return compiled_entry(direct)


direct = _entry(source_hash())


@lru_cache(maxsize=1)
def code() -> Callable[..., Any]:
    """The compiled direction."""
    one, pairs = np.zeros(1), np.zeros((1, 1))
    return entry_point(direct, (one, pairs, pairs, one, 0, 0, 0.0, one, one))
