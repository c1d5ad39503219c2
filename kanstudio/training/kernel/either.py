"""One name for a function of elementary.py and for that of single.py: x says which is meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.extending import overload

from kanstudio.training.kernel import elementary, single


def _either(name: str) -> Callable[[Any], Any]:
    double, short = getattr(elementary, name), getattr(single, name)

    def function(x: Any) -> Any:
        """For compiled code alone; Numba puts one of the two in its place."""
        raise NotImplementedError

    def choose(x: Any) -> Callable[[Any], Any]:
        chosen = short if x == numba.float32 else double
        # Numba takes the code of a plain function.
        return lambda x: chosen(x)  # noqa: PLW0108

    overload(function, strict=False)(choose)
    return function


exp_quick, exp, expm1_quick, log = map(_either, ("exp_quick", "exp", "expm1_quick", "log"))
reduce_angle, sine_short, cosine_short = map(
    _either, ("reduce_angle", "sine_short", "cosine_short")
)
