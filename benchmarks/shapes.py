"""The same network of splines in KAN Studio and in pykan, with the same numbers in it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch

from benchmarks.timing import Row, compare, silence
from kanstudio.network.build import empty_network
from kanstudio.network.network import Layer, Network
from kanstudio.training import Dataset, TrainingRun, TrainingSettings
from kanstudio.training.settings import Dtype

IN_BOTH: tuple[tuple[Dtype, str], ...] = (("float64", ""), ("float32", ", in float32"))
"""What KAN Studio computes in, and what a row says of it."""

FRONTS = ("sin", "x^2", "exp", "tanh", "x", "gaussian")
"""What the edges of a network with symbolic fronts compute; both libraries know them."""


class Pair:
    """A network of any shape, samples of a smooth function, and runs on both."""

    def __init__(
        self,
        width: list[int],
        grid: int = 5,
        *,
        n_samples: int = 1_000,
        fronts: Literal["", "one", "all"] = "",
        seed: int = 0,
    ) -> None:
        from kan import KAN

        with silence():
            self.theirs = KAN(width=list(width), grid=grid, k=3, seed=seed, auto_save=False)
            for place in _places(width) if fronts == "all" else _places(width)[:1] * bool(fronts):
                _switch_on(self.theirs, *place)
        self.ours = as_network(self.theirs, width, grid)
        self.dataset = samples(width[0], width[-1], n_samples, seed)
        names = {"input": "x", "label": "y"}
        self.their_dataset = {
            f"{part}_{name}": torch.tensor(getattr(self.dataset, f"{part}_{ours}")).float()
            for part in ("train", "test")
            for name, ours in names.items()
        }

    def adam_row(
        self,
        name: str,
        rounds: int,
        n_ours: int,
        n_theirs: int,
        *,
        lamb: float = 0.0,
        dtype: Dtype = "float64",
    ) -> Row:
        """One Adam step with the loss on the test samples, as pykan's fit takes it.

        dtype: of ours; pykan computes in float32.
        """
        settings = TrainingSettings(
            optimizer="Adam", learning_rate=1e-3, lamb=lamb, steps=10_000_000, update_grid=False,
            dtype=dtype,
        )  # fmt: skip
        run = TrainingRun(self.ours, self.dataset, settings)
        # Without a regulariser only the last step of pykan's fit would record activations.
        self.theirs.save_act = lamb > 0

        def ours() -> None:
            for _ in range(n_ours):
                run.step()

        def theirs() -> None:
            self.theirs.fit(
                self.their_dataset, opt="Adam", lr=1e-3, steps=n_theirs, update_grid=False,
                lamb=lamb,
            )  # fmt: skip

        return compare(name, ours, theirs, rounds=rounds, ours_count=n_ours, theirs_count=n_theirs)

    def lbfgs_row(self, name: str, rounds: int, n_steps: int) -> Row:
        """The first L-BFGS steps, every round from the same start."""
        start = self.ours, self.dataset, self.theirs, self.their_dataset
        return lbfgs_row(name, rounds, n_steps, start)


Start = tuple[Network, Dataset, Any, dict[str, torch.Tensor]]
"""The same network and samples, ours and theirs."""


def lbfgs_row(name: str, rounds: int, n_steps: int, start: Start) -> Row:
    """The first L-BFGS steps of both, every round from the same start."""
    network, dataset, theirs, their_dataset = start
    settings = TrainingSettings(optimizer="LBFGS", steps=10_000_000, update_grid=False)
    state = {key: value.clone() for key, value in theirs.state_dict().items()}
    runs: list[TrainingRun] = []
    theirs.save_act = False

    def begin() -> None:
        runs[:] = [TrainingRun(network, dataset, settings)]
        theirs.load_state_dict(state)

    def step() -> None:
        for _ in range(n_steps):
            runs[0].step()

    def their_step() -> None:
        theirs.fit(their_dataset, opt="LBFGS", steps=n_steps, update_grid=False)

    return compare(
        name, step, their_step, rounds=rounds, ours_count=n_steps, theirs_count=n_steps,
        before=begin,
    )  # fmt: skip


def samples(n_inputs: int, n_outputs: int, n_samples: int, seed: int = 0) -> Dataset:
    """As many samples to train on as to test on, of exp(sin(pi x1) + x2^2) and its like."""
    rng = np.random.default_rng(seed)

    def part() -> tuple[np.ndarray, np.ndarray]:
        x = rng.uniform(-1, 1, (n_samples, n_inputs))
        waves = np.sin(np.pi * x[:, ::2]).mean(axis=1) + np.square(x[:, 1::2]).sum(axis=1) / max(
            n_inputs // 2, 1
        )
        return x, np.exp(waves)[:, None] * np.linspace(1, 2, n_outputs)

    (train_x, train_y), (test_x, test_y) = part(), part()
    return Dataset(train_x, train_y, test_x, test_y)


def as_network(model: Any, width: list[int], grid: int) -> Network:
    """pykan's network, with every spline and the same symbolic fronts, as one of ours."""
    network = empty_network(width, grid=grid)
    layers = [
        _layer(layer, act, symbolic)
        for layer, act, symbolic in zip(
            network.layers, model.act_fun, model.symbolic_fun, strict=True
        )
    ]
    return network.with_layers(tuple(layers))


def _layer(layer: Layer, act: Any, symbolic: Any) -> Layer:
    def numbers(values: torch.Tensor) -> np.ndarray:
        return values.detach().double().numpy()

    mask = numbers(symbolic.mask)
    names = tuple(
        tuple(_front(j, i) if mask[j, i] else "0" for i in range(layer.n_sources))
        for j in range(layer.n_subnodes)
    )
    return replace(layer, functions=names).with_arrays(
        knots=numbers(act.grid),
        coef=numbers(act.coef).transpose(1, 0, 2),
        scale_base=numbers(act.scale_base).T,
        scale_sp=numbers(act.scale_sp).T,
        spline_mask=np.ones_like(mask),
        symbolic_mask=mask,
        affine=numbers(symbolic.affine),
    )


def _front(subnode: int, source: int) -> str:
    return FRONTS[(subnode + source) % len(FRONTS)]


def _places(width: list[int]) -> list[tuple[int, int, int]]:
    """(layer, source, target) of every edge."""
    return [
        (index, i, j)
        for index, (n_in, n_out) in enumerate(pairwise(width))
        for i in range(n_in)
        for j in range(n_out)
    ]


def _switch_on(model: Any, layer: int, source: int, target: int) -> None:
    """A symbolic front beside the spline of an edge."""
    name = _front(target, source)
    model.fix_symbolic(layer, source, target, name, fit_params_bool=False, random=True)
    model.act_fun[layer].mask.data[source, target] = 1.0
