"""From formulas to networks, exactly.

sympy -> normal form (read.py, rewrites.py, normal.py) -> level graph (tree.py, levels.py)
-> Network (lower.py). evaluate.py and operations.py are the independent reference;
public.py makes the torch module.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from kanstudio.compiler.evaluate import sympy_function
from kanstudio.compiler.levels import beside
from kanstudio.compiler.locate import located
from kanstudio.compiler.lower import lower
from kanstudio.compiler.read import read
from kanstudio.compiler.tree import tree
from kanstudio.errors import CompileError
from kanstudio.network.network import Network

__all__ = ["compile_network", "located", "sympy_function"]


def compile_network(
    expressions: Sequence[sympy.Expr],
    variables: Sequence[str],
    output_names: Sequence[str] | None = None,
    *,
    grid: int = 5,
    degree: int = 3,
    seed: int = 0,
) -> Network:
    """The network whose outputs are the expressions of the variables, in this order.

    Exact up to rounding wherever an expression has a real value, with one exception: a
    power whose exponent varies is exp(exponent * log(base)), and needs a positive base.
    Symbols are taken for real numbers, whatever sympy assumes. Every variable becomes
    an input, used or not; without variables there is one input, x. All fronts are
    symbolic; grid, degree and seed are those of the splines, which are off.

    Raises CompileError for a function without an exact network (its ``function``
    attribute says which), an unknown symbol, a constant that is not real, and a formula
    whose network would be too large.
    """
    names = tuple(variables) or ("x",)
    if not expressions:
        raise CompileError("there is no formula to compile")
    if len(set(names)) < len(names):
        raise CompileError(f"an input has its name twice: {', '.join(names)}")
    if output_names is not None and len(output_names) != len(expressions):
        raise CompileError(f"{len(expressions)} formulas need as many output names")
    graphs = [tree(read(_expression(e), names), len(names)) for e in expressions]
    graph = beside(graphs)
    return lower(graph, names, output_names, grid=grid, degree=degree, seed=seed)


def _expression(value: object) -> sympy.Expr:
    """Numbers become sympy's; text is refused, since sympy would run it."""
    if isinstance(value, sympy.Expr):
        return value
    if isinstance(value, int | float):
        return sympy.Float(value) if isinstance(value, float) else sympy.Integer(value)
    raise CompileError(f"{type(value).__name__} is no formula: pass a sympy expression")
