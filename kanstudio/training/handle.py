"""A run somewhere else, as its owner sees it, and what those who run it have in common."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from kanstudio.errors import TrainingError
from kanstudio.functions.shipping import packed
from kanstudio.network.network import Network
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.data import Dataset
from kanstudio.training.progress import Progress, Records
from kanstudio.training.settings import TrainingSettings
from kanstudio.training.worker import RunState, Start, Update

MAX_RESTARTS = 3


@dataclass(frozen=True)
class RunStatus:
    """What a run came to since the last poll.

    progress ends with the step that network shows; network is None if there was no step.
    observed is what the observer made of that network.
    """

    progress: tuple[Progress, ...]
    network: Network | None
    state: RunState
    message: str = ""
    observed: Any = None


class Keeper(Protocol):
    """What looks after runs: a pool of processes here, or a cluster."""

    def tell(self, handle: RunHandle, verb: str) -> None:
        """Hand a wish on: pause, resume, step or stop."""

    def drop(self, handle: RunHandle) -> None:
        """End a run of which nobody wants to hear any more."""


class Trainer(Protocol):
    """What starts runs, here or elsewhere; see ``Runner``."""

    def start(
        self,
        network: Network,
        dataset: Dataset,
        settings: TrainingSettings,
        *,
        paused: bool = False,
        checkpoint: Checkpoint | None = None,
        observer: Callable[..., Any] | None = None,
        arguments: tuple[Any, ...] = (),
    ) -> RunHandle: ...

    def devices(self) -> tuple[str, ...]:
        """The devices that runs may name, as far as is known; "cpu" is always there."""


class RunHandle:
    """One run, as its owner sees it. No call waits for the worker."""

    def __init__(self, runner: Keeper, run_id: int, order: Start) -> None:
        self.run_id = run_id
        self._runner = runner
        self._order = order
        self._lock = threading.Lock()
        self._progress: list[Records] = []
        self._latest: tuple[bytes | None, bytes | None] = (None, None)
        self._checkpoint: bytes | None = None
        self._n_steps = 0
        self._state: RunState = "paused" if order.paused else "running"
        self._paused = order.paused
        self._stopping = False
        self._message = ""
        self._restarts = 0
        self._restarted_at = 0

    @property
    def state(self) -> RunState:
        return self._state

    @property
    def n_steps(self) -> int:
        """The last step that has arrived."""
        return self._n_steps

    @property
    def ended(self) -> bool:
        """True once the run is finished, stopped or failed."""
        return self._state in ("finished", "stopped", "error")

    def pause(self) -> None:
        """Pause after the step in progress."""
        self._paused = True
        self._runner.tell(self, "pause")

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        self._runner.tell(self, "resume")

    def step(self) -> None:
        """One step of a paused run."""
        self._runner.tell(self, "step")

    def stop(self) -> None:
        """End the run; the steps since the last update may still arrive."""
        self._stopping = True
        self._runner.tell(self, "stop")

    def close(self) -> None:
        """End the run; nobody will ask for it again."""
        self._runner.drop(self)

    def poll(self) -> RunStatus:
        """Everything since the last poll."""
        with self._lock:
            news, self._progress = self._progress, []
            (network, observed), self._latest = self._latest, (None, None)
            state, message = self._state, self._message
        return RunStatus(
            tuple(progress for records in news for progress in records),
            None if network is None else pickle.loads(network),
            state,
            message,
            None if observed is None else pickle.loads(observed),
        )

    def checkpoint(self) -> Checkpoint | None:
        """Where the run stood at most about a second ago, or when it was paused or ended."""
        with self._lock:
            kept = self._checkpoint
        return None if kept is None else pickle.loads(kept)

    # What the runner's threads call.

    def take(self, update: Update) -> None:
        """Merge an update into the slot."""
        with self._lock:
            if self.ended:
                return
            # After a restart the steps since the checkpoint come a second time.
            news = update.progress.after(self._n_steps)
            if news:
                self._progress.append(news)
                if update.network is not None:
                    self._latest = update.network, update.observed
                    self._n_steps = news.last
            if update.checkpoint is not None:
                self._checkpoint = update.checkpoint
            self._state, self._message = update.state, update.message

    def fail(self, message: str) -> None:
        """The run cannot go on; its last snapshot stays."""
        self.take(Update("error", message))

    def end_if_stopping(self) -> bool:
        """True if the run is to end: its worker may have died before it heard of that."""
        if self._stopping:
            self.take(Update("stopped", self._message))
        return self._stopping

    def order_again(self) -> Start | None:
        """The order to go on from the last checkpoint; None after too many attempts.

        A run that gets on is not what ends its workers: only attempts in a row count that
        came to no new step.
        """
        self._restarts = 1 if self._n_steps > self._restarted_at else self._restarts + 1
        self._restarted_at = self._n_steps
        if self._restarts > MAX_RESTARTS:
            return None
        checkpoint = self.checkpoint() or self._order.checkpoint
        return replace(self._order, checkpoint=checkpoint, paused=self._paused)


def checked(order: Start) -> Start:
    """The order, with what it needs in another process. Raises KanStudioError if it cannot go."""
    if "<" in getattr(order.observer, "__qualname__", ""):
        raise TrainingError("an observer must be a function at the top of a module")
    layers = order.network.layers
    names = {name for layer in layers for row in layer.functions for name in row}
    return replace(order, functions=packed(names))
