"""A worker's side of a cluster: a run is a task, and its owner asks how it goes.

Nobody pushes: a snapshot is made when the owner has asked for one, so that a slow line
makes fewer of them and nothing piles up. Wishes are said in full each time: one that is
lost, or comes twice, does no harm.
"""

from __future__ import annotations

import pickle
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from distributed import secede

from kanstudio import __version__
from kanstudio.errors import KanStudioError
from kanstudio.training.checks import available_devices
from kanstudio.training.data import Dataset
from kanstudio.training.progress import Records
from kanstudio.training.worker import SLICE_S, Hosted, RunState, Start, Update, begin

LEASE_S = 60.0
"""A run of which nobody has asked for so long ends, and gives its place to others."""
IDLE_S = 0.5


@dataclass(frozen=True)
class Wish:
    """What the owner of a run wants, and what the owner has.

    seen: the last step whose record has arrived. steps: single steps asked for in all, of
    which ``done`` are known to be taken. keep: a checkpoint is wanted. checkpoint: where to
    go on, for a host that began without it.
    """

    seen: int = 0
    paused: bool = False
    steps: int = 0
    done: int = 0
    stop: bool = False
    keep: bool = False
    checkpoint: bytes | None = None


@dataclass(frozen=True)
class Answer:
    """How a run stands on its host.

    host: names this attempt at the run; a task that moves gets another. began: the step it
    went on from. kept: the step of the checkpoint in the update. seconds: spent on steps by
    this host.
    """

    host: str
    began: int
    update: Update
    done: int = 0
    kept: int = 0
    seconds: float = 0.0


class Mailbox:
    """Where the owner of a run and the thread that trains it meet. Never blocks."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._wish: Wish | None = None
        self._answer: Answer | None = None
        self._asked_at = time.monotonic()
        self.asked = False
        self.in_use = False

    @property
    def silent_s(self) -> float:
        """Seconds since the owner was here."""
        return time.monotonic() - self._asked_at

    def ask(self, wish: Wish) -> Answer | None:
        """The owner's visit: leave a wish, take the latest answer."""
        with self._changed:
            self._wish, self._asked_at, self.asked = wish, time.monotonic(), True
            self._changed.notify_all()
            return self._answer

    def wish(self, wait_s: float) -> Wish | None:
        """The latest wish; waits for a visit."""
        with self._changed:
            if wait_s and not self.asked:
                self._changed.wait(wait_s)
            return self._wish

    def put(self, answer: Answer) -> None:
        """Answer the last visit."""
        with self._changed:
            self._answer, self.asked = answer, False


_boxes: dict[str, Mailbox] = {}
_lock = threading.Lock()


def _box(run_id: str, *, use: bool = False) -> Mailbox:
    with _lock:
        for key, box in list(_boxes.items()):
            if not box.in_use and box.silent_s > LEASE_S:
                del _boxes[key]
        box = _boxes.setdefault(run_id, Mailbox())
        box.in_use = box.in_use or use
        return box


def exchange(wishes: dict[str, Wish]) -> dict[str, Answer | None]:
    """Leave wishes and take answers, by run; None where a run has not begun here."""
    return {run_id: _box(run_id).ask(wish) for run_id, wish in wishes.items()}


def describe() -> tuple[str, tuple[str, ...]]:
    """The version of this package on a worker, and the worker's devices."""
    return __version__, available_devices()


def parcel(order: Start) -> bytes:
    """An order without its samples, which are sent once for many orders."""
    return pickle.dumps(
        {item.name: getattr(order, item.name) for item in fields(order) if item.name != "dataset"}
    )


def host(content: bytes, dataset: Dataset, run_id: str, share: bool) -> Answer:
    """The task: train until the run ends, its owner stops it, or nobody asks any more.

    share: let other tasks of this worker run beside it; a paused run does so anyway.
    """
    order = Start(dataset=dataset, **pickle.loads(content))
    box = _box(run_id, use=True)
    try:
        return _Host(box, order, secede).serve(share=share)
    finally:
        with _lock:
            _boxes.pop(run_id, None)


