"""Many networks of one structure trained at once on one device: seeds as a batch dimension."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch

from kanstudio.errors import TrainingError
from kanstudio.network.network import Network
from kanstudio.training.batches import batch_rows, batch_size
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.chunks import Pace, room
from kanstudio.training.data import Dataset
from kanstudio.training.loop import DeviceLoop
from kanstudio.training.memory import OutOfMemory, out_of_memory
from kanstudio.training.objective import Samples, TorchObjective
from kanstudio.training.packing import packing
from kanstudio.training.progress import Progress
from kanstudio.training.regrid import moved_grids
from kanstudio.training.regulariser import Weights
from kanstudio.training.run import State, TrainingRun
from kanstudio.training.settings import TrainingSettings

Backend = Literal["auto", "chunked", "alone"]
News = list[tuple[Progress, ...]]
"""Per network the records of its new steps, often none."""

SHARED = (
    "optimizer", "reg_metric", "batch", "clip", "patience", "min_delta",
    "singularity_avoiding", "y_th", "affine_trainable", "device", "dtype",
)  # fmt: skip
"""Settings that networks trained at once have in common."""
CHUNK_S = 0.25
MAX_NUMBERS = 50_000_000
"""Features of all samples that a group may have on the CPU or on mps: a few GB in all.
On cuda a group that does not fit is halved."""


class SeedResult(NamedTuple):
    """What became of one network: its losses step by step, and why it ended."""

    network: Network
    progress: tuple[Progress, ...]
    state: State
    message: str


@dataclass
class _Group:
    """Runs that share a loop, by their indices; networks: those that the loop was made for."""

    runs: list[int]
    loop: DeviceLoop | None = None
    networks: Sequence[Network] = ()


class SeedTraining(Iterator[News]):
    """Runs side by side; iterate to train them, a chunk of steps at a time.

    >>> training = SeedTraining(networks, dataset, TrainingSettings(steps=500, device="cuda"))
    >>> for news in training:
    ...     for run, progress in zip(training.runs, news):
    ...         ...
    >>> trained = [run.network() for run in training.runs]

    networks: of one structure (levels, functions, active edges, grid size); what else there
    is in them may differ. settings: one for all, or one for each; these may differ in seed,
    steps, learning rate, schedule, grid updates and regularisation, but not in SHARED.

    Each run gets what it would get alone, but for rounding: a step that is not finite, an
    early stop or a grid update of one does not touch the others. runs (see TrainingRun) can
    be asked for networks and checkpoints between chunks.

    backend: "chunked" is one loop for all (Adam only); "alone" one run after the other;
    "auto" the loop on cuda and mps, where steps are dear to start, and else what is best
    for one run: on the CPU the compiled kernel is some ten times faster than a batch.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        dataset: Dataset,
        settings: TrainingSettings | Sequence[TrainingSettings],
        *,
        backend: Backend = "auto",
    ) -> None:
        each = _settings_of_each(settings, len(networks))
        runs = [
            TrainingRun(network, dataset, chosen, backend="shared")
            for network, chosen in zip(networks, each, strict=True)
        ]
        self._begin(runs, dataset, backend)

    @classmethod
    def resume(
        cls, checkpoints: Sequence[Checkpoint], dataset: Dataset, *, backend: Backend = "auto"
    ) -> SeedTraining:
        """Go on from checkpoints of runs on the same data."""
        training = cls.__new__(cls)
        runs = [TrainingRun.resume(at, dataset, backend="shared") for at in checkpoints]
        training._begin(runs, dataset, backend)
        return training

    def _begin(self, runs: Sequence[TrainingRun], dataset: Dataset, backend: Backend) -> None:
        if not isinstance(dataset, Dataset):
            raise TrainingError("many networks are trained at once on samples in memory only")
        if not runs:
            raise TrainingError("there is no network to train")
        self.runs = tuple(runs)
        self._dataset = dataset
        self._pace = Pace(CHUNK_S)
        settings = [run.settings for run in runs]
        possible = all(item.optimizer == "Adam" for item in settings)
        if backend == "chunked" and not possible:
            raise TrainingError("networks are trained at once with Adam; take backend alone")
        on_device = settings[0].device != "cpu"
        self.together = possible and (backend == "chunked" or (backend == "auto" and on_device))
        self._samples: TorchObjective | None = None
        size = 1
        if self.together:
            _check_alike(runs)
            with out_of_memory("before the first step"):
                self._samples = TorchObjective(
                    runs[0].checkpoint().network, dataset, settings[0]
                )  # fmt: skip
            size = _group_size(runs[0], dataset)
        for run in runs:
            run.rest(self._samples)
        indices = list(range(len(runs)))
        self._groups = deque(_Group(indices[at : at + size]) for at in range(0, len(runs), size))

    def __next__(self) -> News:
        news: News = [()] * len(self.runs)
        group = self._next_group()
        if not self.together:
            (index,) = group.runs
            news[index] = self._alone(self.runs[index])
            return news
        try:
            with out_of_memory("with networks trained at once"):
                self._chunk(group, news)
        except OutOfMemory:
            if len(group.runs) == 1:
                # Alone it says itself what it lacks.
                news[group.runs[0]] = (self.runs[group.runs[0]].step(),)
            self._halve(group)
        return news

    def _next_group(self) -> _Group:
        """The first with something to do; one group after the other has the memory."""
        while self._groups:
            group = self._groups[0]
            if any(not self.runs[index].finished for index in group.runs):
                return group
            self._groups.popleft()
            for index in group.runs:
                self.runs[index].rest(self._samples)
        raise StopIteration

    @staticmethod
    def _alone(run: TrainingRun) -> tuple[Progress, ...]:
        end, news = time.perf_counter() + CHUNK_S, [run.step()]
        while not run.finished and time.perf_counter() < end:
            news.append(run.step())
        return tuple(news)

    def _halve(self, group: _Group) -> None:
        """Too many for the memory of the device: the second half waits for its turn."""
        group.loop, half = None, len(group.runs) // 2
        if half:
            self._groups.insert(1, _Group(group.runs[half:]))
            del group.runs[half:]
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _chunk(self, group: _Group, news: News) -> None:
        """Some steps of all runs of a group; their records go into news."""
        self._update_grids([self.runs[index] for index in group.runs])
        loop = self._loop(group)
        runs = [self.runs[index] for index in group.runs]
        starts = [run.checkpoint() for run in runs]
        counts = self._counts(runs, min(self._pace.length(), loop.capacity))
        taken = loop.take(starts, counts)
        self._pace.took(max(counts), loop.seconds)
        for index, run, item in zip(group.runs, runs, taken, strict=True):
            news[index] = run.accept(item)
            if not item.whole:
                # By itself through the step that is not finite, with all that is tried then.
                news[index] += (run.step(),)
                run.rest(self._samples)

    def _update_grids(self, runs: Sequence[TrainingRun]) -> None:
        """Move the grids that are due, together; one that would end in no number stays."""
        due = [
            run for run in runs if not run.finished and run.settings.updates_grid_at(run.n_steps)
        ]
        if not due or self._samples is None:
            return
        if self._samples.device.type == "mps":
            # There is no float64.
            for run in due:
                run.update_grid_if_due()
                run.rest(self._samples)
            return
        samples = self._samples.train
        drawn = (batch_rows(run.settings, self._dataset.n_train, run.n_steps) for run in due)
        rows = [taken for taken in drawn if taken is not None]
        if rows:
            samples = samples.rows(torch.tensor(np.stack(rows), device=self._samples.device))
        moved = moved_grids([run.network() for run in due], samples.x.double())
        for run, network, good in zip(
            due, moved, self._are_finite(due, moved, samples), strict=True
        ):
            if good:
                run.take_grid(network)

    def _are_finite(
        self, runs: Sequence[TrainingRun], networks: Sequence[Network], samples: Samples
    ) -> list[bool]:
        """For each network, whether its parameters and losses are."""
        objective = self._make_objective(networks, [run.settings for run in runs])
        affine = runs[0].settings.affine_trainable
        layout = packing(networks[0], affine_trainable=affine)
        flat = torch.tensor(np.stack([layout.pack(network) for network in networks]))
        with torch.no_grad():
            losses = objective.losses(
                flat.to(objective.device, objective.dtype), samples._replace(features=())
            )
        finite = torch.stack([loss.isfinite() for loss in losses]).all(dim=0).cpu()
        return (finite & flat.isfinite().all(dim=1)).tolist()

    def _make_objective(
        self, networks: Sequence[Network], settings: Sequence[TrainingSettings]
    ) -> TorchObjective:
        assert self._samples is not None
        return TorchObjective(
            networks,
            self._dataset,
            max(settings, key=lambda item: item.lamb),
            weights=Weights.of_each(settings, self._samples.dtype, self._samples.device),
            like=self._samples,
        )

    def _loop(self, group: _Group) -> DeviceLoop:
        """The group's loop; a new one if a grid has moved, or if half of its runs are over."""
        live = [index for index in group.runs if not self.runs[index].finished]
        if 2 * len(live) <= len(group.runs):
            group.runs = live
        networks = [self.runs[index].checkpoint().network for index in group.runs]
        if group.loop is None or list(map(id, networks)) != list(map(id, group.networks)):
            # The old one's memory is free before the new one takes its own.
            group.loop, group.networks = None, networks
            group.loop = self._make_loop([self.runs[index] for index in group.runs])
        return group.loop

    def _make_loop(self, runs: Sequence[TrainingRun]) -> DeviceLoop:
        each, starts = [run.settings for run in runs], [run.checkpoint() for run in runs]
        objective = self._make_objective([at.network for at in starts], each)
        n_train, size = self._dataset.n_train, len(starts[0].params)
        return DeviceLoop(objective, each, n_train, size, alone=False)

    def _counts(self, runs: Sequence[TrainingRun], length: int) -> list[int]:
        """Steps for each run; where all share their batches, only for those behind."""
        wanted = [0 if run.finished else min(room(run.checkpoint()), length) for run in runs]
        seeds = {run.settings.seed for run in runs}
        if batch_size(runs[0].settings, self._dataset.n_train) is None or len(seeds) > 1:
            return wanted
        at, *later = sorted({run.n_steps for run, n in zip(runs, wanted, strict=True) if n})
        if later:
            length = later[0] - at
        return [
            min(n, length) if run.n_steps == at else 0 for run, n in zip(runs, wanted, strict=True)
        ]


