"""Which functions the edges of a network look like, the best guess first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kanstudio import functions
from kanstudio.errors import DataError, EditError
from kanstudio.functions import Function
from kanstudio.functions.registry import added
from kanstudio.network.network import ABSENT, EdgeRef, FloatArray, Network
from kanstudio.snapping.activations import activations
from kanstudio.snapping.samples import scaled
from kanstudio.snapping.search import best_fits
from kanstudio.snapping.shapes import shape

COMMON = (
    "x", "x^2", "x^3", "x^4", "x^5", "1/x", "1/x^2", "1/x^3", "1/x^4", "1/x^5",
    "x^0.5", "x^1.5", "1/x^0.5", "exp", "log", "abs", "sin", "cos", "tan", "tanh", "sgn",
    "arcsin", "arccos", "arctan", "arctanh", "gaussian",
)  # fmt: skip
"""pykan's library."""

WEIGHT_SIMPLE = 0.8
PER_NUMBER = 0.02

Library = Sequence[str] | str | None
Range = tuple[float, float]
Affine = tuple[float, float, float, float]


@dataclass(frozen=True)
class Suggestion:
    """An edge is about ``c * f(a * x + b) + d``.

    - affine: a, b, c, d. r2: at most 1, the share of the variance that is explained.
    - complexity: the function's, from the function table.
    - loss: what suggestions are ordered by, less is better.

    The name "0" stands for the constant d.
    """

    name: str
    affine: Affine
    r2: float
    complexity: int
    loss: float


def r2_bits(r2: float) -> float:
    """pykan's measure of a misfit, from -16.6 for r2 = 1 to 0 for r2 = 0."""
    return math.log2(1 + 1e-5 - r2)


@dataclass(frozen=True)
class Taste:
    """How suggestions are ordered: by simplicity and R2, as in pykan.

    weight_simple, in [0, 1], is the weight of c_loss(complexity), and 1 - weight_simple that
    of r2_loss(r2): 0 looks at R2 alone. Among equals the function with fewer numbers wins:
    nearly every smooth one has x^2 as a limit, with enormous numbers.
    """

    weight_simple: float = WEIGHT_SIMPLE
    r2_loss: Callable[[float], float] = r2_bits
    c_loss: Callable[[int], float] = float

    def __post_init__(self) -> None:
        if not 0 <= self.weight_simple <= 1:
            raise EditError(f"weight_simple is a number from 0 to 1, not {self.weight_simple!r}")

    def loss(self, r2: float, complexity: int, numbers: int) -> float:
        """Of a function with so many free numbers, at most 4; less is better."""
        simple = float(self.c_loss(complexity)) + PER_NUMBER * numbers
        return self.weight_simple * simple + (1 - self.weight_simple) * float(self.r2_loss(r2))


def library(lib: Library = None) -> tuple[Function, ...]:
    """The functions of a library, each once.

    lib: names; None for pykan's library and what users added; "all" for the whole
    function table. Raises UnknownFunctionError.
    """
    if lib is None:
        names: Iterable[str] = (*COMMON, *added.now.rows)
    elif isinstance(lib, str):
        if lib != "all":
            raise EditError(f'a library is a list of functions or "all", not {lib!r}')
        names = functions.names()
    else:
        names = lib
    found = {function.name: function for function in map(functions.get, names)}
    found.pop(ABSENT, None)
    return tuple(found.values())


def suggestions(
    network: Network,
    x: FloatArray,
    edges: Sequence[EdgeRef],
    lib: Library = None,
    *,
    a_range: Range | None = None,
    b_range: Range | None = None,
    taste: Taste | None = None,
) -> tuple[tuple[Suggestion, ...], ...]:
    """For each edge the functions that it looks like on samples x (n, inputs), best first.

    A function counts only where it has a value at every sample, so that an edge may have
    no suggestion. An edge that is constant has one, "0". a_range, b_range: (low, high) of a
    and b; both None let the samples decide, one alone makes the other (-10, 10). The same
    call gives the same bits. Raises EditError, DataError, UnknownFunctionError.
    """
    taste = taste or Taste()
    known = library(lib)
    for name, ends in (("a_range", a_range), ("b_range", b_range)):
        _check_range(name, ends)
    if not edges:
        return ()
    at = activations(network, x, edges)
    flat = scaled(*at).flat.tolist()
    fits = best_fits(*at, known, a_range, b_range) if known else None
    result: list[tuple[Suggestion, ...]] = []
    for index in range(len(edges)):
        if flat[index]:
            result.append((_constant(at.y[index], taste),))
            continue
        rows = (
            []
            if fits is None
            else list(zip(known, fits.affine[index], fits.r2[index], strict=True))
        )
        result.append(_ordered(rows, taste))
    return tuple(result)


def _ordered(
    rows: Iterable[tuple[Function, torch.Tensor, torch.Tensor]], taste: Taste
) -> tuple[Suggestion, ...]:
    found = []
    for function, affine, r2_tensor in rows:
        r2 = float(r2_tensor)
        if math.isfinite(r2):
            a, b, c, d = affine.tolist()
            complexity = function.complexity
            loss = taste.loss(r2, complexity, shape(function).numbers)
            found.append(Suggestion(function.name, (a, b, c, d), r2, complexity, loss))
    # Sine and cosine are one curve: the one with the smaller b is meant.
    return tuple(sorted(found, key=lambda row: (round(row.loss, 9), abs(row.affine[1]))))


def _constant(y: torch.Tensor, taste: Taste) -> Suggestion:
    value = float(np.mean(y[y.isfinite()].numpy())) if y.isfinite().any() else 0.0
    return Suggestion(ABSENT, (1.0, 0.0, 0.0, value), 1.0, 0, taste.loss(1.0, 0, 1))


def _check_range(name: str, ends: Range | None) -> None:
    if ends is None:
        return
    low, high = ends
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise DataError(f"{name} is (low, high) with low < high, not {ends!r}")
