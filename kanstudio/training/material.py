"""What a run's steps are made of: its samples, and what is worked out from them once."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from kanstudio.errors import TrainingError
from kanstudio.network.network import Network
from kanstudio.training.batches import batch_rows, batch_size
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.checks import check_run
from kanstudio.training.compiled_loop import KernelLoop
from kanstudio.training.data import Dataset
from kanstudio.training.jacobian import Linearizer
from kanstudio.training.kernel import KernelObjective, supports
from kanstudio.training.loop import MAX_STEPS, DeviceLoop
from kanstudio.training.objective import LossFunction, Objective, TorchObjective
from kanstudio.training.packing import IntArray
from kanstudio.training.problem import StepProblem
from kanstudio.training.stream import Feed, Stream

Backend = Literal["auto", "kernel", "torch", "chunked", "shared"]
"""See TrainingRun."""


class Material:
    """The samples of a run and the objective made of them, for the network as it is now.

    Nothing is made before it is asked for. Raises TrainingError or DataError if network,
    samples, settings and backend do not fit together.
    """

    def __init__(
        self,
        start: Checkpoint,
        source: Dataset | Stream,
        backend: Backend,
        loss_fn: LossFunction | None,
    ) -> None:
        self._settings, self._network, self._loss_fn = start.settings, start.network, loss_fn
        self._feed: Feed | None = None
        if isinstance(source, Stream):
            self._feed = Feed(source, start.settings, start.n_read, start.n_used)
            source = self._feed.window
        check_run(start.network, source, start.settings, least_squares=loss_fn is None)
        self.dataset = source
        self._use_kernel = (
            backend in ("auto", "kernel", "shared")
            and loss_fn is None
            and supports(start.network, start.settings)
        )
        if backend == "kernel" and not self._use_kernel:
            raise TrainingError("the compiled kernel does not cover this run; use torch")
        self._objective: Objective | None = None
        self._linearizer: Linearizer | None = None
        self._samples: TorchObjective | None = None

    @property
    def objective(self) -> Objective:
        """Of the network as it is."""
        if self._objective is None:
            self._objective = self.objective_of(self._network)
        return self._objective

    def objective_of(self, network: Network) -> Objective:
        """Of this network, perhaps one on other grids, on the same samples."""
        if self._use_kernel:
            return KernelObjective(network, self.dataset, self._settings)
        like = self._objective if isinstance(self._objective, TorchObjective) else self._samples
        if self._feed is not None:
            # The samples of a stream are replaced in place.
            like = None
        return TorchObjective(network, self.dataset, self._settings, self._loss_fn, like=like)

    def problem(self, rows: IntArray | None) -> StepProblem:
        """What an optimiser may ask about these samples."""
        if self._linearizer is None and self._settings.optimizer == "LM":
            self._linearizer = Linearizer(self._network, self.dataset, self._settings)
        return StepProblem(self.objective, self._linearizer, rows)

    @property
    def has_compiled_steps(self) -> bool:
        """True if whole steps are compiled: Adam's on all samples, with nothing between."""
        settings = self._settings
        return (
            self._use_kernel
            and settings.optimizer == "Adam"
            and self._feed is None
            and batch_size(settings, self.dataset.n_train) is None
            and settings.clip is None
            and not settings.stops_after
        )

    def loop(self, size: int) -> DeviceLoop | KernelLoop:
        """A loop for networks of so many parameters, on this objective."""
        if isinstance(self.objective, KernelObjective):
            return KernelLoop(self.objective)
        assert isinstance(self.objective, TorchObjective)
        n_train = self.dataset.n_train
        return DeviceLoop(
            self.objective, [self._settings], n_train, size, alone=True, feed=self._feed
        )  # fmt: skip

    def move(self, network: Network, objective: Objective | None = None) -> None:
        """The network is on other grids from now on; objective: of that one."""
        self._network, self._objective, self._linearizer = network, objective, None

    def rest(self, samples: TorchObjective | None = None) -> None:
        """Free what was made; steps to come shall take the samples of this one."""
        self._objective, self._linearizer, self._samples = None, None, samples

    def rows(self, step: int, attempt: int) -> IntArray | None:
        """The samples of a step, by the seed and its number alone; None for all."""
        if self._feed is not None:
            return self._feed.rows(attempt)
        return batch_rows(self._settings, self.dataset.n_train, step, attempt)

    @property
    def n_ready(self) -> int:
        """So many steps can be taken at once with the samples at hand."""
        return MAX_STEPS if self._feed is None else self._feed.n_before_last

    def stand_at(self, at: Checkpoint) -> None:
        """Go forth or back to here, among the samples at hand."""
        if self._feed is not None:
            self._feed.n_used = at.n_used

    def advance(self, at: Checkpoint) -> tuple[Checkpoint, bool]:
        """After a single step: the run past its samples, and whether a loop has to be remade.

        Where there are as many new samples as before, they take the place of the old ones.
        """
        feed, remade = self._feed, False
        if feed is None:
            return at, False
        if feed.advance():
            self.dataset, self._linearizer = feed.window, None
            made = self._objective
            if not (isinstance(made, TorchObjective) and made.refill(self.dataset)):
                self._objective, remade = None, True
        return replace(at, n_read=feed.n_read, n_used=feed.n_used), remade
