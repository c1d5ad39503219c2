"""What a univariate function is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import sympy as sp
from torch import Tensor, dtype

from kanstudio.functions.domain import ALL, BoolMap, Domain, Limits, TensorMap

Exponent = int | Fraction | float
SympyMap = Callable[[sp.Expr], sp.Expr]

_ATOM = re.compile(r"\\?[A-Za-z]+(_\{?\w+\}?)?|\d+(\.\d+)?")


@dataclass(frozen=True)
class Function:
    """One row of the function table.

    - name: the one name under which networks refer to it; pykan's where pykan has it.
    - sympy: from an expression to an expression.
    - torch: elementwise on a tensor of any shape. Value and gradient are finite for every
      finite input: outside the domain the value is that of the nearest point inside (0 at
      a pole) and the gradient is 0.
    - latex: a template in which {x} stands for the argument, and {(x)} for the argument
      in brackets where it needs them.
    - domain: the real numbers for which there is a real value.
    - complexity: from 0; a higher one needs a better fit to be chosen.
    - aliases: other names that `get` knows.
    - limits: where the value is that of the plain mathematical function, as numbers for a
      dtype; None if everywhere.
    - exponent: of a power x^exponent (an int, Fraction or float); None for other functions.
    - expression: of a composed function, in Symbol("x"); None for other functions.
    """

    name: str
    sympy: SympyMap
    torch: TensorMap
    latex: str
    domain: Domain = ALL
    complexity: int = 3
    aliases: tuple[str, ...] = ()
    exponent: Exponent | None = None
    inside_map: BoolMap | None = field(default=None, repr=False)
    limits: Callable[[dtype], Limits] | None = field(default=None, repr=False)
    expression: sp.Expr | None = None

    def inside(self, x: Tensor) -> Tensor:
        """A bool tensor of x's shape: is the value there the function's true value?"""
        if self.inside_map is None:
            return ~x.isnan()
        return self.inside_map(x)

    def to_latex(self, argument: str = "x") -> str:
        """The function of an argument that is LaTeX already."""
        bracketed = argument
        if not _ATOM.fullmatch(argument):
            bracketed = rf"\left({argument}\right)"
        pieces = re.split(r"(\{\(x\)\}|\{x\})", self.latex)
        values = {"{(x)}": bracketed, "{x}": argument}
        return "".join(values.get(piece, piece) for piece in pieces)
