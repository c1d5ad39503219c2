"""The suggestions for one edge, as a person and pykan's scripts read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kanstudio import functions
from kanstudio.errors import DataError
from kanstudio.functions import Function
from kanstudio.snapping.suggest import Suggestion


@dataclass(frozen=True, repr=False)
class Suggestions:
    """The best suggestions, best first; prints as a table.

    Unpacks like pykan's answer: ``name, function, r2, complexity = suggest_symbolic(...)``
    is the best one.
    """

    rows: tuple[Suggestion, ...]

    @property
    def best(self) -> Suggestion:
        """The first; DataError where there is none."""
        if not self.rows:
            raise DataError("no function of the library has a value at every sample of this edge")
        return self.rows[0]

    def __iter__(self) -> Iterator[str | Function | float]:
        best = self.best
        return iter((best.name, functions.get(best.name), best.r2, best.complexity))

    def __len__(self) -> int:
        return 4

    def __str__(self) -> str:
        lines = [f"{'function':<10} {'r2':>10}  complexity  {'loss':>8}   c * f(a * x + b) + d"]
        for row in self.rows:
            a, b, c, d = row.affine
            lines.append(
                f"{row.name:<10} {row.r2:>10.6f}  {row.complexity:>10}  {row.loss:>8.4f}   "
                f"a={a:.5g} b={b:.5g} c={c:.5g} d={d:.5g}"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)
