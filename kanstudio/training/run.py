"""A training run: a stream of small progress records, and a snapshot when asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np

from kanstudio.errors import TrainingError
from kanstudio.network.network import FloatArray, Network
from kanstudio.network.outside import Outside, outside
from kanstudio.training.batches import batch_rows
from kanstudio.training.checkpoint import Checkpoint, best_after
from kanstudio.training.checks import check_run
from kanstudio.training.choice import choose_for, make_optimizer
from kanstudio.training.chunks import Chunks, with_message
from kanstudio.training.data import Dataset
from kanstudio.training.jacobian import Linearizer
from kanstudio.training.kernel import KernelObjective, supports
from kanstudio.training.loop import DeviceLoop, Taken
from kanstudio.training.memory import OutOfMemory, out_of_memory
from kanstudio.training.objective import LossFunction, Objective, TorchObjective
from kanstudio.training.optimizers import Step
from kanstudio.training.packing import IntArray, packing
from kanstudio.training.problem import StepProblem, calmed, is_finite, is_good
from kanstudio.training.progress import Progress, rmse
from kanstudio.training.regrid import moved_grid
from kanstudio.training.schedule import rate_at
from kanstudio.training.settings import TrainingSettings
from kanstudio.training.stream import Feed, Stream

Backend = Literal["auto", "kernel", "torch", "chunked", "shared"]
State = Literal["running", "finished", "error"]

MAX_TRIES = 8
OTHER_BATCHES = 3
"""So many batches may have a loss that is not finite before the step is to blame."""


class TrainingRun(Iterator[Progress]):
    """Trains a copy of a network; iterate, or call step.

    >>> run = TrainingRun(network, dataset, TrainingSettings(steps=100))
    >>> losses = [progress.train_loss for progress in run]
    >>> trained = run.network()

    dataset: a Dataset, or a Stream of batches for what does not fit into memory.
    n_steps: steps taken before, of a run that goes on; settings.steps counts them as well.
    loss_fn: a loss of the caller's instead of the mean squared error, in torch; its square
    root is what is reported.
    backend: "kernel" is compiled code on the CPU, "torch" autograd step by step, "chunked"
    the same in chunks of steps that stay on the device (Adam only; see ``training.loop``).
    "auto" takes the kernel where it can, chunks for Adam on cuda and mps, else torch.
    "shared" is for a run among many, whose steps another takes (``training.batched``): no
    chunks, and nothing is made before it is needed.

    The same arguments give the same numbers, bit for bit, on the CPU. Raises
    TrainingError or DataError if network, data and settings do not fit together. After
    an edit of the structure, start a new run.
    """

    def __init__(
        self,
        network: Network,
        dataset: Dataset | Stream,
        settings: TrainingSettings,
        *,
        backend: Backend = "auto",
        n_steps: int = 0,
        loss_fn: LossFunction | None = None,
    ) -> None:
        layout = packing(network, affine_trainable=settings.affine_trainable)
        chosen = choose_for(dataset, settings, layout.size, least_squares=loss_fn is None)
        params = layout.pack(network)
        memory = make_optimizer(chosen).start(layout.size)
        self._begin(
            Checkpoint(chosen, n_steps, network, params, params, memory), dataset, backend, loss_fn
        )
        if chosen.stops_after:
            self._look_at_the_start()
            if backend == "shared":
                self.rest()

    @classmethod
    def resume(
        cls,
        checkpoint: Checkpoint,
        dataset: Dataset | Stream,
        *,
        steps: int | None = None,
        backend: Backend = "auto",
        loss_fn: LossFunction | None = None,
    ) -> TrainingRun:
        """Go on from a checkpoint with the same data, exactly as if there had been no break.

        steps: another total number of steps; None keeps that of the settings. Backend and
        loss function are those of the first run, if they are to count the same.
        """
        settings = checkpoint.settings
        if steps is not None:
            settings = replace(settings, steps=steps)
        run = cls.__new__(cls)
        run._begin(replace(checkpoint, settings=settings), dataset, backend, loss_fn)
        return run

    def _begin(
        self,
        start: Checkpoint,
        source: Dataset | Stream,
        backend: Backend,
        loss_fn: LossFunction | None,
    ) -> None:
        self._feed: Feed | None = None
        if isinstance(source, Stream):
            self._feed = Feed(source, start.settings, start.n_read, start.n_used)
            source = self._feed.window
        check_run(start.network, source, start.settings, least_squares=loss_fn is None)
        self.state: State = "running"
        self.message = ""
        self._at = start
        self._dataset = source
        self._loss_fn = loss_fn
        self._use_kernel = (
            backend in ("auto", "kernel", "shared")
            and loss_fn is None
            and supports(start.network, start.settings)
        )
        if backend == "kernel" and not self._use_kernel:
            raise TrainingError("the compiled kernel does not cover this run; use torch")
        self._optimizer = make_optimizer(start.settings)
        self._made: Objective | None = None
        self._samples_of: TorchObjective | None = None
        self._chunks: Chunks | None = None
        if backend != "shared":
            with out_of_memory("before the first step"):
                self._made = self._make_objective(start.network)
                self._chunks = self._make_chunks(backend)
        self._linearizer: Linearizer | None = None
        self._end_if_due()

    def _look_at_the_start(self) -> None:
        """For early stopping: training may find nothing better."""
        at = self._at
        with out_of_memory("before the first step"), np.errstate(over="ignore", invalid="ignore"):
            loss = rmse(self._objective.test_mse(at.params))
        self._at = replace(at, best=best_after(at, at.params, loss, at.n_steps))

    @property
    def _objective(self) -> Objective:
        if self._made is None:
            self._made = self._make_objective(self._at.network)
        return self._made

    def rest(self, samples: TorchObjective | None = None) -> None:
        """Free what was made for steps; steps to come shall take the samples of this one."""
        self._made, self._linearizer, self._samples_of = None, None, samples

    def _make_chunks(self, backend: Backend) -> Chunks | None:
        possible = self.settings.optimizer == "Adam" and self._feed is None
        if backend == "chunked" and not possible:
            raise TrainingError("chunked steps are for Adam on samples in memory; use torch")
        wanted = backend == "chunked" or (backend == "auto" and self.settings.device != "cpu")
        return Chunks(self._make_loop()) if possible and wanted else None

    def _make_loop(self) -> DeviceLoop:
        assert isinstance(self._objective, TorchObjective)
        return DeviceLoop(
            self._objective, [self.settings], self._dataset.n_train, len(self._at.params),
            alone=True,
        )  # fmt: skip

    @property
    def settings(self) -> TrainingSettings:
        """The settings, with the optimiser that "auto" picked."""
        return self._at.settings

    @property
    def n_steps(self) -> int:
        """Steps taken, those before this run as well."""
        return self._at.n_steps - (0 if self._chunks is None else self._chunks.n_waiting)

    @property
    def settled(self) -> bool:
        """True where a look at the run is free; inside a chunk it repeats some steps."""
        return self.n_steps == self._at.n_steps

    @property
    def finished(self) -> bool:
        """True once there is nothing more to do; failed runs are finished, too."""
        return self.state != "running" and self.settled

    @property
    def failed(self) -> bool:
        """True if the loss ceased to be finite; see message."""
        return self.state == "error"

    def checkpoint(self) -> Checkpoint:
        """Where the run stands; a value that stays as it is while the run goes on."""
        self._settle()
        return self._at

    def _settle(self) -> None:
        """Take back the steps of a chunk that nobody has been told of."""
        at = None if self._chunks is None else self._chunks.settle()
        if at is not None:
            self._at, self.state, self.message = at, "running", ""

    def network(self) -> Network:
        """A snapshot; the run goes on without touching it.

        At the end of a run with early stopping it is the one with the lowest test loss.
        """
        at = self.checkpoint()
        network, params = at.network, at.params
        if self.state == "finished" and self.settings.stops_after and at.best is not None:
            network, params = at.best.network, at.best.params
        affine = self.settings.affine_trainable
        return packing(network, affine_trainable=affine).unpack(network, params)

    def losses(self) -> Progress:
        """The losses where the run stands, without a step."""
        self._settle()
        with np.errstate(over="ignore", invalid="ignore"):
            found = self._objective.evaluate(self._at.params)
            test = self._objective.test_mse(self._at.params)
        return Progress(self.n_steps, rmse(found.mse), rmse(test), found.reg)

    def __iter__(self) -> TrainingRun:
        return self

    def __next__(self) -> Progress:
        if self.finished:
            raise StopIteration
        return self.step()

    def step(self) -> Progress:
        """One step of the optimiser; beyond settings.steps it simply goes on.

        A step after which anything is not finite is undone and tried again with a learning
        rate (or damping) that is ten times more careful. After a few tries the run fails:
        the network stays at its last good state, and the record says why.
        """
        if self.failed:
            raise TrainingError(f"this run has ended: {self.message}")
        before = self._at, self._made
        try:
            with out_of_memory(f"in step {self.n_steps + 1}; the network is as it was before"):
                return self._step()
        except OutOfMemory as error:
            self._at, self._made = before
            return self._end_badly(str(error))

    def _step(self) -> Progress:
        chunks = self._chunks
        if chunks is not None and chunks.n_waiting:
            return chunks.tell()
        self.update_grid_if_due()
        if chunks is not None:
            chunks.wait(self.accept(chunks.take(self._at)))
            if chunks.n_waiting:
                return chunks.tell()
        return self._single_step()

    def update_grid_if_due(self) -> None:
        """Move the knots, if the settings say so before the next step."""
        if self.settings.updates_grid_at(self.n_steps):
            self._update_grid()

    def accept(self, taken: Taken) -> tuple[Progress, ...]:
        """Steps that a loop has taken from where the run stands; what they came to."""
        self._at = taken.at
        if taken.progress:
            self._end_if_due()
        return with_message(taken.progress, self.message)

    def _single_step(self) -> Progress:
        at, note = self._at, ""
        for attempt in range(MAX_TRIES):
            rows = self._rows(at.n_steps, attempt)
            batches = OTHER_BATCHES - attempt if rows is not None else 0
            step, test_mse = self._try(at, rows)
            if is_finite(step.evaluation) and is_good(test_mse, step.params):
                return self._accept(at, step, test_mse, note)
            calmer = calmed(self._optimizer, at, step, batches)
            if calmer is None:
                break
            at, note = calmer
        self._at = replace(self._at, params=self._at.safe)
        return self._end_badly(
            f"the loss was not finite in step {self.n_steps + 1}; the step is undone. "
            "Try a smaller learning rate or other ranges."
        )

    def _try(self, at: Checkpoint, rows: IntArray | None) -> tuple[Step, float]:
        """A step from ``at`` and the mean squared error on the test samples after it."""
        if self._linearizer is None and self.settings.optimizer == "LM":
            self._linearizer = Linearizer(at.network, self._dataset, self.settings)
        problem = StepProblem(self._objective, self._linearizer, rows)
        rate = at.slowdown * rate_at(self.settings, at.n_steps, at.plateau)
        # Overflow is no surprise here: the step that makes it is undone.
        with np.errstate(over="ignore", invalid="ignore"):
            step = self._optimizer.step(at.memory, at.params, problem, rate)
            return step, self._objective.test_mse(step.params)

    def _accept(self, at: Checkpoint, step: Step, test_mse: float, note: str) -> Progress:
        test_loss = rmse(test_mse)
        # Adam's evaluation is of the parameters before its step.
        safe = at.params if self.settings.optimizer == "Adam" else step.params
        self._at = replace(
            at,
            n_steps=at.n_steps + 1,
            params=step.params,
            safe=safe,
            memory=step.memory,
            plateau=at.plateau.after(self.settings, test_loss),
            best=best_after(at, step.params, test_loss, at.n_steps + 1),
        )
        self._advance()
        self._end_if_due()
        evaluation = step.evaluation
        return Progress(
            self.n_steps, rmse(evaluation.mse), test_loss, evaluation.reg, note or self.message
        )

    def _advance(self) -> None:
        """Past the samples that a step has used."""
        feed = self._feed
        if feed is None:
            return
        if feed.advance():
            self._dataset = feed.window
            self._made, self._linearizer = self._make_objective(self._at.network), None
        self._at = replace(self._at, n_read=feed.n_read, n_used=feed.n_used)

    def _end_if_due(self) -> None:
        best = self._at.best
        notes = []
        if best is not None and 0 < self.settings.stops_after <= best.waited:
            notes.append(best.note)
        elif self.n_steps < self.settings.steps:
            return
        self.state = "finished"
        share = max((edge.share for edge in self.outside().values()), default=0.0)
        if share:
            notes.append(f"{share:.1%} of the samples lie outside the domain of a function")
        self.message = "; ".join(notes)

    def outside(self) -> dict[str, Outside]:
        """Edges whose functions meet training samples outside their domains, and the shares."""
        return outside(self.network(), self._dataset.train_x)

    def _end_badly(self, message: str) -> Progress:
        self.state, self.message = "error", message
        return Progress(self.n_steps + 1, math.nan, math.nan, 0.0, message)

    def _rows(self, step: int, attempt: int) -> IntArray | None:
        """The samples of a step, by the seed and its number alone; None for all."""
        if self._feed is not None:
            return self._feed.rows(attempt)
        return batch_rows(self.settings, self._dataset.n_train, step, attempt)

    def _update_grid(self) -> None:
        rows = self._rows(self.n_steps, 0)
        x = self._dataset.train_x if rows is None else self._dataset.train_x[rows]
        moved = moved_grid(self.network(), x, self.settings.device)
        objective = self._make_objective(moved)
        params = self._packed(moved)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(params).all() and is_finite(objective.evaluate(params, rows)):
                self.take_grid(moved, objective)

    def take_grid(self, moved: Network, objective: Objective | None = None) -> None:
        """Go on with the network as it is on other grids; objective: of that network."""
        at, params = self._at, self._packed(moved)
        self._at = replace(
            at,
            network=moved,
            params=params,
            safe=params,
            memory=self._optimizer.forget(at.memory),
            best=None if at.best is None else replace(at.best, waited=0),
        )
        self._made, self._linearizer = objective, None
        if self._chunks is not None:
            self._chunks.move(self._make_loop())

    def _packed(self, network: Network) -> FloatArray:
        return packing(network, affine_trainable=self.settings.affine_trainable).pack(network)

    def _make_objective(self, network: Network) -> Objective:
        if self._use_kernel:
            return KernelObjective(network, self._dataset, self.settings)
        like = self._made if isinstance(self._made, TorchObjective) else self._samples_of
        if self._feed is not None:
            like = None
        return TorchObjective(network, self._dataset, self.settings, self._loss_fn, like=like)
