"""What `KAN.fit` does: runs in a row, and what its caller wants to see of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from kanstudio.errors import FileError, TrainingError
from kanstudio.network.build import uniform_knots
from kanstudio.network.checks import integer
from kanstudio.network.forward import evaluate
from kanstudio.network.grid import refine, update_grid_from_samples
from kanstudio.network.network import FloatArray, Network
from kanstudio.network.units import Units, in_units, in_values
from kanstudio.training.checks import check_columns
from kanstudio.training.data import Dataset
from kanstudio.training.memory import out_of_memory
from kanstudio.training.objective import LossFunction
from kanstudio.training.progress import Progress
from kanstudio.training.run import TrainingRun
from kanstudio.training.settings import TrainingSettings
from kanstudio.training.sources import as_dataset
from kanstudio.training.stream import Stream

logger = logging.getLogger(__name__)

Metric = Callable[[], Any]
Callback = Callable[[Progress], object]
ROUNDING = 1e-14
"""A column whose range is this share of its size or less is constant."""
LOSSES = ("train_loss", "test_loss", "reg")


@dataclass(frozen=True)
class Pictures:
    """A picture of the network every so many steps: folder/0.png, folder/1.png, ...

    plot(title) draws the network that the model holds; what it gives has a method save.
    """

    plot: Callable[[str], Any]
    folder: str
    every: int = 1

    def __post_init__(self) -> None:
        if (integer(self.every) or 0) < 1:
            raise TrainingError(
                f"save_fig_freq must be a whole number of at least 1, not {self.every!r}"
            )
        try:
            Path(self.folder).mkdir(parents=True, exist_ok=True)
        except (OSError, TypeError) as error:
            raise FileError(f"cannot make the folder {self.folder!r} for pictures") from error

    def take(self, index: int) -> None:
        """A picture after the step of this index, from 0."""
        if index % self.every == 0:
            picture = self.plot(f"Step {index}")
            path = Path(self.folder) / f"{index}.png"
            try:
                picture.save(str(path))
            except OSError as error:
                raise FileError(f"cannot write {path}: {error.strerror}") from error


@dataclass(frozen=True)
class Watchers:
    """What the caller wants to see and hear.

    every: log each such step, 0 for none. shown: names of the histories in the log, the
    losses by default. A callback that returns True ends the training.
    """

    every: int = 1
    metrics: tuple[Metric, ...] = ()
    shown: tuple[str, ...] = LOSSES
    callbacks: tuple[Callback, ...] = ()
    pictures: Pictures | None = None

    @property
    def look_at_the_model(self) -> bool:
        return bool(self.metrics or self.callbacks or self.pictures)


def watchers(
    log: object,
    metrics: object,
    display_metrics: object,
    callbacks: object,
    pictures: Pictures | None,
) -> Watchers:
    """The caller's arguments, checked. Raises TrainingError."""
    every = integer(log)
    if every is None or every < 0:
        raise TrainingError(f"log must be a whole number of at least 0, not {log!r}")
    found = _functions("metrics", metrics)
    names = [*LOSSES, *map(metric_name, found)]
    if len({*names}) < len(names):
        raise TrainingError(f"every metric needs a name of its own: {', '.join(names[3:])}")
    shown: list[Any] = list(LOSSES)
    if display_metrics is not None:
        if isinstance(display_metrics, str) or not hasattr(display_metrics, "__iter__"):
            raise TrainingError(f"display_metrics is a list of names, not {display_metrics!r}")
        shown = list(display_metrics)
    for name in shown:
        if name not in names:
            raise TrainingError(f"there is no metric {name!r}; there are {', '.join(names)}")
    return Watchers(every, found, tuple(shown), _functions("callbacks", callbacks), pictures)


def _functions(name: str, values: object) -> tuple[Callable[..., Any], ...]:
    if values is None:
        return ()
    if not isinstance(values, Sequence) or not all(map(callable, values)):
        raise TrainingError(f"{name} must be a list of functions, not {values!r}")
    return tuple(values)


