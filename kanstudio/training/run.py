"""A training run: a stream of small progress records, and a snapshot when asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np

from kanstudio.errors import TrainingError
from kanstudio.network.network import Network
from kanstudio.network.outside import Outside, outside
from kanstudio.training.checkpoint import Checkpoint, best_after
from kanstudio.training.choice import choose_for, make_optimizer
from kanstudio.training.chunks import Chunks, Pace, with_message
from kanstudio.training.compiled_loop import CHUNK_S
from kanstudio.training.data import Dataset
from kanstudio.training.loop import Taken
from kanstudio.training.material import Backend, Material
from kanstudio.training.memory import POSSIBLE, lack_of_memory, out_of_memory
from kanstudio.training.objective import LossFunction, Objective, TorchObjective
from kanstudio.training.optimizers import Step
from kanstudio.training.packing import IntArray, packing
from kanstudio.training.problem import calmed, is_finite, is_good
from kanstudio.training.progress import Progress, rmse
from kanstudio.training.regrid import moved_grid
from kanstudio.training.schedule import rate_at
from kanstudio.training.settings import TrainingSettings
from kanstudio.training.stream import Stream

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
    backend: "kernel" is compiled code on the CPU, where Adam's steps on all samples follow one
    another without Python (see ``training.compiled_loop``), "torch" autograd step by step,
    "chunked" the same in chunks of steps that stay on the device (Adam only; see
    ``training.loop``).
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
        self._material = Material(start, source, backend, loss_fn)
        # No step changes the structure, and to find the layout takes as long as a snapshot.
        self._layout = packing(start.network, affine_trainable=start.settings.affine_trainable)
        self.state: State = "running"
        self.message = ""
        self._at = start
        self._optimizer = make_optimizer(start.settings)
        self._chunks: Chunks | None = None
        if backend != "shared":
            with out_of_memory("before the first step"):
                _ = self._material.objective
                self._chunks = self._make_chunks(backend)
        self._end_if_due()

    def _look_at_the_start(self) -> None:
        """For early stopping: training may find nothing better."""
        at = self._at
        with out_of_memory("before the first step"), np.errstate(over="ignore", invalid="ignore"):
            loss = rmse(self._material.objective.test_mse(at.params))
        self._at = replace(at, best=best_after(at, at.params, loss, at.n_steps))

    def _make_chunks(self, backend: Backend) -> Chunks | None:
        possible = self.settings.optimizer == "Adam"
        if backend == "chunked" and not possible:
            raise TrainingError("chunked steps are for Adam; use torch")
        compiled = self._material.has_compiled_steps
        on_device = backend == "auto" and self.settings.device != "cpu"
        if not (possible and (backend == "chunked" or compiled or on_device)):
            return None
        pace = Pace(CHUNK_S, first=1) if compiled else Pace()
        return Chunks(self._material.loop(len(self._at.params)), pace)

    def rest(self, samples: TorchObjective | None = None) -> None:
        """Free what was made for steps; steps to come shall take the samples of this one."""
        self._material.rest(samples)

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
            self._material.stand_at(at)

    def network(self) -> Network:
        """A snapshot; the run goes on without touching it.

        At the end of a run with early stopping it is the one with the lowest test loss.
        """
        at = self.checkpoint()
        network, params = at.network, at.params
        if self.state == "finished" and self.settings.stops_after and at.best is not None:
            network, params = at.best.network, at.best.params
        return self._layout.unpack(network, params)

    def losses(self) -> Progress:
        """The losses where the run stands, without a step."""
        self._settle()
        with np.errstate(over="ignore", invalid="ignore"):
            found = self._material.objective.evaluate(self._at.params)
            test = self._material.objective.test_mse(self._at.params)
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
        before = self._at
        try:
            return self._step()
        except POSSIBLE as error:
            where = f"in step {before.n_steps + 1}; the network is as it was before"
            message = lack_of_memory(error, where)
            if message is None:
                raise
            self._at = before
            self._material.move(before.network)
            return self._end_badly(message)

    def _step(self) -> Progress:
        chunks = self._chunks
        if chunks is not None and chunks.n_waiting:
            return chunks.tell()
        self.update_grid_if_due()
        n_ready = 0 if chunks is None else self._material.n_ready
        if chunks is not None and n_ready:
            chunks.wait(self.accept(chunks.take(self._at, n_ready)))
            if chunks.n_waiting:
                return chunks.tell()
        # Overflow is no surprise here: the step that makes it is undone.
        with np.errstate(over="ignore", invalid="ignore"):
            return self._single_step()

    def update_grid_if_due(self) -> None:
        """Move the knots, if the settings say so before the next step."""
        if self._at.settings.updates_grid_at(self._at.n_steps):
            self._update_grid()

    def accept(self, taken: Taken) -> tuple[Progress, ...]:
        """Steps that a loop has taken from where the run stands; what they came to."""
        self._at = taken.at
        self._material.stand_at(taken.at)
        if taken.progress:
            self._end_if_due()
        return with_message(taken.progress, self.message)

    def _single_step(self) -> Progress:
        at, note = self._at, ""
        for attempt in range(MAX_TRIES):
            rows = self._material.rows(at.n_steps, attempt)
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
        problem = self._material.problem(rows)
        rate = at.slowdown * rate_at(at.settings, at.n_steps, at.plateau)
        step = self._optimizer.step(at.memory, at.params, problem, rate)
        return step, problem.objective.test_mse(step.params)

    def _accept(self, at: Checkpoint, step: Step, test_mse: float, note: str) -> Progress:
        test_loss = rmse(test_mse)
        # Adam's evaluation is of the parameters before its step.
        safe = at.params if at.settings.optimizer == "Adam" else step.params
        self._at = at = at.after(step.params, safe, step.memory, test_loss)
        self._advance()
        self._end_if_due()
        mse, reg, _ = step.evaluation
        return Progress(at.n_steps, rmse(mse), test_loss, reg, note or self.message)

    def _advance(self) -> None:
        """Past the samples that a step has used."""
        self._at, remade = self._material.advance(self._at)
        if remade:
            self._move_chunks()

    def _move_chunks(self) -> None:
        if self._chunks is not None:
            self._chunks.move(self._material.loop(len(self._at.params)))

    def _end_if_due(self) -> None:
        at, notes = self._at, []
        best = at.best
        if best is not None and 0 < at.settings.stops_after <= best.waited:
            notes.append(best.note)
        elif at.n_steps < at.settings.steps:
            return
        self.state = "finished"
        share = max((edge.share for edge in self.outside().values()), default=0.0)
        if share:
            notes.append(f"{share:.1%} of the samples lie outside the domain of a function")
        self.message = "; ".join(notes)

    def outside(self) -> dict[str, Outside]:
        """Edges whose functions meet training samples outside their domains, and the shares."""
        return outside(self.network(), self._material.dataset.train_x)

    def _end_badly(self, message: str) -> Progress:
        self.state, self.message = "error", message
        return Progress(self.n_steps + 1, math.nan, math.nan, 0.0, message)

    def _update_grid(self) -> None:
        rows, x = self._material.rows(self.n_steps, 0), self._material.dataset.train_x
        x = x if rows is None else x[rows]
        moved = moved_grid(self.network(), x, self.settings.device)
        objective = self._material.objective_of(moved)
        params = self._layout.pack(moved)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(params).all() and is_finite(objective.evaluate(params, rows)):
                self.take_grid(moved, objective)

    def take_grid(self, moved: Network, objective: Objective | None = None) -> None:
        """Go on with the network as it is on other grids; objective: of that network."""
        at, params = self._at, self._layout.pack(moved)
        self._at = replace(
            at,
            network=moved,
            params=params,
            safe=params,
            memory=self._optimizer.forget(at.memory),
            best=None if at.best is None else replace(at.best, waited=0),
        )
        self._material.move(moved, objective)
        self._move_chunks()
