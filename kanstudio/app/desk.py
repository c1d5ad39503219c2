"""Training as a session sees it: one run at a time, pulled from its worker, never pushed.

A run belongs to the document it started from. However it ends (finished, stopped, not
finite, or because the document is edited) what it learned becomes one history entry.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Literal, Protocol

from kanstudio.app.present import root_mean_square
from kanstudio.app.session import Session
from kanstudio.editor.commands import ApplyTraining
from kanstudio.editor.document import Document, LossRecord
from kanstudio.errors import KanStudioError, TrainingError
from kanstudio.network.forward import evaluate
from kanstudio.network.network import Network
from kanstudio.training.data import Dataset
from kanstudio.training.run import Progress, available_devices
from kanstudio.training.settings import TrainingSettings

State = Literal["idle", "training", "paused", "error"]
RUN_EVERY_S = 0.1
"""Losses, chart and inspector follow a run this often; the canvas follows every tick."""
ERROR_EVERY_S = 0.3
_SETTINGS = {item.name for item in fields(TrainingSettings)}
_WHOLE = {"steps", "batch", "seed", "grid_update_num", "stop_grid_update_step"}


@dataclass(frozen=True)
class Losses:
    """RMSE on training and test samples; None where it is not finite."""

    train: float | None = None
    test: float | None = None


@dataclass(frozen=True)
class Report:
    """What a run came to since it was last asked."""

    progress: tuple[Progress, ...]
    network: Network | None
    state: Literal["running", "finished", "error"]
    message: str = ""


class Run(Protocol):
    """One run in a worker."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def step(self) -> None: ...

    def stop(self) -> None: ...

    def poll(self) -> Report: ...

    def close(self) -> None: ...


Start = Callable[[Network, Dataset, TrainingSettings, bool], Run]
"""Starts a run, paused or not. Raises TrainingError."""


