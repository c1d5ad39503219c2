"""The functions that users added: one immutable table, replaced as a whole."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from kanstudio.functions.function import Function

Recipe = Mapping[str, Any]


@dataclass(frozen=True)
class Registry:
    """rows by name, in the order in which they were added; version grows with each change.

    recipes: what `add_function` was called with, by name.
    """

    rows: Mapping[str, Function] = field(default_factory=lambda: MappingProxyType({}))
    recipes: Mapping[str, Recipe] = field(default_factory=lambda: MappingProxyType({}))
    version: int = 0


class _Holder:
    """What all threads share; whoever reads `now` twice may see two tables."""

    def __init__(self) -> None:
        self.now = Registry()
        self._lock = threading.Lock()

    def put(self, row: Function, recipe: Recipe, *, replace: bool) -> bool:
        """False, and nothing is done, where the name is taken and may not be replaced."""
        with self._lock:
            if row.name in self.now.rows and not replace:
                return False
            rows = MappingProxyType({**self.now.rows, row.name: row})
            recipes = MappingProxyType({**self.now.recipes, row.name: recipe})
            self.now = Registry(rows, recipes, self.now.version + 1)
            return True

    def drop(self, name: str) -> bool:
        """False where there is no such function."""
        with self._lock:
            if name not in self.now.rows:
                return False
            rows, recipes = dict(self.now.rows), dict(self.now.recipes)
            del rows[name], recipes[name]
            self.now = Registry(
                MappingProxyType(rows), MappingProxyType(recipes), self.now.version + 1
            )
            return True


added = _Holder()
