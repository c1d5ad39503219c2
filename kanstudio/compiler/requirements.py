"""Where a network needs more than the formula does: the conditions for it to be exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from kanstudio import formula
from kanstudio.compiler.evaluate import postorder, sympy_function
from kanstudio.functions import heads
from kanstudio.network.network import FloatArray

_NONNEGATIVE = (
    sympy.Abs, sympy.exp, sympy.cosh, sympy.sech, sympy.acosh, sympy.acos, sympy.erfc,
    sympy.Heaviside, sympy.frac, heads.relu, heads.sigmoid, heads.softplus, heads.gaussian,
)  # fmt: skip
_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Requirement:
    """``expression relation 0`` must hold; where it does not, the network may be wrong.

    relation: ">=" or ">". reason: what is computed otherwise, for people.
    """

    expression: sympy.Expr
    relation: str
    reason: str

    def __str__(self) -> str:
        return f"{formula.format_text(self.expression, digits=6)} {self.relation} 0"


def requirements(expressions: Sequence[sympy.Expr]) -> tuple[Requirement, ...]:
    """What must hold for the network of the expressions to be exact, each once.

    Only what the formula itself does not need: the network of sqrt(x) asks for nothing,
    since sqrt(x) has no real value for x < 0 either; but (-2)^y has one at every whole y.
    Empty for most formulas.
    """
    found: dict[Requirement, None] = {}
    varying: set[sympy.Basic] = set()
    for expression in expressions:
        for node in postorder(expression):
            if node.is_Symbol or not varying.isdisjoint(node.args):
                varying.add(node)
                if (needed := _needed(node, varying)) and not _is_nonnegative(needed.expression):
                    found[needed] = None
    return tuple(found)


def share_violated(
    requirement: Requirement, variables: Sequence[str], samples: FloatArray
) -> float:
    """The share, 0 to 1, of samples (n, d) at which a requirement does not hold.

    A sample counts only where the expression of the requirement has a value.
    """
    values = sympy_function([requirement.expression], variables)(samples)[:, 0]
    violated = values < 0 if requirement.relation == ">=" else values <= 0
    return float(np.mean(violated)) if len(samples) else 0.0


def _needed(node: sympy.Basic, varying: set[sympy.Basic]) -> Requirement | None:
    """What a node needs; varying: all that depends on a variable, up to the node."""
    if isinstance(node, sympy.Pow) and varying.issuperset(node.args):
        return Requirement(node.base, ">=", "x^y is computed as exp(y*log(x))")
    if isinstance(node, sympy.binomial) and node.args[1] in varying:
        return Requirement(node.args[0] + 1, ">", "binomial(n, k) is computed with gamma(n + 1)")
    if isinstance(node, sympy.RisingFactorial):
        return Requirement(node.args[0], ">", "rf(x, k) is computed as gamma(x + k)/gamma(x)")
    if isinstance(node, sympy.FallingFactorial):
        first, last = node.args
        expression = sympy.Min(first, first - last) + 1
        return Requirement(expression, ">", "ff(x, k) is computed as gamma(x + 1)/gamma(x - k + 1)")
    return None


def _is_nonnegative(expression: sympy.Expr, depth: int = _DEPTH) -> bool:
    """Is the value at least 0 wherever there is one, as far as can be seen at a glance?"""

    def all_are(parts: Sequence[sympy.Expr]) -> bool:
        return all(_is_nonnegative(part, depth - 1) for part in parts)

    if depth == 0:
        return False
    if not expression.args:
        return bool(expression.is_number and expression.is_nonnegative)
    if isinstance(expression, sympy.Pow):
        # A root has no value for a negative base, and neither has a varying power.
        exponent = expression.exp
        return not exponent.is_integer or bool(exponent.is_even) or all_are([expression.base])
    if isinstance(expression, sympy.Max):
        return any(_is_nonnegative(part, depth - 1) for part in expression.args)
    if isinstance(expression, sympy.Add | sympy.Mul | sympy.Min | sympy.Piecewise):
        # A case of Piecewise has its value first.
        return all_are([getattr(part, "expr", part) for part in expression.args])
    return isinstance(expression, _NONNEGATIVE)
