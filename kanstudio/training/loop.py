"""Adam steps one after the other on a device; the host looks at them once per chunk.

A small network's step is hundreds of tiny kernels: to wait for each loss would cost more
than the step. So parameters, moments, samples, rates and a table of results stay on the
device, every shape is fixed, and one step is recorded (a CUDA graph on cuda) and played
for a whole chunk before the results are read. On the CPU and on mps the same steps run
one by one: the same numbers, and what the tests compare with the plain road.

One network has parameters (P,), R networks of one structure (R, P): all steps, those of
one network too, are written for any leading axes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kanstudio.network.network import FloatArray
from kanstudio.training.batches import batch_rows, batch_size
from kanstudio.training.capture import Recorder, Step, recorder
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.objective import TorchObjective
from kanstudio.training.optimizers import Adam
from kanstudio.training.packing import IntArray
from kanstudio.training.progress import Progress, rmse
from kanstudio.training.schedule import Best, rate_at
from kanstudio.training.settings import TrainingSettings
from kanstudio.training.stream import Feed

MIN_STEPS, MAX_STEPS = 8, 256
"""The longest chunk; the least of it has room for the steps before a recording."""
MAX_INDICES = 2**24
"""The most indices of batches that a chunk holds on the device."""

PARAMS, SAFE, MEAN, SQUARE, BEST = range(5)
"""Rows of the state: parameters, those before the last step, Adam's moments, the best."""
MSE, REG, FINITE, TEST, BETTER = range(5)
"""Columns of the results of a step; see DeviceLoop._step."""


class Taken(NamedTuple):
    """Steps of one run.

    at: where it stands after them. progress: what they came to. whole: they are as many as
    were asked for; else the next one would not have been finite.
    """

    at: Checkpoint
    progress: tuple[Progress, ...]
    whole: bool


