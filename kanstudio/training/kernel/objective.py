"""The fused kernel behind the interface of an objective."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kanstudio.network.build import empty_network
from kanstudio.network.network import FloatArray, Network
from kanstudio.training.data import Dataset
from kanstudio.training.kernel.entry import fill_cache, mean_square
from kanstudio.training.kernel.plan import Plan, Sizes, make_plan
from kanstudio.training.kernel.rows import TILE
from kanstudio.training.kernel.univariate import has_code
from kanstudio.training.objective import Evaluation
from kanstudio.training.packing import IntArray, Packing, packing
from kanstudio.training.settings import TrainingSettings

MAX_CACHED = 50_000_000
"""At most so many numbers are kept for the B-splines of the inputs."""


def supports(network: Network, settings: TrainingSettings) -> bool:
    """True if this kernel computes these runs; torch computes all."""
    return (
        settings.device == "cpu"
        and settings.lamb == 0
        and all(
            has_code(layer.functions[subnode][source])
            for layer in network.layers
            for subnode, source in np.argwhere(layer.symbolic_active)
        )
    )


class _Samples:
    """Samples cut into tiles (tiles, columns, TILE), with the B-splines of the inputs."""

    def __init__(self, x: FloatArray, y: FloatArray, kernel: KernelObjective, cache: bool) -> None:
        self.x, self.y = _tiles(x), _tiles(y)
        n_tiles = -(-len(x) // TILE)
        self.shares = np.zeros(n_tiles * TILE)
        self.shares[: len(x)] = 1 / y.size
        n_rows = kernel.n_input_rows
        cached = n_tiles if cache and len(x) * n_rows <= MAX_CACHED else 0
        self.features = np.zeros((cached, n_rows * TILE))
        self.indices = np.zeros(cached * kernel.n_active * TILE, dtype=np.int64)
        if cached:
            kernel.fill(self)


def _tiles(values: FloatArray) -> FloatArray:
    """The last tile is filled up with the last sample, whose share there is 0."""
    n, columns = values.shape
    n_tiles = -(-n // TILE)
    padded = np.empty((n_tiles * TILE, columns))
    padded[:n], padded[n:] = values, values[-1]
    return padded.reshape(n_tiles, TILE, columns).transpose(0, 2, 1).ravel()


class KernelObjective:
    """Loss and gradient on the CPU in one compiled call; see Objective."""

    def __init__(self, network: Network, dataset: Dataset, settings: TrainingSettings) -> None:
        layout: Packing = packing(network, affine_trainable=settings.affine_trainable)
        self._plan, sizes = make_plan(network, layout)
        first = self._plan.layers[0]
        self.n_active = int(first["last_active"] - first["first_active"])
        # Features are taken by four: three rows of zeros may follow.
        self.n_input_rows = int(self.n_active * first["features"]) + 3
        self._affine = self._plan.affine.copy()
        self._make_room(sizes, layout.size)
        self._dataset = dataset
        self._train = _Samples(dataset.train_x, dataset.train_y, self, cache=True)
        self._test = _Samples(dataset.test_x, dataset.test_y, self, cache=True)

    def _make_room(self, sizes: Sizes, n_params: int) -> None:
        self._work = np.zeros(sizes.rows * TILE)
        self._indices: NDArray[np.int64] = np.zeros(sizes.index_rows * TILE, dtype=np.int64)
        self._weights = np.zeros(sizes.weights)
        self._weight_sums = np.zeros(sizes.weights)
        self._affine_sums = np.zeros(len(self._affine))
        self._gradient = np.zeros(n_params)

    def fill(self, samples: _Samples) -> None:
        """Compute the B-splines of the inputs once: neither samples nor knots change."""
        fill_cache(
            self._plan, samples.x, self._work, self._indices, samples.features, samples.indices
        )

    def _mean_square(self, params: FloatArray, samples: _Samples, gradient: bool) -> float:
        return float(mean_square(
            self._plan, params, self._affine, samples.x, samples.y, samples.shares,
            samples.features, samples.indices, self._work, self._indices, self._weights,
            self._weight_sums, self._affine_sums, self._gradient, gradient,
        ))  # fmt: skip

    def evaluate(self, params: FloatArray, rows: IntArray | None = None) -> Evaluation:
        samples = self._train
        if rows is not None:
            data = self._dataset
            samples = _Samples(data.train_x[rows], data.train_y[rows], self, cache=False)
        mse = self._mean_square(np.ascontiguousarray(params), samples, True)
        return Evaluation(mse, 0.0, self._gradient.copy())

    def test_mse(self, params: FloatArray) -> float:
        return self._mean_square(np.ascontiguousarray(params), self._test, False)


def warm_up() -> None:
    """Compile the kernel, or load what was compiled on this machine before."""
    network = empty_network([1, 1])
    one = np.zeros((1, 1))
    data = Dataset(one, one, one, one)
    objective = KernelObjective(network, data, TrainingSettings(affine_trainable=True))
    objective.evaluate(packing(network, affine_trainable=True).pack(network))


__all__ = ["KernelObjective", "Plan", "supports", "warm_up"]
