"""Which samples a step takes."""

from __future__ import annotations

import numpy as np

from kanstudio.training.packing import IntArray
from kanstudio.training.settings import TrainingSettings


def batch_size(settings: TrainingSettings, n_train: int) -> int | None:
    """The number of samples of a step; None if it takes all."""
    return None if settings.batch == -1 or settings.batch >= n_train else settings.batch


def batch_rows(
    settings: TrainingSettings, n_train: int, step: int, attempt: int = 0
) -> IntArray | None:
    """The samples of a step, by the seed and its number alone; None for all.

    attempt counts other batches for the same step.
    """
    size = batch_size(settings, n_train)
    if size is None:
        return None
    draw = np.random.default_rng((settings.seed, step, attempt))
    return draw.choice(n_train, size, replace=False)
