"""Training steps against other KAN packages from PyPI: jaxKAN and convkan.

They are no part of the tests' environment: ``benchmarks/peers.txt`` says how to get them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.efficient_kan import EfficientKAN
from benchmarks.shapes import IN_BOTH, Pair
from benchmarks.timing import Task, compare, dated, figure
from kanstudio.training import TrainingRun, TrainingSettings

TEXT = """# Training against other KAN packages

One Adam step on 1,000 samples with the loss on as many test samples: cubic splines, grid 5, the
same samples in each step, measured like the speed above. Made by
`python -m benchmarks peers --write`.

{dated}

{table}

- jaxKAN {jaxkan}: its layers of the efficient kind, the whole step with the loss on the test
  samples compiled by JAX {jax}.
- efficient-kan: its layer as convkan {convkan} publishes it on PyPI, with an axis for groups;
  "re-made" is our own measuring stick, see above.
- All others compute in float32, KAN Studio in float64 where nothing else is said; nobody has
  symbolic fronts or a regulariser here.
"""

N_SAMPLES = 1_000
SHAPES = ([2, 5, 1], [4, 9, 9, 1], [784, 64, 10])
WIDE = 10_000
"""From so many edges on a round has few steps."""

RATE = 1e-3


def measured(rounds: int) -> str:
    """The part of the page; needs the packages of peers.txt."""
    missing = [name for name in ("convkan", "jaxkan") if find_spec(name) is None]
    if missing:
        raise SystemExit(
            f"{' and '.join(missing)} missing: pip install --no-deps -r benchmarks/peers.txt"
        )
    lines = [
        "| network | against | times faster | KAN Studio, ms | theirs, ms |",
        "|---|---|---:|---:|---:|",
    ]
    for shape in SHAPES:
        lines += rows(shape, rounds)
    versions = {name: version(name) for name in ("jaxkan", "jax", "convkan")}
    return TEXT.format(dated=dated(), table="\n".join(lines), **versions)


def rows(shape: list[int], rounds: int) -> list[str]:
    """A line of the table for each peer."""
    wide = sum(a * b for a, b in pairwise(shape)) > WIDE
    rounds, n_ours, n_theirs = (max(rounds // 3, 2), 4, 1) if wide else (rounds, 100, 20)
    pair = Pair(shape, n_samples=N_SAMPLES)
    network, lines = f"[{','.join(map(str, shape))}]", []
    for dtype, note in IN_BOTH:
        settings = TrainingSettings(
            optimizer="Adam", learning_rate=RATE, steps=10_000_000, update_grid=False, dtype=dtype
        )
        run = TrainingRun(pair.ours, pair.dataset, settings)
        for name, step in peers(pair, shape).items():
            row = compare(
                name, repeated(run.step, n_ours), repeated(step, n_theirs),
                rounds=rounds, ours_count=n_ours, theirs_count=n_theirs,
            )  # fmt: skip
            lines.append(
                f"| {network}{note} | {name} | **{row.ratio:.3g}** "
                f"| {figure(row.ours_ms)} | {figure(row.theirs_ms)} |"
            )
    return lines


def peers(pair: Pair, shape: list[int]) -> dict[str, Task]:
    """By name, one training step on the pair's samples."""
    names = ("train_input", "train_label", "test_input", "test_label")
    data = [pair.their_dataset[name] for name in names]
    return {
        "jaxKAN": jax_step(data, shape),
        "efficient-kan (convkan)": torch_step(data, _convkan(shape)),
        "efficient-kan (re-made)": torch_step(data, EfficientKAN(shape)),
    }


def repeated(task: Task, count: int) -> Task:
    def tasks() -> None:
        for _ in range(count):
            task()

    return tasks


def torch_step(data: list[Tensor], model: nn.Module) -> Task:
    """A step of a torch module."""
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    x, y, test_x, test_y = data

    def step() -> None:
        optimizer.zero_grad()
        torch.mean((model(x) - y) ** 2).backward()
        optimizer.step()
        with torch.no_grad():
            torch.mean((model(test_x) - test_y) ** 2).item()

    return step


class _Groups(nn.Module):
    """A layer that has an axis of groups in front, with one group."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.unsqueeze(0)).squeeze(0)


def _convkan(shape: list[int]) -> nn.Module:
    from convkan.kanlinear import KANLinear

    return nn.Sequential(*(_Groups(KANLinear(a, b)) for a, b in pairwise(shape)))


def jax_step(data: list[Tensor], shape: list[int]) -> Callable[[], Any]:
    """A step of jaxKAN as JAX compiles it; before the first use of JAX: one thread."""
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import jax
    import optax
    from flax import nnx
    from jaxkan.models.KAN import KAN

    model = KAN(shape, layer_type="spline", required_parameters={"k": 3, "G": 5}, seed=0)
    optimizer = nnx.Optimizer(model, optax.adam(RATE), wrt=nnx.Param)
    structure, state = nnx.split((model, optimizer))
    x, y, test_x, test_y = (jax.numpy.asarray(part.numpy()) for part in data)

    @jax.jit
    def step(state: Any) -> tuple[Any, Any, Any]:
        model, optimizer = nnx.merge(structure, state)
        loss, gradient = nnx.value_and_grad(lambda net: ((net(x) - y) ** 2).mean())(model)
        optimizer.update(model, gradient)
        test = ((model(test_x) - test_y) ** 2).mean()
        return nnx.state((model, optimizer)), loss, test

    def one() -> float:
        nonlocal state
        state, loss, test = step(state)
        return float(loss) + float(test)

    return one
