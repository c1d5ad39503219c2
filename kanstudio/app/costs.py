"""What a formula costs under each strategy, and where its network is exact."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

from kanstudio.app.present import percent
from kanstudio.compiler import (
    STRATEGIES,
    Cost,
    Strategy,
    cost_report,
    requirements,
    share_violated,
)
from kanstudio.editor.document import Document, read_formula
from kanstudio.errors import KanStudioError

REST_S = 0.25
"""So long must a text stand still before its costs are worked out."""
MAX_CONDITIONS = 5
CHECKED_SAMPLES = 1_000

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


def prospect_of(document: Document) -> Prospect:
    """The prospect of a document's text; its conditions are held against its samples."""
    names = document.network.input_names
    known = prospect((document.text, names))
    if not known.conditions or document.formula is None:
        return known
    needed = requirements([output.expr for output in document.formula.outputs])
    x = document.dataset.train_x[:CHECKED_SAMPLES]
    shares = [share_violated(one, names, x) for one in needed[:MAX_CONDITIONS]]
    said = (
        f"{sentence}; {percent(share)} of the samples lie elsewhere" if share else sentence
        for sentence, share in zip(known.conditions, shares, strict=True)
    )
    return replace(known, conditions=tuple(said))


def same_prospect(one: Document, other: Document) -> bool:
    """Whether two documents have the same prospect."""
    same = one.text == other.text and one.network.input_names == other.network.input_names
    return same and one.dataset is other.dataset


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
