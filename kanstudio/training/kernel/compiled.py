"""How this package compiles: to disk once per machine, without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

# Sums may be reordered (that is what makes them fast) and multiply-add may be fused;
# NaN and infinity keep their meaning.
RELAXED = {"reassoc", "contract", "nsz", "arcp"}
EXACT = {"contract"}


def compiled(*, relaxed: bool) -> Callable[[Any], Any]:
    """A decorator; relaxed code may reorder sums, within rounding."""

    def decorate(function: Any) -> Any:
        return numba.njit(
            function,
            cache=True,
            nogil=True,
            error_model="numpy",
            boundscheck=False,
            fastmath=RELAXED if relaxed else EXACT,
        )

    return decorate