def train_seeds(
    networks: Sequence[Network],
    dataset: Dataset,
    settings: TrainingSettings | Sequence[TrainingSettings],
    *,
    backend: Backend = "auto",
) -> list[SeedResult]:
    """Train networks of one structure at once, to the end. See SeedTraining."""
    training = SeedTraining(networks, dataset, settings, backend=backend)
    found: list[list[Progress]] = [[] for _ in training.runs]
    for news in training:
        for known, new in zip(found, news, strict=True):
            known.extend(new)
    return [
        SeedResult(run.network(), tuple(known), run.state, run.message)
        for run, known in zip(training.runs, found, strict=True)
    ]


def _settings_of_each(
    settings: TrainingSettings | Sequence[TrainingSettings], count: int
) -> Sequence[TrainingSettings]:
    if isinstance(settings, TrainingSettings):
        return [settings] * count
    if len(settings) != count:
        raise TrainingError(f"{count} networks need {count} settings or one, not {len(settings)}")
    return settings


def _check_alike(runs: Sequence[TrainingRun]) -> None:
    """Raise TrainingError unless all fit into one loop."""
    first = runs[0]
    for number, run in enumerate(runs[1:], 2):
        names = [
            name for name in SHARED if getattr(first.settings, name) != getattr(run.settings, name)
        ]
        if not _same_structure(first.checkpoint().network, run.checkpoint().network):
            names = ["levels, functions, active edges and grid size"]
        if names:
            raise TrainingError(
                f"networks trained at once have the same {', '.join(names)}; number {number} "
                "differs from the first: take backend alone"
            )


def _same_structure(a: Network, b: Network) -> bool:
    arities = [[[node.arity for node in level] for level in each.levels] for each in (a, b)]
    return (
        arities[0] == arities[1]
        and a.degree == b.degree
        and all(
            one.functions == other.functions
            and one.knots.shape == other.knots.shape
            and np.array_equal(one.spline_active, other.spline_active)
            and np.array_equal(one.symbolic_active, other.symbolic_active)
            for one, other in zip(a.layers, b.layers, strict=True)
        )
    )


def _group_size(run: TrainingRun, dataset: Dataset) -> int:
    """How many networks a group may have to begin with."""
    network, settings = run.checkpoint().network, run.settings
    if settings.device.split(":")[0] == "cuda":
        return MAX_NUMBERS
    n_rows = max(batch_size(settings, dataset.n_train) or dataset.n_train, dataset.n_test)
    n_features: int = sum(layer.n_sources * (layer.coef.shape[2] + 1) for layer in network.layers)
    return max(MAX_NUMBERS // (n_rows * n_features), 1)
