"""The fused kernel behind the interface of an objective."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kanstudio.network.build import empty_network
from kanstudio.network.network import FloatArray, Network
from kanstudio.training.data import Dataset
from kanstudio.training.kernel import adam, lbfgs
from kanstudio.training.kernel.compiled import (
    entry_point,
    in_other_processes,
    is_kept,
    on_disk,
)
from kanstudio.training.kernel.entry import FILL, GRADIENT, LOSS, PENALTY, Tiles, run
from kanstudio.training.kernel.penalty import METRICS
from kanstudio.training.kernel.plan import Plan, Sizes, make_plan
from kanstudio.training.kernel.rows import TILE
from kanstudio.training.kernel.univariate import has_code
from kanstudio.training.objective import Evaluation
from kanstudio.training.packing import IntArray, Packing, packing
from kanstudio.training.settings import Dtype, TrainingSettings

MAX_CACHED = 50_000_000
"""At most so many numbers are kept for the B-splines of the inputs."""

CACHE_LINE = 64
"""Bytes."""


def supports(network: Network, settings: TrainingSettings) -> bool:
    """True if this kernel computes these runs; torch computes all."""
    return (
        settings.device == "cpu"
        and not settings.singularity_avoiding
        and (settings.lamb == 0 or settings.reg_metric in METRICS)
        and all(
            has_code(layer.functions[subnode][source])
            for layer in network.layers
            for subnode, source in np.argwhere(layer.symbolic_active)
        )
    )


NO_STEPS = np.zeros((0, 2)), np.zeros((0, 3))
"""Rates and results of an evaluation alone."""


def _tiles(values: FloatArray, dtype: Any) -> NDArray[Any]:
    """The last tile is filled up with the last sample, whose share there is 0."""
    n, columns = values.shape
    n_whole = n // TILE
    tiles = zeros(-(-n // TILE), columns, TILE, dtype=dtype)
    # What is beyond the largest float32 becomes infinite, as it does in torch.
    with np.errstate(over="ignore"):
        whole = values[: n_whole * TILE].reshape(n_whole, TILE, columns)
        tiles[:n_whole] = whole.transpose(0, 2, 1)
        rest = n - n_whole * TILE
        tiles[n_whole:, :, :rest] = values[n - rest :].T
        tiles[n_whole:, :, rest:] = values[-1][:, None]
    return tiles.ravel()


def zeros(*shape: int, dtype: Any) -> NDArray[Any]:
    """np.zeros from the beginning of a cache line on.

    Vectors are as long as a line: if every one spanned two, products would take half as
    long again.
    """
    size, bytes_each = math.prod(shape), np.dtype(dtype).itemsize
    room = np.zeros(size + CACHE_LINE // bytes_each, dtype=dtype)
    first = -room.ctypes.data % CACHE_LINE // bytes_each
    return room[first : first + size].reshape(shape)


class KernelObjective:
    """Loss and gradient on the CPU in one compiled call; see Objective."""

    def __init__(
        self,
        network: Network,
        dataset: Dataset,
        settings: TrainingSettings,
        *,
        cached: bool = True,
    ) -> None:
        """cached: keep the B-splines of the inputs; they need compiled code right away."""
        layout: Packing = packing(network, affine_trainable=settings.affine_trainable)
        self.dtype = np.dtype(settings.arithmetic)
        self._plan, sizes = make_plan(
            network, layout, dtype=self.dtype, streams=settings.lamb == 0
        )  # fmt: skip
        first = self._plan.layers[0]
        self.streams = bool(first["streamed"])
        self.n_active = int(first["last_active"] - first["first_active"])
        # Features are taken by four: three rows of zeros may follow.
        self.n_input_rows = int(self.n_active * first["features"]) + 3
        self._affine = self._plan.affine.copy()
        self._make_room(sizes, layout.size)
        self._task = GRADIENT if settings.lamb == 0 else PENALTY
        self._metric = METRICS.get(settings.reg_metric, 0)
        self._factors = np.array([
            settings.lamb, settings.lamb_l1, settings.lamb_entropy, settings.lamb_coef,
            settings.lamb_coefdiff,
        ])  # fmt: skip
        self._dataset = dataset
        if cached:
            self._code = code(self.dtype.name)
        self.train, self.test = (
            self._samples(x, y, weight, cached)
            for x, y, weight in (
                (dataset.train_x, dataset.train_y, dataset.train_weight),
                (dataset.test_x, dataset.test_y, dataset.test_weight),
            )
        )

    def _make_room(self, sizes: Sizes, n_params: int) -> None:
        def room(size: int) -> NDArray[Any]:
            return zeros(size, dtype=self.dtype)

        self._work = room(sizes.rows * TILE)
        self._indices: NDArray[np.int64] = np.zeros(sizes.index_rows * TILE, dtype=np.int64)
        self._weights, self._weight_sums = room(sizes.weights), room(sizes.weights)
        self._affine_sums = room(len(self._affine))
        self._params, self._gradient = room(n_params), room(n_params)
        self._moments = np.zeros((4, sizes.moments))
        self._scores = np.zeros((2, sizes.scores))
        self._nodes = np.zeros((2, sizes.moments + int(self._plan.layers[-1]["n_sources"])))

    def _samples(
        self, x: FloatArray, y: FloatArray, weight: FloatArray | None, cache: bool
    ) -> Tiles:
        """Samples as tiles, with the B-splines of the inputs if there is room for them."""
        n_tiles = -(-len(x) // TILE)
        # What a sample's squared error counts in the mean.
        shares = zeros(n_tiles * TILE, dtype=self.dtype)
        share = 1 / len(x) if weight is None else weight / weight.sum()
        shares[: len(x)] = share / y.shape[1]
        cache = cache and not self.streams and len(x) * self.n_input_rows <= MAX_CACHED
        cached = n_tiles if cache else 0
        features = zeros(cached, self.n_input_rows * TILE, dtype=self.dtype)
        indices = np.zeros(cached * self.n_active * TILE, dtype=np.int64)
        tiles = _tiles(x, self.dtype), _tiles(y, self.dtype)
        samples = Tiles(*tiles, shares, features, indices, len(x))
        if cached:
            # Once: neither samples nor knots change.
            self._evaluate(np.zeros(len(self._gradient)), samples, FILL)
        return samples

    def arguments(
        self, state: FloatArray, task: int, train: Tiles, test: Tiles,
        rates: FloatArray, results: FloatArray,
    ) -> tuple[Any, ...]:  # fmt: skip
        """What the compiled entry takes."""
        return (
            self._plan, state, rates, results, self._params, self._affine, train, test,
            self._work, self._indices, self._weights, self._weight_sums, self._affine_sums,
            self._gradient, task, self._metric, self._factors, self._moments, self._scores,
            self._nodes,
        )  # fmt: skip

    def _evaluate(self, params: FloatArray, samples: Tiles, task: int) -> tuple[float, float]:
        state = np.ascontiguousarray(params)[None, None]
        _, mse, reg = self._code(*self.arguments(state, task, samples, samples, *NO_STEPS))
        return mse, reg

    def evaluate(self, params: FloatArray, rows: IntArray | None = None) -> Evaluation:
        samples = self.train if rows is None else self._batch(rows)
        mse, reg = self._evaluate(params, samples, self._task)
        return Evaluation(mse, reg, self._gradient.astype(np.float64))

    def _batch(self, rows: IntArray) -> Tiles:
        data = self._dataset
        weight = None if data.train_weight is None else data.train_weight[rows]
        return self._samples(data.train_x[rows], data.train_y[rows], weight, False)

    def test_mse(self, params: FloatArray) -> float:
        return self._evaluate(params, self.test, LOSS)[0]

    def adam_steps(self, state: FloatArray, rates: FloatArray, results: FloatArray) -> int:
        """Adam's steps on all samples, one after the other; see entry.run for the arrays.

        Returns how many were finite.
        """
        arguments = self.arguments(state, self._task, self.train, self.test, rates, results)
        return int(self._code(*arguments)[0])


def warm_up(*dtypes: str) -> None:
    """Compile the kernel for these dtypes, or load what was compiled on this machine before.

    None is float64 alone. What is not on disk is compiled side by side.
    """
    wanted = dtypes or ("float64",)
    _compile_missing(wanted)
    for dtype in wanted:
        code(dtype)
        _smallest(dtype, cached=True)
    adam.code()
    lbfgs.code()


def _smallest(dtype: str, *, cached: bool) -> KernelObjective:
    one = np.zeros((1, 1))
    data, settings = Dataset(one, one, one, one), TrainingSettings(dtype=cast(Dtype, dtype))
    return KernelObjective(empty_network([1, 1]), data, settings, cached=cached)


def _smallest_call(dtype: str) -> tuple[Any, ...]:
    objective = _smallest(dtype, cached=False)
    state = np.zeros((2, 3, 0))
    return objective.arguments(state, LOSS, objective.train, objective.test, *NO_STEPS)


@lru_cache(maxsize=2)
def code(dtype: str) -> Callable[..., Any]:
    """The compiled entry. What is not on disk yet is compiled by another process.

    Code that was just compiled and the same code from disk may round differently, since the
    former shares parts with other code in its process. So all processes load the same code,
    and give the same numbers bit for bit.
    """
    _compile_missing((dtype,))
    return compile_entry(dtype)


def _compile_missing(dtypes: tuple[str, ...]) -> None:
    # What another process cannot keep it would compile in vain.
    missing = [
        dtype
        for dtype in dtypes
        if is_kept(run[dtype]) and not on_disk(run[dtype], _smallest_call(dtype))
    ]
    module = "kanstudio.training.kernel.objective"
    in_other_processes(
        f"from {module} import compile_entry; compile_entry({dtype!r})" for dtype in missing
    )


def compile_entry(dtype: str) -> Callable[..., Any]:
    """Load the entry, or compile it and keep it on disk."""
    return entry_point(run[dtype], _smallest_call(dtype))


__all__ = ["KernelObjective", "Plan", "supports", "warm_up"]
