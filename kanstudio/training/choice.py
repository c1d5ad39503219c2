"""Which optimiser a run takes."""

from __future__ import annotations

from dataclasses import replace

from kanstudio.training.data import Dataset
from kanstudio.training.levenberg import LevenbergMarquardt
from kanstudio.training.optimizers import LBFGS, Adam, Optimizer
from kanstudio.training.settings import TrainingSettings
from kanstudio.training.stream import Stream

MAX_LM_WORK = 3e9
"""Multiplications of one Levenberg-Marquardt step: about a second on one core."""
MAX_LBFGS_PARAMETERS = 200_000


def choose(
    settings: TrainingSettings,
    *,
    n_parameters: int,
    n_residuals: int,
    minibatches: bool = False,
    least_squares: bool = True,
) -> TrainingSettings:
    """The settings with "auto" replaced by what suits the run, and the dtype that counts.

    Adam where a step sees a part of the samples only, where the gradient is clipped, or
    where there are very many parameters. Levenberg-Marquardt where the loss is the sum of
    squares alone, the samples outnumber the parameters, and one step takes at most about
    a second. L-BFGS for all else.
    """
    chosen = settings.optimizer
    if chosen == "auto":
        work = n_parameters**2 * (n_residuals + n_parameters / 3)
        if minibatches or settings.clip is not None or n_parameters > MAX_LBFGS_PARAMETERS:
            chosen = "Adam"
        elif (
            least_squares
            and settings.lamb == 0
            and not settings.device.startswith("mps")
            and n_parameters <= n_residuals
            and work <= MAX_LM_WORK
        ):
            chosen = "LM"
        else:
            chosen = "LBFGS"
    settings = replace(settings, optimizer=chosen)
    return replace(settings, dtype=settings.arithmetic)


def choose_for(
    data: Dataset | Stream, settings: TrainingSettings, n_parameters: int, *, least_squares: bool
) -> TrainingSettings:
    """``choose`` for these samples."""
    return choose(
        settings,
        n_parameters=n_parameters,
        n_residuals=0 if isinstance(data, Stream) else data.train_y.size,
        minibatches=isinstance(data, Stream) or -1 != settings.batch < data.n_train,
        least_squares=least_squares,
    )


def make_optimizer(settings: TrainingSettings) -> Optimizer:
    """The optimiser of settings that name one."""
    if settings.optimizer == "Adam":
        return Adam(settings.clip)
    if settings.optimizer == "LBFGS":
        return LBFGS(settings.lamb)
    return LevenbergMarquardt(settings.lamb)
