"""The compiler tutorial's network, in KAN Studio and in pykan.

Feynman 36, one layer deeper, two sum nodes and two mult nodes (2 and 3 factors) wider,
every edge perturbed; 1,000 samples.
"""

from __future__ import annotations

from typing import Any

import kanstudio
from benchmarks.shapes import lbfgs_row
from benchmarks.timing import Row, compare, silence
from kanstudio.training import TrainingRun, TrainingSettings
from kanstudio.training.sources import as_dataset

PROBLEM = 36
N_SAMPLES = 1_000


def expanded(kanpiler: Any, problem: Any, dataset: dict[str, Any]) -> Any:
    """The tutorial's calls, which both libraries understand."""
    variables, expression = problem[0], problem[1]
    model = kanpiler(variables, expression)
    model.auto_save = False
    model.get_act(dataset["train_input"])
    model.expand_depth()
    model.expand_width(1, 2)
    model.expand_width(2, 2, sum_bool=False, mult_arity=[2, 3])
    model.perturb(mag=0.1, mode="all")
    model.get_act(dataset["train_input"])
    return model


class Pair:
    """The same network and samples in both libraries."""

    def __init__(self) -> None:
        from kan.compiler import kanpiler as their_kanpiler

        self.problem = kanstudio.get_feynman_dataset(PROBLEM)
        function, ranges = self.problem[2], self.problem[3]
        self.dataset = kanstudio.create_dataset(
            function,
            n_var=len(self.problem[0]),
            ranges=ranges,
            train_num=N_SAMPLES,
            test_num=N_SAMPLES,
            seed=0,
        )
        with silence():
            self.ours = expanded(kanstudio.kanpiler, self.problem, self.dataset)
            single = {name: values.float() for name, values in self.dataset.items()}
            self.theirs = expanded(their_kanpiler, self.problem, single)
            self.their_dataset = single


def training_rows(pair: Pair, rounds: int) -> list[Row]:
    """One step with the loss on the test samples, as pykan's fit takes it."""
    n_ours, n_theirs = 100, 10
    network, dataset = pair.ours.network(), as_dataset(pair.dataset)
    settings = TrainingSettings(
        optimizer="Adam", learning_rate=1e-2, steps=1_000_000, update_grid=False
    )
    run = TrainingRun(network, dataset, settings)
    lbfgs = lbfgs_row(
        f"one L-BFGS step, tutorial network, {N_SAMPLES:,} samples",
        rounds, 2, (network, dataset, pair.theirs, pair.their_dataset),
    )  # fmt: skip

    def ours() -> None:
        for _ in range(n_ours):
            run.step()

    def theirs() -> None:
        pair.theirs.fit(pair.their_dataset, opt="Adam", lr=1e-2, steps=n_theirs, update_grid=False)

    adam = compare(
        f"one Adam step, tutorial network, {N_SAMPLES:,} samples",
        ours, theirs, rounds=rounds, ours_count=n_ours, theirs_count=n_theirs,
    )  # fmt: skip
    return [adam, lbfgs]


def compile_row(pair: Pair, rounds: int) -> Row:
    """From a sympy expression to a network."""
    from kan.compiler import kanpiler as their_kanpiler

    variables, expression = pair.problem[0], pair.problem[1]
    return compare(
        "formula to network (kanpiler, Feynman 36)",
        lambda: kanstudio.kanpiler(variables, expression),
        lambda: their_kanpiler(variables, expression),
        rounds=rounds,
    )


def plot_row(pair: Pair, rounds: int, folder: str) -> Row:
    """From a network with known activations to a picture in memory."""
    import matplotlib.pyplot as plt

    pair.theirs.save_act = True
    pair.theirs.get_act(pair.their_dataset)

    def theirs() -> None:
        pair.theirs.plot(folder=folder, beta=1000)
        plt.close("all")

    return compare(
        "plot(beta=1000), tutorial network",
        lambda: pair.ours.plot(beta=1000).svg(),
        theirs,
        rounds=rounds,
    )
