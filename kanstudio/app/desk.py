"""Training as a session sees it: one run at a time, pulled from its worker, never pushed.

A run belongs to the document it started from. However it ends (finished, stopped, not
finite, or because the document is edited) what it learned becomes one history entry.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kanstudio.app import tuning
from kanstudio.app.formula_now import FormulaNow, LiveFormula
from kanstudio.app.present import plural, root_mean_square
from kanstudio.app.refusal import Refusal
from kanstudio.app.session import LIVE_SAMPLES, Session, View, view_of
from kanstudio.editor.commands import ApplyTraining
from kanstudio.editor.document import Document, LossRecord
from kanstudio.editor.history import History
from kanstudio.errors import KanStudioError, TrainingError
from kanstudio.network.forward import evaluate
from kanstudio.network.network import FloatArray, Network
from kanstudio.training.handle import RunHandle, RunStatus, Trainer
from kanstudio.training.settings import TrainingSettings

State = Literal["idle", "training", "paused", "error"]
PATIENT_S = 2.0
"""Without a first step for so long, people are told why."""
WAITING = "Getting ready: the first run after an installation compiles its kernel, up to a minute"
RUN_EVERY_S = 0.1
"""Losses, chart and inspector follow a run this often; the canvas follows every tick."""
OBSERVED_SAMPLES = 1_000
"""Test samples on which a moving network is held against the formula."""


@dataclass(frozen=True)
class Losses:
    """RMSE on training and test samples; None where it is not finite."""

    train: float | None = None
    test: float | None = None


@dataclass(frozen=True)
class Observed:
    """What a worker says about a snapshot, so that the server need not compute it."""

    view: View
    max_error: float | None
    formula: FormulaNow


def observe(
    network: Network,
    samples: FloatArray,
    test_x: FloatArray,
    expected: FloatArray | None,
    live: LiveFormula,
) -> Observed:
    """Measure a snapshot; runs in the worker.

    expected: the typed formula on test_x, if there is one. live: what the run's observations
    have in common.
    """
    error = None
    if expected is not None:
        difference = np.abs(evaluate(network, test_x) - expected)[np.isfinite(expected)]
        error = float(difference.max()) if difference.size else None
    return Observed(view_of(network, samples), error, live.of(network, samples))


class Desk:
    """Starts, pauses and ends the runs of one session."""

    def __init__(self, session: Session, runner: Callable[[], Trainer]) -> None:
        self._session = session
        self._refusal = Refusal(session)
        self._runner = runner
        self._run: RunHandle | None = None
        self._records: list[LossRecord] = []
        self._past: tuple[Document, Losses] | None = None
        self._counting: tuple[tuple[object, ...], TrainingSettings] | None = None
        self._told_at = 0.0
        self._clock = (0.0, 0)
        self._begun = math.inf
        self._live_error: float | None = None
        self.settings = TrainingSettings(steps=tuning.STEPS["Adam"])
        self.wrong: tuple[str, ...] = ()
        self.state: State = "idle"
        self.message = ""
        self.note = ""
        self.total = 0
        self.rate = 0.0
        session.before_edit = self.settle

    @property
    def devices(self) -> tuple[str, ...]:
        """What runs may name; where there can be none, ``train`` says why."""
        try:
            return self._runner().devices()
        except KanStudioError:
            return ("cpu",)

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
        if not tuning.is_field(name) or (name == "device" and value not in self.devices):
            return
        before = self.settings
        try:
            self.settings = tuning.changed(before, name, value)
        except (TrainingError, TypeError) as error:
            self.wrong = (*(known for known in self.wrong if known != name), name)
            words = tuning.why_refused(before, self.counting, name, error)
            self._refusal.say(words, name)
        else:
            # A field whose value another one has changed is right again, too.
            right = {name} | tuning.differing(before, self.settings)
            self.wrong = tuple(known for known in self.wrong if known not in right)
            for field in right:
                self._refusal.take_back(field)
            if self._run is not None:
                self._session.say("The new setting counts from the next run")
        self._session.tell("settings")

    # What the page reads.

    @property
    def counting(self) -> TrainingSettings:
        """The settings with the optimiser that "auto" takes for the document."""
        document = self._session.document
        key = self.settings, document.network, document.dataset
        known = self._counting
        if known is None or any(a is not b for a, b in zip(known[0], key, strict=True)):
            known = self._counting = key, tuning.counting(*key)
        return known[1]

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
        status = run.poll()
        self._take(status)
        now = time.monotonic()
        self._say_waiting(now)
        if status.state in ("finished", "error"):
            self._finish(status)
        elif now - self._told_at >= RUN_EVERY_S:
            self._told_at = now
            self._measure_rate(now)
            self._session.tell("run")

    def _take(self, status: RunStatus) -> None:
        self._records += [
            LossRecord(p.step, p.train_loss, p.test_loss)
            for p in status.progress
            if math.isfinite(p.train_loss) and math.isfinite(p.test_loss)
        ]
        self._say_notes(status)
        if status.network is None:
            return
        observed = status.observed if isinstance(status.observed, Observed) else None
        self._live_error = observed.max_error if observed else None
        if observed is None:
            self._session.follow(status.network)
        else:
            self._session.follow(status.network, observed.view, observed.formula)

    def _say_notes(self, status: RunStatus) -> None:
        """Say what happened on the way, such as a step that was undone; each thing once."""
        if status.state not in ("running", "paused"):
            return
        notes = [(p.message, f"Step {p.step:,}: {p.message}") for p in status.progress]
        for note, words in [*notes, (status.message, status.message)]:
            if note and note != self.note:
                self.note = note
                self._session.say(words)

    def _say_waiting(self, now: float) -> None:
        """Say once what a run waits for that has not taken its first step."""
        if self.state == "training" and not self._records and now - self._begun >= PATIENT_S:
            self._begun = math.inf
            self._session.say(WAITING)

    def _measure_rate(self, now: float) -> None:
        then, step = self._clock
        if now - then >= 0.5:
            rate = (self.run_step - step) / (now - then)
            self.rate = rate if self.rate == 0 else 0.6 * self.rate + 0.4 * rate
            self._clock = now, self.run_step

    def _begin(self, state: State) -> None:
        session = self._session
        document = session.document
        test_x = document.dataset.test_x[:OBSERVED_SAMPLES]
        expected = document.function(test_x) if document.function else None
        try:
            self._run = self._runner().start(
                document.network,
                document.dataset,
                self.settings,
                paused=state == "paused",
                observer=observe,
                arguments=(
                    document.dataset.train_x[:LIVE_SAMPLES],
                    test_x,
                    expected,
                    LiveFormula(),
                ),
            )
        except KanStudioError as error:
            self.message = str(error)
            self._set_state("error")
            session.say(str(error), "error")
            return
        session.forget_undone()
        self._records = []
        self.message = self.note = ""
        self.total = self.settings.steps
        self.rate = 0.0
        self._begun = time.monotonic()
        self._clock = self._begun, 0
        self._live_error = session.document.max_error
        self._set_state(state)

    def _set_state(self, state: State) -> None:
        self.state = state
        self._session.running = self._run is not None
        self._clock = time.monotonic(), self.run_step
        self._session.tell("run", "settings")

    def _finish(self, status: RunStatus) -> None:
        failed = status.state == "error"
        n_steps = self.run_step
        self._close_run("error" if failed else "idle", status.message)
        if failed:
            self._session.say(status.message, "error")
        else:
            losses = self.losses
            test = "" if losses.test is None else f" · test RMSE {losses.test:.2e}"
            note = f" · {status.message}" if status.message else ""
            self._session.say(f"Trained {plural(n_steps, 'step')}{test}{note}")

    def settle(self) -> str:
        """End the run, if there is one, and keep it as a history entry; says so in words."""
        run = self._run
        if run is None:
            if self.state == "error":
                self.state, self.message = "idle", ""
            self.note = ""
            return ""
        run.stop()
        self._take(run.poll())
        n_steps = self.run_step
        self._close_run("idle")
        return f"Training stopped at step {n_steps:,} and kept. " if n_steps else ""

    def _close_run(self, state: State, message: str = "") -> None:
        # All of this before anybody is told: no view may see the half of it.
        self.state, self.message, self.note = state, message, message
        run, network = self._run, self._session.live
        records = tuple(self._records)
        self._run = None
        self._records = []
        self._session.live, self._session.running = None, False
        if run is not None:
            run.close()
        if network is not None and records:
            self._session.keep_training(ApplyTraining(network, records))
        self._set_state(state)

    def history(self) -> History:
        """The history as it would be if the run ended now; nothing is ended."""
        history, network = self._session.history, self._session.live
        if network is None or not self._records:
            return history
        return history.do(ApplyTraining(network, tuple(self._records)))

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