class Desk:
    """Starts, pauses and ends the runs of one session."""

    def __init__(self, session: Session, start: Start) -> None:
        self._session = session
        self._start = start
        self._run: Run | None = None
        self._began_at = 0
        self._records: list[LossRecord] = []
        self._past: tuple[Document, Losses] | None = None
        self._told_at = self._error_at = 0.0
        self._clock = (0.0, 0)
        self._live_error: float | None = None
        self.settings = TrainingSettings(steps=200, learning_rate=None)
        self.wrong: tuple[str, ...] = ()
        self.state: State = "idle"
        self.message = ""
        self.total = 0
        self.rate = 0.0
        session.before_edit = self.settle

    @cached_property
    def devices(self) -> tuple[str, ...]:
        return available_devices()

    # What a person does.

    def train(self) -> None:
        """Start a run, or go on with the paused one."""
        if self.state == "paused" and self._run is not None:
            self.total = max(self.total, self.run_step + 1)
            self._run.resume()
            self._set_state("training")
        elif self._run is None:
            self._begin("training")

    def pause(self) -> None:
        if self.state == "training" and self._run is not None:
            self._run.pause()
            self._set_state("paused")

    def step(self) -> None:
        """One step, then pause; from rest this starts a run."""
        if self.state == "training":
            return
        if self._run is None:
            self._begin("paused")
        if self._run is not None:
            self._run.step()

    def toggle(self) -> None:
        """Space: train, or pause."""
        if self.state == "training":
            self.pause()
        else:
            self.train()

    def stop(self) -> None:
        """End the run and keep what it learned."""
        if self._run is not None:
            words = self.settle()
            self._session.say(words.strip() or "Stopped before the first step")

    def change(self, name: str, value: object) -> None:
        """Take a setting from its field; a bad value is refused with a reason."""
        if name not in _SETTINGS:
            return
        if name == "batch" and value is None:
            value = -1
        if name in _WHOLE and isinstance(value, float) and value == int(value):
            value = int(value)
        changes = {name: value}
        if name == "optimizer":
            # Each optimiser has its own sensible rate.
            changes["learning_rate"] = None
        if name == "device" and value not in self.devices:
            return
        if name == "device" and str(value).startswith("mps"):
            changes["dtype"] = "float32"
        try:
            self.settings = replace(self.settings, **changes)
        except (TrainingError, TypeError) as error:
            self.wrong = (*self.wrong, name)
            self._session.say(str(error), "error")
        else:
            self.wrong = tuple(known for known in self.wrong if known != name)
            if self._run is not None:
                self._session.say("The new setting counts from the next run")
        self._session.tell("settings")

    # What the page reads.

    @property
    def run_step(self) -> int:
        """Steps done in this run."""
        return self._records[-1].step if self._records else 0

    @property
    def steps(self) -> int:
        """Steps since the formula was compiled, this run's among them."""
        return self._session.document.steps + self.run_step

    @property
    def share(self) -> float:
        return min(1.0, self.run_step / self.total) if self._run and self.total else 0.0

    @property
    def losses(self) -> Losses:
        if self._records:
            last = self._records[-1]
            return Losses(last.train, last.test)
        document = self._session.document
        if self._past is None or self._past[0] is not document:
            self._past = document, _losses(document)
        return self._past[1]

    @property
    def max_error(self) -> float | None:
        if self._session.live is None:
            return self._session.document.max_error
        return self._live_error

    def curve(self) -> tuple[list[int], list[float], list[float]]:
        """Steps, training and test losses: the document's, then this run's."""
        past, start = self._session.document.losses, self._session.document.steps
        return (
            [r.step for r in past] + [start + r.step for r in self._records],
            [r.train for r in past] + [r.train for r in self._records],
            [r.test for r in past] + [r.test for r in self._records],
        )

    # What the page calls on a timer.

    def tick(self) -> None:
        """Pull what the run came to since the last tick; cheap while nothing runs."""
        run = self._run
        if run is None:
            return
        report = run.poll()
        self._take(report)
        now = time.monotonic()
        if report.state in ("finished", "error"):
            self._finish(report)
        elif now - self._told_at >= RUN_EVERY_S:
            self._told_at = now
            self._measure_rate(now)
            self._session.tell("run")

    def _take(self, report: Report) -> None:
        self._records += [
            LossRecord(p.step, p.train_loss, p.test_loss) for p in report.progress if not p.message
        ]
        if report.network is None:
            return
        self._session.live = report.network
        now = time.monotonic()
        if now - self._error_at >= ERROR_EVERY_S or self.state == "paused":
            self._error_at = now
            self._live_error = self._session.document.error_of(report.network)
        self._session.tell("network")

    def _measure_rate(self, now: float) -> None:
        then, step = self._clock
        if now - then >= 0.5:
            rate = (self.run_step - step) / (now - then)
            self.rate = rate if self.rate == 0 else 0.6 * self.rate + 0.4 * rate
            self._clock = now, self.run_step

    def _begin(self, state: State) -> None:
        session = self._session
        try:
            self._run = self._start(
                session.document.network, session.document.dataset, self.settings, state == "paused"
            )
        except KanStudioError as error:
            self.message = str(error)
            self._set_state("error")
            session.say(str(error), "error")
            return
        self._records = []
        self.message = ""
        self.total = self.settings.steps
        self.rate = 0.0
        self._clock = time.monotonic(), 0
        self._live_error = session.document.max_error
        self._set_state(state)

    def _set_state(self, state: State) -> None:
        self.state = state
        self._clock = time.monotonic(), self.run_step
        self._session.tell("run", "settings")

    def _finish(self, report: Report) -> None:
        failed = report.state == "error"
        n_steps = self.run_step
        self._close_run()
        self.message = report.message
        self._set_state("error" if failed else "idle")
        if failed:
            self._session.say(report.message, "error")
        else:
            losses = self.losses
            self._session.say(
                f"Trained {n_steps:,} steps · test RMSE {losses.test:.2e}"
                if losses.test is not None
                else f"Trained {n_steps:,} steps"
            )

    def settle(self) -> str:
        """End the run, if there is one, and keep it as a history entry; says so in words."""
        run = self._run
        if run is None:
            if self.state == "error":
                self.state, self.message = "idle", ""
            return ""
        run.stop()
        self._take(run.poll())
        n_steps = self.run_step
        self._close_run()
        self._set_state("idle")
        return f"Training stopped at step {n_steps:,} and kept. " if n_steps else ""

    def _close_run(self) -> None:
        run, network = self._run, self._session.live
        records = tuple(self._records)
        self._run = None
        self._records = []
        self._session.live = None
        if run is not None:
            run.close()
        if network is not None and records:
            self._session.keep_training(ApplyTraining(network, records))

    def close(self) -> None:
        """The session ends: so does its run."""
        if self._run is not None:
            self._run.close()
            self._run = None


def _losses(document: Document) -> Losses:
    network, data = document.network, document.dataset
    return Losses(
        root_mean_square(document, evaluate(network, data.train_x), test=False),
        root_mean_square(document, evaluate(network, data.test_x), test=True),
    )
