"""From formulas to networks, exactly.

sympy -> normal form (read.py, rewrites.py, normal.py) -> level graph -> Network (lower.py).
evaluate.py and operations.py are the independent reference; public.py makes the torch
module. A strategy says how the level graph is made:

- "shared", the default: the smallest network that is found. Everything once (interned.py),
  in the cheapest of many equal forms (search.py, with the rules of products.py and
  fusions.py, and those of positive.py and additions.py where signs are known: bounds.py),
  as vertices (dag.py) that are joined early (grouping.py) and stand where few
  values have to be carried (schedule.py, placed.py), in an order in which few edges cross
  (order.py).
- "compact": as shared, and what depends on one value alone is one edge, with a composed
  function (compact.py).
- "tree": one tree per output, as pykan lays it out (tree.py).

What a search finds is taken only if it is proven to be what was typed (proof.py, with the
exact constants of exact.py, at points of the field of field.py: point.py, laws.py, at_point.py)
and keeps its digits (check.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import sympy

from kanstudio.compiler.bounds import Bounds, Range
from kanstudio.compiler.check import checked
from kanstudio.compiler.cost import Cost, cost_of, cost_of_graph
from kanstudio.compiler.evaluate import sympy_function
from kanstudio.compiler.levels import LevelGraph
from kanstudio.compiler.locate import located
from kanstudio.compiler.lower import lower
from kanstudio.compiler.normal import Affine
from kanstudio.compiler.read import read
from kanstudio.compiler.requirements import Requirement, requirements, share_violated
from kanstudio.compiler.search import Task
from kanstudio.compiler.shared import compact, shared, trees
from kanstudio.errors import CompileError
from kanstudio.network.network import Network

__all__ = [
    "STRATEGIES",
    "Cost",
    "Requirement",
    "Strategy",
    "compile_network",
    "cost_of",
    "cost_report",
    "located",
    "requirements",
    "share_violated",
    "sympy_function",
]

Strategy = Literal["shared", "compact", "tree"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
SEARCH_S = 1.0


def compile_network(
    expressions: Sequence[sympy.Expr],
    variables: Sequence[str],
    output_names: Sequence[str] | None = None,
    *,
    strategy: Strategy = "shared",
    ranges: Sequence[Range] | None = None,
    search_s: float = SEARCH_S,
    grid: int = 5,
    degree: int = 3,
    seed: int = 0,
) -> Network:
    """The network whose outputs are the expressions of the variables, in this order.

    strategy: see the module. ranges: (low, high) of each input, where the network must be
    exact; None is everywhere. Some smaller forms are right for x > 0 only: they are taken where
    the ranges allow them, and the network may be wrong beyond. (At an end of a range that is 0,
    a slope may be 0 that should not.) search_s: CPU seconds that the search for a smaller equal
    form may take; 0 lays the formula out as it is written. (It ends by itself after a number
    of steps, so that a network does not depend on the machine; the time is for long formulas.)

    Exact up to rounding wherever an expression has a real value and its `requirements`
    hold: a power whose exponent varies is exp(exponent * log(base)), and needs base >= 0.
    Symbols are taken for real numbers, whatever sympy assumes. Every variable becomes
    an input, used or not; without variables there is one input, x. All fronts are
    symbolic; grid, degree and seed are those of the splines, which are off.

    Raises CompileError for a function without an exact network (its ``function``
    attribute says which), an unknown symbol, a constant that is not real, a range that is
    none, and a formula whose network would be too large.
    """
    names, formulas, roots = _read(expressions, variables)
    if output_names is not None and len(output_names) != len(expressions):
        raise CompileError(f"{len(expressions)} formulas need as many output names")
    task = _task(formulas, names, ranges, search_s)
    graph = _graph(names, roots, strategy, task)
    return lower(graph, names, output_names, grid=grid, degree=degree, seed=seed)


def cost_report(
    expressions: Sequence[sympy.Expr],
    variables: Sequence[str],
    *,
    ranges: Sequence[Range] | None = None,
    search_s: float = SEARCH_S,
) -> dict[Strategy, Cost]:
    """What the network of the expressions costs under each strategy; ranges as there.

    Nothing but the layouts is made. Raises CompileError as `compile_network` does.
    """
    names, formulas, roots = _read(expressions, variables)
    task = _task(formulas, names, ranges, search_s)
    return {name: cost_of_graph(_graph(names, roots, name, task)) for name in STRATEGIES}


def _task(
    expressions: Sequence[sympy.Expr],
    names: Sequence[str],
    ranges: Sequence[Range] | None,
    search_s: float,
) -> Task:
    """What a search for a smaller form is asked."""
    bounds = Bounds(None if ranges is None else _ranges(ranges, names))

    def check(graph: LevelGraph) -> LevelGraph | None:
        return checked(graph, expressions, names, bounds)

    return Task(len(names), check, search_s, bounds)


def _ranges(ranges: Sequence[Range], names: Sequence[str]) -> list[Range]:
    """The range of each input as two numbers, of which the first is no larger."""
    if len(ranges) != len(names):
        raise CompileError(f"{len(names)} inputs need as many ranges")
    found: list[Range] = []
    for name, ends in zip(names, ranges, strict=True):
        try:
            low, high = map(float, ends)
        except (TypeError, ValueError):
            raise CompileError(f"a range is (low, high), but that of {name} is {ends!r}") from None
        if not (low <= high and low < math.inf and high > -math.inf):
            raise CompileError(f"the range of {name} has no numbers: {low:g} to {high:g}")
        found.append((low, high))
    return found


def _read(
    expressions: Sequence[sympy.Expr], variables: Sequence[str]
) -> tuple[tuple[str, ...], list[sympy.Expr], list[Affine]]:
    """The names of the inputs, the expressions, and their normal forms."""
    names = tuple(variables) or ("x",)
    if not expressions:
        raise CompileError("there is no formula to compile")
    if len(set(names)) < len(names):
        raise CompileError(f"an input has its name twice: {', '.join(names)}")
    formulas = [_expression(e) for e in expressions]
    return names, formulas, [read(formula, names) for formula in formulas]


def _graph(names: Sequence[str], roots: Sequence[Affine], strategy: str, task: Task) -> LevelGraph:
    if strategy not in STRATEGIES:
        raise CompileError(f"strategy is {', '.join(STRATEGIES)}, not {strategy!r}")
    if strategy == "tree":
        return trees(roots, len(names))
    return shared(roots, task) if strategy == "shared" else compact(roots, task)


def _expression(value: object) -> sympy.Expr:
    """Numbers become sympy's; text is refused, since sympy would run it."""
    if isinstance(value, sympy.Expr):
        return value
    if isinstance(value, int | float):
        return sympy.Float(value) if isinstance(value, float) else sympy.Integer(value)
    raise CompileError(f"{type(value).__name__} is no formula: pass a sympy expression")
