"""How a row of the function table is made."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from kanstudio.functions.domain import ALL, Domain, Interval, TensorMap, guard
from kanstudio.functions.function import Function, SympyMap


def row(
    name: str,
    sympy: SympyMap,
    raw: TensorMap,
    latex: str = "",
    *,
    domain: Domain = ALL,
    complexity: int = 3,
    aliases: tuple[str, ...] = (),
    steep: bool = False,
    overflow: Callable[[float], Interval] | None = None,
    hole_width: Callable[[float], float] | None = None,
    anchor: float = 0.5,
    pole: bool = True,
) -> Function:
    """A named function; raw is what torch computes inside the domain, see `domain.guard`.

    latex: a template, or what stands before the argument; the name if it is empty.
    """
    latex = template(latex or rf"\operatorname{{{name}}}")
    if domain == ALL and overflow is None:
        return Function(name, sympy, raw, latex, domain, complexity, aliases)
    function, inside, limits = guard(
        raw, domain, steep=steep, overflow=overflow, hole_width=hole_width, anchor=anchor,
        pole=pole,
    )  # fmt: skip
    return Function(name, sympy, function, latex, domain, complexity, aliases, None, inside, limits)


def row_of_size(
    name: str,
    sympy: SympyMap,
    raw: TensorMap,
    mirror: Callable[[Tensor, Tensor], Tensor],
    *,
    domain: Domain,
    words: str,
    aliases: tuple[str, ...],
) -> Function:
    """A function of |x|, which has the domain; mirror: from x and its value to f(x)."""
    function, inside, _ = guard(raw, domain, steep=not domain.low_open, anchor=2.0)
    return Function(
        name,
        sympy,
        lambda x: mirror(x, function(x.abs())),
        template(rf"\operatorname{{{name}}}"),
        Domain(words=words),
        4,
        aliases,
        inside_map=lambda x: inside(x.abs()),
    )


def template(latex: str) -> str:
    """With the argument in brackets behind, unless there is a place for it."""
    return latex if "{x}" in latex or "{(x)}" in latex else rf"{latex}\left({{x}}\right)"


def up_to_log(largest: float) -> Interval:
    """Where exp is finite."""
    return -math.inf, math.log(largest) - 1.0


def within_log(largest: float) -> Interval:
    """Where exp of the size is finite."""
    return 1.0 - math.log(largest), math.log(largest) - 1.0


def near_pole(largest: float) -> float:
    """Nearer to a simple pole the derivative, 1/x^2, would overflow."""
    return 2.0 / math.sqrt(largest)


def within_exp(x: Tensor) -> Tensor:
    """x where exp of its size is finite, else the end of that."""
    low, high = within_log(torch.finfo(x.dtype).max)
    return x.clamp(low, high)
