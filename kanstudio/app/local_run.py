"""A run in this process, a few milliseconds at a time."""

from __future__ import annotations

import time

from kanstudio.app.desk import Report
from kanstudio.network.network import Network
from kanstudio.training.data import Dataset
from kanstudio.training.run import TrainingRun
from kanstudio.training.settings import TrainingSettings


class LocalRun:
    def __init__(self, network: Network, dataset: Dataset, settings: TrainingSettings, paused: bool):
        self._run = TrainingRun(network, dataset, settings)
        self._paused = paused
        self._due = 0

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def step(self) -> None:
        self._due += 1

    def stop(self) -> None:
        self._paused = True

    def close(self) -> None:
        self._paused = True

    def poll(self) -> Report:
        records = []
        end = time.monotonic() + 0.02
        while (not self._paused or self._due) and not self._run.finished and time.monotonic() < end:
            records.append(self._run.step())
            self._due = max(0, self._due - 1)
        network = self._run.network() if records else None
        return Report(tuple(records), network, self._run.state, self._run.message)