def make_settings(options: dict[str, Any], more: dict[str, Any]) -> TrainingSettings:
    """Settings of both; TrainingError for a name that there is not, or that stands twice."""
    known = [item.name for item in fields(TrainingSettings)]
    for name in more:
        if name not in known or name in options:
            free = ", ".join(sorted({*known} - {*options}))
            raise TrainingError(f"fit knows no argument {name!r}; more settings are {free}")
    return TrainingSettings(**options, **more)


@out_of_memory("while the data were read (a training.Stream holds a part of them at a time)")
def samples_for(
    network: Network, dataset: object, test_fraction: float, seed: int
) -> Dataset | Stream:
    """What `KAN.fit` is given as its dataset, read. Raises DataError or FileError."""
    if isinstance(dataset, Stream):
        return dataset
    return as_dataset(
        dataset, network.input_names, network.output_names, test_fraction=test_fraction, seed=seed
    )


def inputs_of(samples: Dataset | Stream) -> FloatArray:
    """Inputs [n, inputs] to look at the network with: those to train on, if they are here."""
    return samples.test_x if isinstance(samples, Stream) else samples.train_x


def metric_name(metric: Metric) -> str:
    """The name under which a metric's history is found."""
    return str(getattr(metric, "__name__", type(metric).__name__))


class Follower:
    """Takes the steps of runs, one run after the other, and records what comes of them.

    hold is called with the network as it is, in plain values, whenever someone looks at
    it, and at the end.
    """

    def __init__(
        self, watching: Watchers, hold: Callable[[Network], None], units: Units | None = None
    ) -> None:
        self._watching = watching
        self._hold = hold
        self._units = units
        self._histories: dict[str, list[float]] = {
            name: [] for name in (*LOSSES, *map(metric_name, watching.metrics))
        }
        self.stopped = False

    @property
    def n_steps(self) -> int:
        return len(self._histories["reg"])

    def follow(self, run: TrainingRun) -> None:
        """To the end of the run, or until a callback wants to stop."""
        try:
            while not (run.finished or self.stopped):
                progress = run.step()
                if run.failed:
                    raise TrainingError(progress.message)
                for name in LOSSES:
                    self._histories[name].append(getattr(progress, name))
                if self._watching.look_at_the_model:
                    self._show(run)
                    self._look(progress)
                self._log(progress)
        finally:
            # Ctrl+C and errors of the caller's functions do not cost what was learned so far.
            self._show(run)

    def keep_the_best(self, stages: Sequence[tuple[float, Network]]) -> None:
        """Of grids one after the other: (test loss, network) of each, with early stopping."""
        if stages and (best := min(stages, key=lambda stage: stage[0])) is not stages[-1]:
            self._hold_values(best[1])
            logger.warning(
                "the network of %d intervals is kept: finer grids did not lower the test loss",
                best[1].grid,
            )

    def histories(self) -> dict[str, FloatArray]:
        """One number per step, by name."""
        return {name: np.array(values) for name, values in self._histories.items()}

    def _show(self, run: TrainingRun) -> None:
        self._hold_values(run.network())

    def _hold_values(self, network: Network) -> None:
        self._hold(network if self._units is None else in_values(network, self._units))

    def _look(self, progress: Progress) -> None:
        for metric in self._watching.metrics:
            self._histories[metric_name(metric)].append(_number(metric))
        if self._watching.pictures is not None:
            self._watching.pictures.take(self.n_steps - 1)
        for callback in self._watching.callbacks:
            # Whatever else a callback returns, by chance, is no wish to stop.
            self.stopped = callback(progress) is True or self.stopped

    def _log(self, progress: Progress) -> None:
        every = self._watching.every
        if every and (self.n_steps - 1) % every == 0:
            values = [f"{name} {self._histories[name][-1]:.2e}" for name in self._watching.shown]
            logger.info("step %d: %s", self.n_steps, ", ".join(values))
        if progress.message:
            logger.warning("step %d: %s", self.n_steps, progress.message)


def _number(metric: Metric) -> float:
    value = metric()
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TrainingError(
            f"the metric {metric_name(metric)} must return a number, not {type(value).__name__}"
        ) from error


