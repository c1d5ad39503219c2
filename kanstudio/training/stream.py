"""Samples that do not fit into memory: batch after batch, a window at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from kanstudio.errors import DataError, TrainingError
from kanstudio.network.network import FloatArray
from kanstudio.training.data import Dataset
from kanstudio.training.packing import IntArray
from kanstudio.training.settings import TrainingSettings
from kanstudio.training.sources import as_array, batch_of

WINDOW = 32_768
"""At least so many samples are held, and shuffled, at a time."""


@dataclass(frozen=True, eq=False)
class Stream:
    """Batches to train on with Adam, and samples to test on.

    batches: anything that can be iterated again and again (a list, a torch DataLoader, an
    object whose __iter__ opens a file) and gives pairs (inputs [n, d], labels [n, o]) or
    triples with weights [n]; n may differ. A run is reproducible if every pass gives the
    same batches in the same order: a DataLoader that shuffles does not. Rows that are not
    finite are left out. test_x (m, d) and test_y (m, o) are held in memory.
    """

    batches: Iterable[object]
    test_x: FloatArray
    test_y: FloatArray

    def __post_init__(self) -> None:
        if iter(self.batches) is self.batches:
            raise DataError(
                "a stream is read more than once: give a list or a DataLoader, not an iterator"
            )
        for name in ("test_x", "test_y"):
            object.__setattr__(self, name, as_array(getattr(self, name), name))


class Feed:
    """The window of a stream that a run is in, and which of its rows each step takes.

    n_read: batches that were read before this window, over all passes.
    n_used: steps that were taken in it.
    """

    def __init__(
        self, stream: Stream, settings: TrainingSettings, n_read: int = 0, n_used: int = 0
    ) -> None:
        if settings.optimizer != "Adam":
            raise TrainingError("a stream of batches trains with Adam only")
        if settings.batch == -1:
            raise TrainingError("a stream needs batch, the number of samples a step")
        self._stream, self._settings = stream, settings
        self._items = self._all(n_read)
        self.n_read, self.n_next, self.n_used = n_read, n_read, n_used
        self.window = self._fill()

    @property
    def n_before_last(self) -> int:
        """Steps of whole batches in this window before its last step."""
        return -(-self.window.n_train // self._settings.batch) - 1 - self.n_used

    def rows(self, attempt: int, n_used: int | None = None) -> IntArray:
        """The rows of a step; other ones for another attempt.

        n_used: of the step after so many in this window; None for the next one.
        """
        seed = (self._settings.seed, self.n_read, attempt)
        order = np.random.default_rng(seed).permutation(self.window.n_train)
        start = (self.n_used if n_used is None else n_used) * self._settings.batch
        return order[start : start + self._settings.batch]

    def advance(self) -> bool:
        """After a step; True if it was the window's last and there is a new one."""
        self.n_used += 1
        if self.n_used * self._settings.batch < self.window.n_train:
            return False
        self.n_read, self.n_used = self.n_next, 0
        self.window = self._fill()
        return True

    def _all(self, skip: int) -> Iterator[object]:
        """The batches from number ``skip`` on, pass after pass; None where a pass ends."""
        n_seen = 0
        while True:
            before = n_seen
            for item in self._stream.batches:
                n_seen += 1
                if n_seen > skip:
                    yield item
            if n_seen == before:
                raise DataError("the stream has no batches")
            if before == 0 and skip > n_seen:
                # Every pass is like the first: whole passes need not be read to be skipped.
                n_seen = skip // n_seen * n_seen
            if n_seen >= skip:
                yield None

    def _fill(self) -> Dataset:
        """Batches until the window is full, or a pass ends and there are enough for a step."""
        parts: list[FloatArray] = []
        n_columns: set[tuple[int, int, bool]] = set()
        n_rows = n_passes = 0
        while n_rows < max(WINDOW, self._settings.batch):
            item = next(self._items)
            if item is None:
                n_passes += 1
                if n_rows >= self._settings.batch:
                    break
                if n_passes > 1 and not n_rows:
                    raise DataError("no row of the stream is finite")
                continue
            self.n_next += 1
            x, y, weight = batch_of(item)
            n_columns.add((x.shape[1], y.shape[1], weight is not None))
            if len(n_columns) > 1:
                raise DataError(f"batch {self.n_next} of the stream has other columns")
            rows = np.hstack([x, y] if weight is None else [x, y, weight[:, None]])
            parts.append(rows[np.isfinite(rows).all(axis=1)])
            n_rows += len(parts[-1])
        return self._dataset(np.concatenate(parts), *n_columns.pop())

    def _dataset(self, rows: FloatArray, d: int, o: int, weighted: bool) -> Dataset:
        return Dataset(
            rows[:, :d], rows[:, d : d + o], self._stream.test_x, self._stream.test_y,
            train_weight=rows[:, -1] if weighted else None,
        )  # fmt: skip
