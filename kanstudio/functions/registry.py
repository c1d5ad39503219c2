"""The functions that users added: one immutable table, replaced as a whole."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from kanstudio.functions.function import Function


@dataclass(frozen=True)
class Registry:
    """rows by name, in the order in which they were added; version grows with each change."""

    rows: Mapping[str, Function] = field(default_factory=lambda: MappingProxyType({}))
    version: int = 0


class _Holder:
    """What all threads share; whoever reads `now` twice may see two tables."""

    def __init__(self) -> None:
        self.now = Registry()
        self._lock = threading.Lock()

    def put(self, row: Function, *, replace: bool) -> bool:
        """False, and nothing is done, where the name is taken and may not be replaced."""
        with self._lock:
            if row.name in self.now.rows and not replace:
                return False
            rows = MappingProxyType({**self.now.rows, row.name: row})
            self.now = Registry(rows, self.now.version + 1)
            return True

    def drop(self, name: str) -> bool:
        """False where there is no such function."""
        with self._lock:
            if name not in self.now.rows:
                return False
            rows = {other: row for other, row in self.now.rows.items() if other != name}
            self.now = Registry(MappingProxyType(rows), self.now.version + 1)
            return True


added = _Holder()