class DeviceLoop:
    """Steps of one run, or of R runs on networks of one structure.

    objective: of one network, or of R. settings: of each run; they may differ in seed,
    learning rate, schedule, lamb and its parts. n_train: number of training samples.
    alone: one network without a leading axis. feed: of a stream, where the batches come
    from; a chunk ends before the last step of its window. record: how steps are recorded;
    None for what suits the device.
    """

    def __init__(
        self,
        objective: TorchObjective,
        settings: Sequence[TrainingSettings],
        n_train: int,
        size: int,
        *,
        alone: bool,
        feed: Feed | None = None,
        record: Recorder | None = None,
    ) -> None:
        first = settings[0]
        self._objective, self._settings, self._n_train = objective, settings, n_train
        self._lead = () if alone else (len(settings),)
        self._device = torch.device(first.device)
        self._record = recorder(self._device) if record is None else record
        # Adam's own numbers stay in float64, as on the host, wherever there is one.
        self._exact = torch.float32 if self._device.type == "mps" else torch.float64
        self._batch = batch_size(first, n_train)
        self._one_seed = len({item.seed for item in settings}) == 1
        self._keeps_best = any(item.stops_after for item in settings)
        batches = 1 if self._one_seed else len(settings)
        room = MAX_INDICES // ((self._batch or 1) * batches)
        self.capacity = min(MAX_STEPS, max(room, MIN_STEPS))
        self._allocate(size)
        self._lamb: float | Tensor = first.lamb
        if not alone:
            self._lamb = self._tensor(np.array([item.lamb for item in settings]))
        self._feed = feed
        self._held: list[Checkpoint | None] = [None] * len(settings)
        self.seconds = 0.0
        """What the steps of the last chunk took, without a recording before them."""
        self._play: Step | None = None

    def _allocate(self, size: int) -> None:
        n_rows = BEST + 1 if self._keeps_best else BEST
        n, lead = self.capacity, self._lead
        self._state = self._zeros(n_rows, *lead, size)
        self._best_loss = self._zeros(*lead)
        self._rates = self._zeros(n, 2, *lead)
        self._results = self._zeros(n, BETTER + 1, *lead)
        self._live = self._zeros(n, *lead)
        self._slot = torch.zeros(1, dtype=torch.int64, device=self._device)
        places = torch.arange(n, device=self._device)
        self._places = places.reshape(n, *(1 for _ in (0, *lead)))
        self._rows: Tensor | None = None
        if self._batch is not None:
            shape = (n, *(() if self._one_seed else lead), self._batch)
            self._rows = torch.zeros(shape, dtype=torch.int64, device=self._device)

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, dtype=self._exact, device=self._device)

    def _tensor(self, values: FloatArray) -> Tensor:
        return torch.tensor(values, dtype=self._exact, device=self._device)

    # --- on the device ------------------------------------------------------------------

    def _step(self) -> None:
        """One step of all networks, and its results into the next row of the table.

        Nothing here may ask for a value, make a tensor of numbers of the host, or depend
        on either: it is recorded once and played for every step.
        """
        state, (step_size, scale) = self._state, self._next(self._rates).unsqueeze(-1)
        params, mean, square = state[PARAMS], state[MEAN], state[SQUARE]
        mse, reg, gradient = self._gradient(params)
        clip = self._settings[0].clip
        if clip is not None:
            gradient = clipped(gradient, clip)
        mean = mean + (1 - Adam.BETA1) * (gradient - mean)
        square = square + (1 - Adam.BETA2) * (gradient * gradient - square)
        moved = params - step_size * mean / (scale * square.sqrt() + Adam.EPSILON)
        with torch.no_grad():
            test = self._objective.test_loss(moved.to(self._objective.dtype)).to(self._exact)
        finite = gradient.isfinite().all(dim=-1) & moved.isfinite().all(dim=-1)
        new, better = [moved, params, mean, square], torch.zeros_like(test)
        live = self._next(self._live) > 0
        if self._keeps_best:
            loss = test.sqrt()
            lower = loss < self._best_loss - self._settings[0].min_delta
            better = lower.to(self._exact)
            new.append(torch.where(lower.unsqueeze(-1), moved, state[BEST]))
            live_loss = torch.where(lower & live, loss, self._best_loss)
            self._best_loss.copy_(live_loss)
        state.copy_(torch.where(live.unsqueeze(-1), torch.stack(new), state))
        results = torch.stack([mse, reg, finite.to(self._exact), test, better])
        # Not by index_copy: this is the same on every device, deterministic or not.
        here = self._places == self._slot
        self._results.copy_(torch.where(here, results, self._results))
        self._slot.add_(1)

    def _next(self, table: Tensor) -> Tensor:
        return table.index_select(0, self._slot)[0]

    def _gradient(self, params: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean squared error, regulariser, and the gradient of mse + lamb * reg."""
        samples = self._objective.train
        if self._rows is not None:
            samples = samples.rows(self._next(self._rows))
        flat = params.to(self._objective.dtype).detach().requires_grad_()
        with torch.enable_grad():
            mse, reg = self._objective.losses(flat, samples)
            total = (mse + self._lamb * reg).sum()
        gradient = torch.zeros_like(flat)
        if total.requires_grad:
            (gradient,) = torch.autograd.grad(total, flat)
        return mse.detach().to(self._exact), reg.detach().to(self._exact), gradient.to(self._exact)

    # --- between host and device ----------------------------------------------------------

    def take(self, starts: Sequence[Checkpoint], counts: Sequence[int]) -> list[Taken]:
        """So many steps (0 to capacity) of each run from where it stands.

        If a step of a run is not finite, that run ends before it. Runs that take steps
        have to stand at the same step where they share their batches.
        """
        results = self._run(starts, counts)
        good = [_leading_finite(results[:n, :, i]) for i, n in enumerate(counts)]
        if good != list(counts):
            # Once more from the start, as far as all is well: no step is kept to go back to.
            self._run(starts, good)
        state = self._state.cpu().double().numpy().reshape(len(self._state), len(counts), -1)
        taken = [
            self._taken(start, results[:n, :, i], state[:, i], n == count)
            for i, (start, n, count) in enumerate(zip(starts, good, counts, strict=True))
        ]
        self._held = [item.at for item in taken]
        return taken

    def _run(self, starts: Sequence[Checkpoint], counts: Sequence[int]) -> FloatArray:
        """The results (steps, columns, runs)."""
        n_steps = max(counts)
        self._fill(starts, counts, n_steps)
        if self._play is None and n_steps:
            # Recording runs steps, on whatever the state holds.
            self._slot.zero_()
            # What waits for the host cannot be recorded.
            waits = self._objective.waits
            self._play = self._step if waits else self._record(self._step)
            self._held = [None] * len(starts)
        self._load(starts)
        self._slot.zero_()
        begun = time.perf_counter()
        for _ in range(n_steps):
            assert self._play is not None
            self._play()
        # Whatever happens now, the state is no longer that of the starts.
        self._held = [None] * len(starts)
        results: FloatArray = self._results[:n_steps].cpu().double().numpy()
        self.seconds = time.perf_counter() - begun
        return results.reshape(n_steps, BETTER + 1, len(starts))

    def _load(self, starts: Sequence[Checkpoint]) -> None:
        if all(held is start for held, start in zip(self._held, starts, strict=True)):
            return
        state = np.stack([self._rows_of(start) for start in starts], axis=1)
        losses = np.array([math.inf if at.best is None else at.best.loss for at in starts])
        self._write(self._state, state)
        self._write(self._best_loss, losses)

    def _rows_of(self, at: Checkpoint) -> FloatArray:
        rows = [at.params, at.safe, at.memory["mean"], at.memory["square"]]
        if self._keeps_best:
            rows.append(at.params if at.best is None else at.best.params)
        return np.stack(rows)

    def _fill(self, starts: Sequence[Checkpoint], counts: Sequence[int], n_steps: int) -> None:
        """Rates, batches and who takes part, for the steps of a chunk."""
        table = np.zeros((n_steps, 2, len(starts)))
        live = np.arange(n_steps)[:, None] < np.array(counts)
        known: dict[object, FloatArray] = {}
        for i, (start, chosen) in enumerate(zip(starts, self._settings, strict=True)):
            key = _rate_key(start, chosen)
            if key not in known:
                known[key] = rates(start, chosen, n_steps)
            table[:, :, i] = known[key]
        self._write(self._rates, table)
        self._write(self._live, live)
        if self._rows is not None:
            self._write(self._rows, self._indices(starts, counts, n_steps))

    def _indices(
        self, starts: Sequence[Checkpoint], counts: Sequence[int], n_steps: int
    ) -> NDArray[np.int64]:
        runs = range(len(starts))
        if self._one_seed:
            runs = range(longest := int(np.argmax(counts)), longest + 1)
        drawn = [[self._batch_of(i, starts[i], k) for i in runs] for k in range(n_steps)]
        return np.array(drawn, dtype=np.int64)

    def _batch_of(self, run: int, start: Checkpoint, ahead: int) -> IntArray | None:
        if self._feed is not None:
            return self._feed.rows(0, start.n_used + ahead)
        return batch_rows(self._settings[run], self._n_train, start.n_steps + ahead)

    @staticmethod
    def _write(table: Tensor, values: NDArray[np.generic]) -> None:
        part = table[: len(values)] if table.ndim else table
        part.copy_(torch.tensor(values, dtype=part.dtype).reshape(part.shape))

    def _taken(
        self, start: Checkpoint, results: FloatArray, state: FloatArray, whole: bool
    ) -> Taken:
        """A run after these results (steps, columns), with its rows of the state."""
        if not len(results):
            return Taken(start, (), whole)
        plateau, progress = start.plateau, []
        for k, row in enumerate(results.tolist()):
            reg = row[REG] if start.settings.lamb else 0.0
            step = Progress(start.n_steps + k + 1, rmse(row[MSE]), rmse(row[TEST]), reg)
            plateau = plateau.after(start.settings, step.test_loss)
            progress.append(step)
        count = start.memory["count"] + len(results)
        at = replace(
            start,
            n_steps=start.n_steps + len(results),
            n_used=start.n_used + (0 if self._feed is None else len(results)),
            params=state[PARAMS].copy(),
            safe=state[SAFE].copy(),
            memory={"mean": state[MEAN].copy(), "square": state[SQUARE].copy(), "count": count},
            plateau=plateau,
            best=_best(start, progress, results[:, BETTER], state),
        )
        return Taken(at, tuple(progress), whole)


def _best(
    start: Checkpoint, progress: Sequence[Progress], better: FloatArray, state: FloatArray
) -> Best | None:
    """After these steps, of which the device says which were better than all before."""
    if not start.settings.stops_after:
        return None
    lower = np.flatnonzero(better)
    if not len(lower):
        best = start.best
        return None if best is None else replace(best, waited=best.waited + len(progress))
    last = int(lower[-1])
    waited = len(progress) - 1 - last
    step = progress[last]
    return Best(start.network, state[BEST].copy(), step.test_loss, step.step, waited)


def _rate_key(start: Checkpoint, settings: TrainingSettings) -> object:
    """What the rates of a chunk depend on."""
    plain = replace(settings, seed=0, lamb=0.0)
    return plain, start.n_steps, start.slowdown, start.plateau, float(start.memory["count"])


def rates(start: Checkpoint, settings: TrainingSettings, n_steps: int) -> FloatArray:
    """(steps, 2): what Adam multiplies the mean and the root of the square with."""
    rows = []
    for k in range(n_steps):
        rate = start.slowdown * rate_at(settings, start.n_steps + k, start.plateau)
        rows.append(Adam.factors(rate, float(start.memory["count"]) + k + 1))
    return np.array(rows).reshape(n_steps, 2)


def _leading_finite(results: FloatArray) -> int:
    """How many steps from the first on are finite: results (steps, columns)."""
    finite = np.isfinite(results[:, [MSE, REG, TEST]]).all(axis=1) & (results[:, FINITE] == 1)
    return len(finite) if finite.all() else int(np.argmin(finite))


def clipped(gradient: Tensor, limit: float) -> Tensor:
    """`optimizers.clipped` for gradients (..., P) on a device."""
    infinite = gradient.isinf()
    rest = torch.where(gradient.isnan(), gradient, 0.0)
    signs = torch.where(infinite, gradient.sign(), rest)
    gradient = torch.where(infinite.any(dim=-1, keepdim=True), signs, gradient)
    largest = gradient.abs().amax(dim=-1, keepdim=True)
    shares = gradient / largest
    norm = largest * torch.linalg.vector_norm(shares, dim=-1, keepdim=True)
    too_long = (largest > 0) & ~(norm <= limit)
    return torch.where(too_long, shares * (limit * largest / norm), gradient)
