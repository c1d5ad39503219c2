"""The normal form of an expression: affine parts pulled out of everything.

Every expression is ``scale * core + bias``. A core is a variable, a sum of scaled cores,
a product of affine factors, or a function of one affine argument. Sums are flat and have
no constants; products are flat and have no constant factors. The normal form is an
immutable graph: what the expression shares, it shares.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from kanstudio import functions
from kanstudio.compiler.at_point import applied_to
from kanstudio.errors import CompileError

IDENTITY = "x"


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """The input with this index."""

    index: int

    @property
    def height(self) -> int:
        """Number of layers between the inputs and the node with this core."""
        return 0


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """``sum of coefficient * core``; no core is a sum."""

    terms: tuple[tuple[float, Core], ...]
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """The product of at least two factors, none of them constant."""

    factors: tuple[Affine, ...]
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class Apply:
    """A function of the function table, of an argument that is not constant."""

    function: str
    argument: Affine
    height: int


Core = Variable | Sum | Product | Apply


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """``scale * core + bias``; without a core it is the constant ``bias``."""

    scale: float
    core: Core | None
    bias: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and math.isfinite(self.bias)):
            raise CompileError("a constant of the formula is too large for a 64-bit number")


@dataclass(frozen=True, slots=True)
class Edge:
    """How a core reaches a subnode: ``function(a * node + b)`` of the node with ``child``.

    The affine part of a variable sits on the edge, that of any other child on its node.
    """

    function: str
    a: float
    b: float
    child: Affine


def constant(value: float) -> Affine:
    return Affine(0.0, None, value)


def add(parts: Iterable[tuple[float, Affine]]) -> Affine:
    """``sum of coefficient * part``.

    Terms that would be two edges with the same function of the same input are merged.
    """
    terms: dict[object, tuple[float, Core]] = {}
    bias = 0.0
    for coefficient, part in parts:
        bias += coefficient * part.bias
        core = part.core
        if core is None:
            continue
        scale = coefficient * part.scale
        inner = core.terms if isinstance(core, Sum) else ((1.0, core),)
        for weight, term in inner:
            key = _leaf_key(term)
            before = terms[key][0] if key in terms else 0.0
            terms[key] = (before + scale * weight, term)
    kept = tuple(term for term in terms.values() if term[0] != 0)
    if not kept:
        return constant(bias)
    if len(kept) == 1:
        return Affine(kept[0][0], kept[0][1], bias)
    return Affine(1.0, Sum(kept, 1 + max(edge_height(core) for _, core in kept)), bias)


def multiply(factors: Sequence[Affine]) -> Affine:
    """The product of all factors."""
    scale = 1.0
    kept: list[Affine] = []
    for factor in factors:
        if factor.core is None:
            scale *= factor.bias
        elif factor.bias == 0:
            scale *= factor.scale
            inner = factor.core.factors if isinstance(factor.core, Product) else None
            kept.extend(inner or (Affine(1.0, factor.core, 0.0),))
        else:
            kept.append(factor)
    if scale == 0 or not kept:
        return constant(scale)
    if len(kept) == 1:
        (only,) = kept
        return Affine(scale * only.scale, only.core, scale * only.bias)
    return Affine(scale, Product(tuple(kept), 1 + max(_port_height(f) for f in kept)), 0.0)


def apply(function: str, argument: Affine) -> Affine:
    """A function of the function table; constants are folded."""
    if function == IDENTITY:
        return argument
    if argument.core is not None:
        return Affine(1.0, Apply(function, argument, 1 + argument.core.height), 0.0)
    table, value = functions.get(function), torch.tensor(argument.bias, dtype=torch.float64)
    if not table.inside(value):
        raise CompileError(f"{function} has no value at {argument.bias:.6g}", function)
    found = float(table.torch(value))
    return constant(found if found.is_integer() else applied_to(function, argument.bias, found))


def edge(core: Core) -> Edge:
    """The edge that carries a core into a subnode."""
    function, argument = IDENTITY, Affine(1.0, core, 0.0)
    if isinstance(core, Apply):
        function, argument = core.function, core.argument
    if isinstance(argument.core, Variable):
        return Edge(function, argument.scale, argument.bias, Affine(1.0, argument.core, 0.0))
    return Edge(function, 1.0, 0.0, argument)


def port_terms(core: Core) -> tuple[tuple[float, Core], ...]:
    """What is summed up in the subnode of a factor with this core."""
    return core.terms if isinstance(core, Sum) else ((1.0, core),)


def edge_height(core: Core) -> int:
    """Number of layers between the inputs and the node from which a core's edge starts."""
    return core.height - 1 if isinstance(core, Apply) else core.height


def _port_height(factor: Affine) -> int:
    if factor.core is None:
        return 0
    return max(edge_height(core) for _, core in port_terms(factor.core))


def _leaf_key(core: Core) -> object:
    """Equal for cores that are the same function of the same input."""
    if isinstance(core, Variable):
        return core.index
    if isinstance(core, Apply) and isinstance(core.argument.core, Variable):
        argument = core.argument
        return (core.function, argument.scale, core.argument.core.index, argument.bias)
    return core
