"""What a formula costs under each strategy, and where its network is exact."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from kanstudio.compiler import STRATEGIES, Cost, Strategy, cost_report, requirements
from kanstudio.editor.document import read_formula
from kanstudio.errors import KanStudioError

REST_S = 0.25
"""So long must a text stand still before its costs are worked out."""
MAX_CONDITIONS = 5

Key = tuple[str, tuple[str, ...]]
"""A text and its inputs."""
Row = dict[str, str | int]


@dataclass(frozen=True)
class Prospect:
    """What can be said of a formula before it is compiled.

    conditions: in sentences, where its network is exact if not everywhere.
    """

    costs: dict[Strategy, Cost] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()

    @property
    def rows(self) -> list[Row]:
        """The costs as the page shows them, a row per strategy."""
        return [
            cost_row(name, name.capitalize(), self.costs[name])
            for name in STRATEGIES
            if name in self.costs
        ]


def cost_row(key: str, title: str, cost: Cost) -> Row:
    """One row of the table of costs."""
    return {
        "key": key,
        "title": title,
        "nodes": cost.nodes,
        "edges": cost.edges,
        "depth": cost.depth,
        "parameters": cost.parameters,
    }


@lru_cache(maxsize=256)
def prospect(key: Key) -> Prospect:
    """Costs and conditions; none for a text that is no formula or has no network."""
    text, inputs = key
    try:
        parsed = read_formula(text, inputs)
        expressions = [output.expr for output in parsed.outputs]
        needed = requirements(expressions)
        conditions = tuple(f"Exact where {one}: {one.reason}" for one in needed[:MAX_CONDITIONS])
        return Prospect(cost_report(expressions, parsed.variables), conditions)
    except KanStudioError:
        return Prospect()
