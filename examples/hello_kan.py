"""From data to a formula: train, prune, refine, and read the functions off the edges.

A thousand samples of exp(sin(pi x) + y^2), and a network [2, 5, 1] of splines that knows
nothing of the formula:

    python examples/hello_kan.py

prints the error after every stage and, at the end, the formula that was found. It is the
first tutorial of pykan, in pykan's words.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kanstudio import KAN, create_dataset


@dataclass(frozen=True)
class Stage:
    """What was done, the shape it left, and the root mean squared error on the test samples."""

    name: str
    width: list[list[int]]
    n_edge: int
    rmse: float


def samples() -> dict[str, torch.Tensor]:
    """1,000 samples to train and 1,000 to test, in float64."""
    data = create_dataset(
        lambda x: torch.exp(torch.sin(torch.pi * x[:, [0]]) + x[:, [1]] ** 2), n_var=2
    )
    # In float32 the labels themselves would be off by 1e-7.
    x = {name: data[name].double() for name in ("train_input", "test_input")}
    y = {
        name.replace("input", "label"): torch.exp(torch.sin(torch.pi * v[:, [0]]) + v[:, [1]] ** 2)
        for name, v in x.items()
    }
    return x | y


def run(seed: int = 0) -> tuple[list[Stage], KAN]:
    """The stages and the network at the end, whose edges are all functions."""
    data, stages = samples(), []

    def trained(name: str, model: KAN, steps: int = 50, opt: str = "LBFGS", **more: float) -> None:
        losses = model.fit(data, opt=opt, steps=steps, log=0, **more)
        stages.append(Stage(name, model.width, model.n_edge, float(losses["test_loss"][-1])))

    model = KAN([2, 5, 1], grid=3, k=3, seed=seed, dtype=torch.float64)
    trained("train with a penalty for every edge", model, lamb=0.002)
    model = model.prune()
    trained("prune what hardly matters, train on", model)
    model.refine(10)
    trained("a finer grid", model)
    for edge in model.auto_symbolic():
        print(edge)  # such as (0,0,0): fixed with sin, r2=1, c=2
    trained("functions in place of splines", model, opt="LM")
    return stages, model


if __name__ == "__main__":
    stages, model = run()
    for stage in stages:
        print(f"{stage.name:40s} {stage.n_edge:3d} edges, test RMSE {stage.rmse:.1e}")
    print(model.symbolic_formula(tolerance=1e-6))
