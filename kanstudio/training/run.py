"""A training run: a stream of small progress records, and a snapshot when asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from kanstudio.errors import TrainingError
from kanstudio.network.grid import update_grid_from_samples
from kanstudio.network.network import FloatArray, Network
from kanstudio.training.data import Dataset
from kanstudio.training.kernel import KernelObjective, supports
from kanstudio.training.objective import Evaluation, Objective, TorchObjective
from kanstudio.training.optimizers import LBFGS, Adam, Optimizer
from kanstudio.training.packing import IntArray, Packing, packing
from kanstudio.training.settings import DEVICES, TrainingSettings

Backend = Literal["auto", "kernel", "torch"]
State = Literal["running", "finished", "error"]


@dataclass(frozen=True, slots=True)
class Progress:
    """What one step came to.

    step counts from 1; losses are root mean squared errors: train_loss as the optimiser
    saw it (Adam before its step, L-BFGS after), test_loss after the step. reg is the
    regulariser without lamb, 0 if lamb is 0. message is empty unless something happened.
    """

    step: int
    train_loss: float
    test_loss: float
    reg: float = 0.0
    message: str = ""


def available_devices() -> tuple[str, ...]:
    """The devices of this machine, the fastest last; "cpu" is always there."""
    found = ["cpu"]
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return tuple(name for name in DEVICES if name in found)


class TrainingRun(Iterator[Progress]):
    """Trains a copy of a network; iterate, or call step.

    >>> run = TrainingRun(network, dataset, TrainingSettings(steps=100))
    >>> losses = [progress.train_loss for progress in run]
    >>> trained = run.network()

    n_steps: steps taken before, of a run that goes on; settings.steps counts them as well.

    The same arguments give the same numbers, bit for bit, on the CPU. Raises
    TrainingError or DataError if network, data and settings do not fit together. After
    an edit of the structure, start a new run.
    """

    def __init__(
        self,
        network: Network,
        dataset: Dataset,
        settings: TrainingSettings,
        *,
        backend: Backend = "auto",
        n_steps: int = 0,
    ) -> None:
        check_run(network, dataset, settings)
        self.settings = settings
        self.state: State = "running"
        self.message = ""
        self.n_steps = n_steps
        self._network = network
        self._dataset = dataset
        self._use_kernel = backend != "torch" and supports(network, settings)
        if backend == "kernel" and not self._use_kernel:
            raise TrainingError("the compiled kernel does not cover this run; use torch")
        self._packing: Packing = packing(network, affine_trainable=settings.affine_trainable)
        self._rows = np.random.default_rng(settings.seed)
        make = Adam if settings.optimizer == "Adam" else LBFGS
        self._optimizer: Optimizer = make(self._packing.size, settings.rate, settings.lamb)
        self._params: FloatArray = self._packing.pack(network)
        # Parameters at which everything was finite, and the network they belong to.
        self._good = self._network, self._params
        self._objective: Objective = self._make_objective()

    @property
    def finished(self) -> bool:
        """True once there is nothing more to do; failed runs are finished, too."""
        return self.state != "running"

    @property
    def failed(self) -> bool:
        """True if the loss ceased to be finite; see message."""
        return self.state == "error"

    def network(self) -> Network:
        """A snapshot; the run goes on without touching it."""
        return self._packing.unpack(self._network, self._params)

    def rollback(self) -> Network:
        """Back to the last parameters at which every loss was finite; returns them."""
        self._network, self._params = self._good
        self._objective = self._make_objective()
        self._optimizer.forget()
        return self.network()

    def __iter__(self) -> TrainingRun:
        return self

    def __next__(self) -> Progress:
        if self.finished:
            raise StopIteration
        return self.step()

    def step(self) -> Progress:
        """One step of the optimiser; beyond settings.steps it simply goes on.

        If a loss is not finite the step is undone: the network stays as it was, failed
        becomes true and the record says why.
        """
        if self.failed:
            raise TrainingError(f"this run has ended: {self.message}")
        rows = self._batch()
        if self.settings.updates_grid_at(self.n_steps):
            self._update_grid(rows)
        objective = self._objective

        def evaluate(params: FloatArray) -> Evaluation:
            return objective.evaluate(params, rows)

        # Overflow is no surprise here: the step that makes it is undone below.
        with np.errstate(over="ignore", invalid="ignore"):
            params, evaluation = self._optimizer.step(self._params, evaluate)
        test_mse = objective.test_mse(params)
        self.n_steps += 1
        if not (_finite(evaluation) and math.isfinite(test_mse) and np.isfinite(params).all()):
            return self._undo()
        self._params = params
        self._good = self._network, params
        if self.n_steps >= self.settings.steps:
            self.state = "finished"
        return Progress(
            self.n_steps, math.sqrt(evaluation.mse), math.sqrt(test_mse), evaluation.reg
        )

    def _undo(self) -> Progress:
        self.rollback()
        self.state = "error"
        self.message = (
            f"the loss was not finite in step {self.n_steps}; the step is undone. "
            "Try a smaller learning rate or other ranges."
        )
        return Progress(self.n_steps, math.nan, math.nan, 0.0, self.message)

    def _batch(self) -> IntArray | None:
        n_train = self._dataset.n_train
        if self.settings.batch == -1 or self.settings.batch >= n_train:
            return None
        return self._rows.choice(n_train, self.settings.batch, replace=False)

    def _update_grid(self, rows: IntArray | None) -> None:
        x = self._dataset.train_x if rows is None else self._dataset.train_x[rows]
        moved = update_grid_from_samples(self.network(), x)
        params = self._packing.pack(moved)
        if not np.isfinite(params).all():
            return
        self._network, self._params = moved, params
        self._objective = self._make_objective()
        self._optimizer.forget()

    def _make_objective(self) -> Objective:
        make = KernelObjective if self._use_kernel else TorchObjective
        return make(self._network, self._dataset, self.settings)


def _finite(evaluation: Evaluation) -> bool:
    return (
        math.isfinite(evaluation.mse)
        and math.isfinite(evaluation.reg)
        and bool(np.isfinite(evaluation.gradient).all())
    )


def check_run(network: Network, dataset: Dataset, settings: TrainingSettings) -> None:
    """Raise TrainingError if network, data and settings do not fit together."""
    n_inputs, n_outputs = len(network.levels[0]), len(network.levels[-1])
    if (dataset.n_inputs, dataset.n_outputs) != (n_inputs, n_outputs):
        raise TrainingError(
            f"the network maps {n_inputs} inputs to {n_outputs} outputs, "
            f"the samples have {dataset.n_inputs} and {dataset.n_outputs}"
        )
    if network.n_edge == 0 and not settings.affine_trainable:
        raise TrainingError("nothing to train: every edge of this network is absent")
    if settings.device.split(":")[0] not in available_devices():
        raise TrainingError(
            f"there is no device {settings.device} here; there is {', '.join(available_devices())}"
        )


def train(
    network: Network,
    dataset: Dataset,
    settings: TrainingSettings,
    *,
    backend: Backend = "auto",
) -> TrainingRun:
    """Start a run; iterating over it trains. See TrainingRun."""
    return TrainingRun(network, dataset, settings, backend=backend)