class _Host:
    """One attempt at a run. leave_place: lets other tasks of the worker begin."""

    def __init__(
        self, box: Mailbox, order: Start, leave_place: Callable[[], None] = lambda: None
    ) -> None:
        self._box = box
        self._order = order
        self._name = uuid.uuid4().hex
        self._wish: Wish | None = None
        self._steps = 0
        self._seconds = 0.0
        self._records = Records()
        self._latest: Update = Update("running")
        self._kept = -1
        self._moved = False
        self._leave_place = leave_place
        self._has_place = True

    def serve(self, *, share: bool = False) -> Answer:
        if share:
            self._give_place()
        try:
            self._begin(self._order)
        except KanStudioError as error:
            return Answer(self._name, 0, Update("error", str(error)))
        try:
            return self._train()
        except (KanStudioError, MemoryError, RuntimeError) as error:
            # torch reports a full device memory as a RuntimeError.
            return self._ended("error", str(error) or "out of memory")

    def _begin(self, order: Start) -> None:
        self._hosted = begin(order)
        self._began = self._hosted.run.n_steps
        self._records = Records()

    def _train(self) -> Answer:
        hosted = self._hosted
        while True:
            self._obey(self._box.wish(0 if hosted.busy else IDLE_S))
            hosted = self._hosted
            if hosted.run.finished:
                return self._answer(keep=True)
            if (self._wish is not None and self._wish.stop) or self._box.silent_s > LEASE_S:
                return self._ended("stopped")
            if hosted.busy:
                self._work(hosted)
            elif self._has_place:
                self._give_place()
            # The end is the task's result to tell, with all that belongs to it.
            if self._box.asked and not hosted.run.finished:
                # Where a run stands still, its checkpoint is that very step.
                stands = not hosted.busy and self._kept != hosted.run.n_steps
                wanted = self._wish is not None and self._wish.keep
                self._box.put(self._answer(keep=wanted or stands))

    def _ended(self, state: RunState, message: str = "") -> Answer:
        answer = self._answer(keep=True)
        update = replace(answer.update, state=state, message=message or answer.update.message)
        return replace(answer, update=update)

    def _give_place(self) -> None:
        self._leave_place()
        self._has_place = False

    def _work(self, hosted: Hosted) -> None:
        started = time.monotonic()
        hosted.work(started + SLICE_S)
        self._seconds += time.monotonic() - started

    def _obey(self, wish: Wish | None) -> None:
        if wish is None or wish is self._wish:
            return
        if self._wish is None:
            # What a host before this one has done is not asked for again.
            self._steps = wish.done
        if wish.checkpoint is not None and not self._moved:
            self._begin(replace(self._order, checkpoint=pickle.loads(wish.checkpoint)))
            self._moved, self._steps = True, wish.done
        self._hosted.paused = wish.paused
        self._hosted.due = self._hosted.due + wish.steps - self._steps if wish.paused else 0
        self._steps = wish.steps
        self._wish = wish

    def _answer(self, *, keep: bool) -> Answer:
        """Everything that the owner has not yet, with the snapshot that belongs to it."""
        run = self._hosted.run
        new = self._hosted.update(time.monotonic(), keep=False)
        seen = 0 if self._wish is None else self._wish.seen
        self._records = self._records.after(seen) + new.progress
        if not self._records:
            new = replace(new, network=None, observed=None)
        elif not new.progress:
            new = replace(new, network=self._latest.network, observed=self._latest.observed)
        if keep:
            self._kept = run.n_steps
        self._latest = replace(
            new,
            progress=self._records,
            checkpoint=pickle.dumps(run.checkpoint()) if keep else None,
        )
        done = self._steps - self._hosted.due
        return Answer(self._name, self._began, self._latest, done, run.n_steps, self._seconds)