def fit(
    network: Network,
    dataset: Dataset | Stream,
    settings: TrainingSettings,
    watching: Watchers,
    hold: Callable[[Network], None],
    *,
    grids: Sequence[int] | None = None,
    normalize: bool = False,
    loss_fn: LossFunction | None = None,
) -> dict[str, FloatArray]:
    """Train a network; the histories by name, one number per step. hold gets the result.

    grids: refine to each in turn and take settings.steps steps on it; "stages" are then
    the indices at which they begin; with early stopping the best network of all grids is
    held, which need not be the finest. normalize: train on inputs and outputs of mean 0 and
    deviation 1, in whose units the losses are then given; the network that is held takes
    and gives plain values. Raises TrainingError when the loss is no longer finite; the
    last good network is held then.
    """
    units = None
    if normalize:
        dataset, units, network = normalized(dataset, network)
    follower = Follower(watching, hold, units)
    starts: list[int] = []
    stages: list[tuple[float, Network]] = []
    for grid in _stages(network, grids):
        if grid > network.grid:
            network = _refined(network, grid, dataset, settings)
        starts.append(follower.n_steps)
        run = TrainingRun(network, dataset, settings, loss_fn=loss_fn)
        follower.follow(run)
        network = run.network()
        best = run.checkpoint().best
        if best is not None:
            stages.append((best.loss, network))
        if follower.stopped:
            break
    follower.keep_the_best(stages)
    found = follower.histories()
    return found if grids is None else {**found, "stages": np.array(starts)}


@out_of_memory("while the grid was refined")
def _refined(
    network: Network, grid: int, dataset: Dataset | Stream, settings: TrainingSettings
) -> Network:
    """A finer grid that reaches all samples: refining keeps a spline on its grid only."""
    if settings.update_grid and not isinstance(dataset, Stream):
        network = update_grid_from_samples(network, dataset.train_x)
    return refine(network, grid)[0]


def _stages(network: Network, grids: Any) -> list[int]:
    if grids is None:
        return [network.grid]
    if isinstance(grids, str) or not hasattr(grids, "__iter__") or not len(grids):
        raise TrainingError(f"grids is a list of whole numbers such as [3, 5, 10], not {grids!r}")
    found = [integer(grid) for grid in grids]
    known = [network.grid, *(grid for grid in found if grid is not None)]
    if None in found or any(b < a for a, b in pairwise(known)):
        raise TrainingError(
            f"grids must be whole numbers that rise from {network.grid} or more, the intervals "
            f"that the network has: {list(grids)!r}"
        )
    return known[1:]


@out_of_memory("while the data were normalised")
def normalized(dataset: Dataset | Stream, network: Network) -> tuple[Dataset, Units, Network]:
    """Dataset and network in units in which the training samples have mean 0, deviation 1.

    A constant column is only shifted. A network that has learned nothing yet is taken as
    it is, as a map of the normalised numbers.
    """
    if isinstance(dataset, Stream):
        raise TrainingError("a stream cannot be normalised here: normalise its batches")
    check_columns(network, dataset)

    def size(values: FloatArray) -> FloatArray:
        # The deviation of equal numbers is not always 0: their mean is rounded.
        varies = np.ptp(values, axis=0) > ROUNDING * np.abs(values).max(axis=0)
        return np.where(varies, values.std(axis=0), 1.0)

    x, y = dataset.train_x, dataset.train_y
    units = Units(size(x), x.mean(axis=0), size(y), y.mean(axis=0))
    train_x, train_y = units.numbers(x, y)
    test_x, test_y = units.numbers(dataset.test_x, dataset.test_y)
    data = replace(dataset, train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y)
    return data, units, network if _is_new(network, dataset) else in_units(network, units)


def _is_new(network: Network, dataset: Dataset) -> bool:
    """Splines only, on their first grids, and worse than the mean of the labels."""
    grid = uniform_knots(-1.0, 1.0, network.grid, network.degree)
    first = network.layers[0]
    if any(layer.symbolic_active.any() for layer in network.layers):
        return False
    # Networks in float32 have their knots from there.
    if not np.allclose(first.knots, grid, rtol=0, atol=1e-6):
        return False
    error = evaluate(network, dataset.train_x) - dataset.train_y
    spread = dataset.train_y - dataset.train_y.mean(axis=0)
    return float((error**2).mean()) > float((spread**2).mean())
