"""A textbook law, corrected by measurements.

The period of a pendulum is T = 2 pi sqrt(L/g), says the textbook, and that is right for small
swings without air. The 500 rows of data/pendulum.csv (simulated, see data/README.md) have swings
up to 137 degrees, the drag of the air, and the error of a hand-held stopwatch.

The law goes in as a network, the network gets room to learn, and the data correct it:

    python examples/pendulum.py

prints the error after every step and leaves the pictures in examples/figures/.
"""

from __future__ import annotations

from pathlib import Path

import torch

import kanstudio
from kanstudio.training.data import Dataset, table_dataset
from kanstudio.training.table import read_table

HERE = Path(__file__).parent
FIGURES = HERE / "figures"
LAW = "T = 2*pi*sqrt(L/9.81)"
INPUTS = ("L", "theta")
STOPWATCH = 0.0113  # s, the error in T that no model can remove


def measurements() -> Dataset:
    """400 rows to train and 100 to test: L in m and theta in rad give T in s."""
    path = HERE / "data" / "pendulum.csv"
    return table_dataset(read_table(path.read_bytes(), path.name), INPUTS, ("T",), seed=0)


def rmse(model: kanstudio.KAN, data: Dataset) -> tuple[float, float]:
    """Root mean squared error in seconds on the training and the test rows."""
    parts = ((data.train_x, data.train_y), (data.test_x, data.test_y))
    with torch.no_grad():
        errors = [model(torch.tensor(x)) - torch.tensor(y) for x, y in parts]
    train, test = (float((error**2).mean().sqrt()) for error in errors)
    return train, test


def correct(steps: int = 50, figures: Path | None = None) -> dict[str, tuple[float, float]]:
    """The (train, test) error after each step; with a folder, pictures of each step."""
    data = measurements()
    errors: dict[str, tuple[float, float]] = {}

    def note(what: str) -> None:
        errors[what] = rmse(model, data)
        model.get_act(torch.tensor(data.train_x))
        if figures is not None:
            picture = model.plot(metric="forward_n", beta=100, title=what)
            for ending in ("svg", "png"):
                picture.save(figures / f"pendulum_{len(errors)}_{what}.{ending}")

    model = kanstudio.compile(LAW, inputs=INPUTS, dtype=torch.float64)
    model.update_grid_from_samples(torch.tensor(data.train_x))
    note("law")
    # One more layer, and beside the law's node a product: room for T = T0(L) * correction(theta).
    model.expand_depth()
    model.expand_width(1, 1, sum_bool=False, mult_arity=2)
    model.update_grid_from_samples(torch.tensor(data.train_x))
    note("expanded")
    model.perturb(mag=0.1, mode="all", seed=0)
    note("perturbed")
    model.fit(data, opt="LBFGS", steps=steps, grid_update_num=5, stop_grid_update_step=25)
    note("trained")
    return errors


def main() -> None:
    FIGURES.mkdir(exist_ok=True)
    errors = correct(figures=FIGURES)
    print(f"{'RMSE in seconds':<20}{'train':>8}{'test':>8}")
    for what, (train, test) in errors.items():
        print(f"{what:<20}{train:>8.4f}{test:>8.4f}")
    print(f"{'(stopwatch alone)':<20}{STOPWATCH:>8.4f}{STOPWATCH:>8.4f}")
    print("pictures: examples/figures/")


if __name__ == "__main__":
    main()
