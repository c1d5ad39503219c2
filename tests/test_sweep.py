"""Sweeps: what they vary, what they come to, and that nothing stops them for good."""

from __future__ import annotations

import csv
import math
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from kanstudio import KAN, Sweep, cli, create_dataset
from kanstudio.cli_sweep import setting, swept
from kanstudio.compiler.public import network_of
from kanstudio.editor.model_file import read_model
from kanstudio.errors import DataError, EditError, FormulaError, KanStudioError, TrainingError
from kanstudio.network.edits import perturb
from kanstudio.network.forward import evaluate
from kanstudio.network.grid import update_grid_from_samples
from kanstudio.sweep import Cluster, SweepResult
from kanstudio.sweep.points import network_at, points_of
from kanstudio.training import Dataset, FormulaData, sample_formula, train


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(n_workers=2) as two:
        yield two


@pytest.fixture(scope="module")
def data() -> Dataset:
    def law(x: np.ndarray) -> np.ndarray:
        return np.sin(2 * x[:, [0]]) * x[:, [1]]

    return sample_formula(law, FormulaData(((-1, 1), (-1, 1)), 100, 50), "ab", "c")


def kill_one(cluster: Cluster) -> None:
    async def pids() -> dict[str, int]:
        return await (await cluster.client()).run(os.getpid)

    os.kill(next(iter(cluster.submit(pids()).result().values())), signal.SIGKILL)


def check(result: SweepResult) -> None:
    """Every run has the numbers of the same run here, in the order of the test losses."""
    for outcome in result.outcomes:
        run = train(network_at(outcome.point, result.dataset), result.dataset,
                    outcome.point.settings)  # fmt: skip
        here = [(p.train_loss, p.test_loss) for p in run]
        assert outcome.state == "finished"
        assert outcome.steps == len(here)
        assert outcome.losses.tolist() == [list(pair) for pair in here]
        assert outcome.network is not None
        assert outcome.network.same_values(run.network())
        assert outcome.edges == outcome.network.n_edge
    losses = [outcome.test_loss for outcome in result.outcomes]
    assert losses == sorted(losses)


def test_a_sweep_trains_every_point_and_finds_the_best(cluster, data, tmp_path):
    over = {"seed": range(2), "grid": [3, 5], "lamb": [0, 1e-3]}
    study = Sweep(data, over, width=[2, 3, 1], opt="LBFGS", steps=8, cluster=cluster)
    result = study.run()
    check(result)
    assert len(result.outcomes) == 8
    table = result.table
    assert list(table.columns[:3]) == ["seed", "grid", "lamb"]
    assert list(table["test_loss"]) == [o.test_loss for o in result.outcomes]
    assert set(table["parameters"]) == {9 * (3 + 3 + 2), 9 * (5 + 3 + 2)}
    assert (table["seconds"] > 0).all()
    best = result.best
    error = evaluate(best.network, data.test_x) - data.test_y
    assert best.test_loss == pytest.approx(np.sqrt((error**2).mean()), rel=1e-9)
    lines = str(result).splitlines()
    assert lines[0].split()[:3] == ["seed", "grid", "lamb"]
    assert lines[1].split()[:3] == [f"{value:g}" for value in best.point.varied.values()]
    assert "<table" in result._repr_html_()
    result.save(tmp_path / "best.safetensors")
    assert KAN.load(tmp_path / "best.safetensors").network().same_values(best.network)
    assert result.document.network.input_names == ("a", "b")
    assert len(result.document.losses) == result.document.trained == 8


def test_a_killed_worker_changes_no_number_of_a_sweep(cluster, data):
    study = Sweep(data, {"seed": range(3)}, width=[2, 4, 1], opt="Adam", steps=6_000,
                  update_grid=False, cluster=cluster)  # fmt: skip
    killed, steps = False, {point.index: 0 for point in study.points}
    for point, progress in study:
        steps[point.index] += 1
        assert progress.step == steps[point.index]
        if not killed and min(sorted(steps.values())[-2:]) > 1_500:
            killed = True
            kill_one(cluster)
    assert killed
    check(study.result())


def test_a_cancelled_sweep_keeps_what_it_learned_and_can_go_on(cluster, data):
    study = Sweep(data, {"seed": range(4)}, width=[2, 2, 1], opt="Adam", steps=3_000,
                  update_grid=False, cluster=cluster)  # fmt: skip
    for count, _ in enumerate(study):
        if count == 1_000:
            threading.Thread(target=study.cancel).start()
    states = {outcome.state for outcome in study.result().outcomes}
    assert "stopped" in states
    assert study.result().best.network is not None
    for _ in study:
        break  # Leaving the loop is another way to stop.
    check(study.run())


def test_a_formula_is_where_a_sweep_can_start(cluster, data):
    study = Sweep(data, {"magnitude": [0.1, 0.3], "seed": [0, 1]}, formula="c = a*b", opt="LM",
                  steps=5, perturb="all", cluster=cluster)  # fmt: skip
    check(study.run())
    point = study.points[3]
    start = update_grid_from_samples(network_of("c = a*b", seed=1), data.train_x)
    assert network_at(point, data).same_values(perturb(start, "all", 0.3, 1))
    document = study.result().document
    assert document.text == "c = a*b"
    assert document.formula is not None


def test_a_model_can_be_swept_and_refined(data):
    model = KAN([2, 3, 1], grid=3, seed=4)
    points = points_of({"grid": [3, 6]}, {"model": model})
    coarse, fine = (network_at(point, data) for point in points)
    assert coarse.same_values(model.network())
    assert (coarse.grid, fine.grid) == (3, 6)
    np.testing.assert_allclose(
        evaluate(fine, data.test_x), evaluate(coarse, data.test_x), atol=1e-3
    )


def test_early_stopping_is_told_by_the_losses_of_the_network_that_is_kept(cluster, data):
    study = Sweep(data, [{"patience": 3}], width=[2, 5, 1], grid=8, opt="LM", steps=60,
                  cluster=cluster)  # fmt: skip
    best = study.run().best
    error = evaluate(best.network, data.test_x) - data.test_y
    assert best.steps < 60
    assert best.test_loss == pytest.approx(np.sqrt((error**2).mean()), rel=1e-9)
    assert best.test_loss == best.losses[:, 1].min()


def test_a_run_that_fails_does_not_spoil_the_others(cluster):
    x = np.linspace(-1, 1, 20)[:, None]
    broken = Dataset(x, x * 1e200, x, x)
    result = Sweep(broken, {"seed": [0]}, width=[1, 1], steps=5, cluster=cluster).run()
    assert result.outcomes[0].state == "error"
    assert math.isnan(result.outcomes[0].test_loss)
    assert "not finite" in str(result)
    with pytest.raises(TrainingError, match="not finite"):
        _ = result.best


def test_points_are_all_combinations_or_those_of_a_list():
    over = {"width": [[2, 1], [2, [3, 1], 1]], "seed": range(3)}
    points = points_of(over, {"lr": 0.5, "k": 2})
    assert [tuple(p.varied.values()) for p in points] == [
        (width, seed) for width in over["width"] for seed in range(3)
    ]
    assert {p.settings.learning_rate for p in points} == {0.5}
    assert [p.settings.seed for p in points] == [0, 1, 2] * 2
    assert [network_at(p).width for p in points[::3]] == [[[2, 0], [1, 0]],
                                                          [[2, 0], [3, 1], [1, 0]]]  # fmt: skip
    listed = points_of([{"lamb": 0.1}, {"width": [2, 2, 1]}][:1], {"width": [2, 1]})
    assert [str(p) for p in listed] == ["lamb=0.1"]


@pytest.mark.parametrize(
    ("over", "fixed", "words"),
    [
        ({}, {"width": [2, 1]}, "nothing to sweep"),
        ({"seed": []}, {"width": [2, 1]}, "nothing to sweep"),
        ([], {"width": [2, 1]}, "nothing to sweep"),
        ("seed", {"width": [2, 1]}, "list of such choices"),
        (5, {"width": [2, 1]}, "list of such choices"),
        ({"seed": 5}, {"width": [2, 1]}, "list of values, not 5"),
        ({"opt": "LBFGS"}, {"width": [2, 1]}, "list of values"),
        ({"seeds": [1]}, {"width": [2, 1]}, "knows no 'seeds'"),
        ({"seed": [1]}, {"width": [2, 1], "seed": 2}, "seed is given twice"),
        ({"lr": [1]}, {"width": [2, 1], "learning_rate": 2}, "learning_rate is given twice"),
        ({"seed": [1]}, {}, "one of width, formula, model"),
        ({"seed": [1]}, {"width": [2, 1], "formula": "x"}, "width and formula"),
        ({"seed": [-1]}, {"width": [2, 1]}, "seed"),
        ({"lamb": [0, -1]}, {"width": [2, 1]}, "lamb must be"),
        ({"opt": ["Newton"]}, {"width": [2, 1]}, "optimizer must be"),
        ({"seed": range(10**9)}, {"width": [2, 1]}, "at most 100,000"),
        ({"width": [[2, 1], [2]]}, {}, r"width \[2\] is not a network"),
        ({"width": [[3, 1]]}, {}, "3 inputs"),
        ({"grid": [0]}, {"width": [2, 1]}, "grid"),
        ({"formula": ["a*b", "a*"]}, {}, "line 1"),
        ({"model": [7]}, {}, "not int"),
    ],
)  # fmt: skip
def test_what_cannot_be_swept_is_told_at_once(over, fixed, words, data):
    with pytest.raises((TrainingError, EditError, FormulaError), match=words):
        Sweep(data, over, **fixed)


def test_data_come_from_wherever_fit_takes_them():
    pair = create_dataset(lambda x: x[:, [0]] ** 2, n_var=1, train_num=20, test_num=10)
    assert Sweep(pair, {"seed": [0]}, width=[1, 1]).dataset.n_test == 10
    with pytest.raises(DataError):
        Sweep({"train_input": 0}, {"seed": [0]}, width=[1, 1])


@pytest.mark.parametrize("where", [{"scheduler": "10.0.0.5"}, {"scheduler": 5}, {"workers": 0},
                                   {"scheduler": "tcp://127.0.0.1:1", "workers": 2}])  # fmt: skip
def test_where_to_train_must_make_sense(where, data):
    study = Sweep(data, {"seed": [0]}, width=[2, 1], **where)
    with pytest.raises(KanStudioError):
        study.run()


# The command.


@pytest.fixture(scope="module")
def address(cluster: Cluster) -> str:
    async def ask() -> str:
        return str((await cluster.client()).scheduler.address)

    return cluster.submit(ask()).result()


def test_the_command_prints_the_table_and_writes_the_best(address, tmp_path, capsys):
    table, model = tmp_path / "table.csv", tmp_path / "best.safetensors"
    argv = ["sweep", "c = sin(a)*b", "--over", "seed=0:1", "--over", "grid=3,6", "--perturb", "all",
            "--samples", "60", "--optimizer", "LM", "--steps", "4", "--scheduler", address,
            "--table", str(table), "--out", str(model), "--set", "patience=0"]  # fmt: skip
    assert cli.main(argv) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["seed", "grid", "test", "loss"]
    assert lines[5:] == [f"wrote {table}", f"wrote {model}"]
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    losses = [float(row["test_loss"]) for row in rows]
    assert losses == sorted(losses)
    assert sorted((row["seed"], row["grid"]) for row in rows) == [
        ("0", "3"), ("0", "6"), ("1", "3"), ("1", "6")
    ]  # fmt: skip
    best = read_model(model.read_bytes())
    assert best.text == "c = sin(a)*b"
    assert str(best.network.grid) == rows[0]["grid"]


def test_the_command_takes_widths_and_a_file(address, data, tmp_path, capsys):
    file = tmp_path / "data.csv"
    rows = np.hstack([data.train_x, data.train_y])
    np.savetxt(file, rows, delimiter=",", header="a,b,c", comments="")
    argv = ["sweep", "--over", "width=[2,3,1],[2,[2,1],1]", "--data", str(file), "--inputs", "a,b",
            "--outputs", "c", "--steps", "2", "--scheduler", address]  # fmt: skip
    assert cli.main([*argv, "--out", str(tmp_path / "best.svg")]) == 0
    assert "[2, [2, 1], 1]" in capsys.readouterr().out
    assert (tmp_path / "best.svg").read_text("utf-8").startswith("<svg")
    argv[1:3] = ["--width", "2,2,1", "--over", "lamb=0,0.01"]
    assert cli.main(argv) == 0


def test_an_interrupt_leaves_the_table_of_what_was_learned(address, capsys, monkeypatch):
    follow = Sweep._follow

    def interrupted(self: Sweep, running: list[Any]) -> list[Any]:
        records = follow(self, running)
        if any(record.progress.step > 5 for record in records):
            monkeypatch.setattr(Sweep, "_follow", follow)
            raise KeyboardInterrupt
        return records

    monkeypatch.setattr(Sweep, "_follow", interrupted)
    argv = ["sweep", "sin(a)*b", "--over", "seed=0:3", "--perturb", "all", "--optimizer", "Adam",
            "--steps", "1000000", "--scheduler", address]  # fmt: skip
    assert cli.main(argv) == cli.EXIT_INTERRUPTED
    out, err = capsys.readouterr()
    assert "stopped" in out
    assert err.endswith("kanstudio: interrupted\n")


@pytest.mark.parametrize(
    "argv",
    [
        ["--over", "seed=1"],
        ["--over", "seed=1", "--width", "2,1"],
        ["--over", "seed=1", "--width", "2,1", "--data", "no such file.csv"],
        ["x", "--over", "seed"],
        ["x", "--over", "=1"],
        ["x", "--over", "seeds=1"],
        ["x"],
        ["x", "--over", "seed=1", "--set", "patience"],
        ["x", "--over", "seed=1", "--scheduler", "nowhere"],
        ["x", "--over", "seed=1", "--out", "net.pdf"],
        ["x", "--over", "seed=1", "--table", "no/such/folder/table.csv"],
        ["x", "--over", "seed=1", "--range", "z=0:1"],
    ],
)
def test_the_commands_mistakes_are_one_line(argv, capsys):
    assert cli.main(["sweep", *argv]) == cli.EXIT_ERROR
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_values_on_the_command_line():
    assert swept("seed=0:3") == ("seed", [0, 1, 2, 3])
    assert swept("lamb = 0, 1e-3") == ("lamb", [0, 0.001])
    assert swept("width=[2,5,1],[2,[3,1],1]") == ("width", [[2, 5, 1], [2, [3, 1], 1]])
    assert swept("opt=LM, Adam") == ("opt", ["LM", "Adam"])
    assert swept("update_grid=true,false") == ("update_grid", [True, False])
    assert setting("schedule=cosine") == ("schedule", "cosine")


# Many networks at once on one device; the CPU stands for it.


def test_networks_trained_together_learn_what_they_would_alone(data):
    over = {"seed": range(3), "grid": [3, 5], "lamb": [0, 1e-3]}
    study = Sweep(data, over, width=[2, 3, 1], opt="Adam", steps=30, together=True)
    steps: dict[int, list[int]] = {point.index: [] for point in study.points}
    for point, progress in study:
        steps[point.index].append(progress.step)
    assert all(seen == list(range(1, 31)) for seen in steps.values())
    result = study.result()
    for outcome in result.outcomes:
        run = train(network_at(outcome.point, data), data, outcome.point.settings)
        here = [(p.train_loss, p.test_loss) for p in run]
        np.testing.assert_allclose(outcome.losses, here, rtol=1e-6)
        assert outcome.state == "finished"
        assert outcome.seconds > 0
    assert result.best.network is not None


def test_a_sweep_on_one_device_can_be_cancelled_and_go_on(data):
    def make() -> Sweep:
        return Sweep(data, {"seed": range(3), "grid": [3, 4]}, width=[2, 3, 1], opt="Adam",
                     steps=60, together=True)  # fmt: skip

    study = make()
    for _, progress in study:
        if progress.step == 10:
            study.cancel()
    states = [outcome.state for outcome in study.result().outcomes]
    assert sorted(set(states)) == ["stopped", "waiting"]
    once, again = make().run(), study.run()
    for a, b in zip(once.outcomes, again.outcomes, strict=True):
        assert (a.point.varied, b.steps, b.state) == (b.point.varied, 60, "finished")
        np.testing.assert_allclose(a.losses, b.losses, rtol=1e-6)


def test_a_run_that_fails_beside_others_says_so():
    x = np.linspace(-1, 1, 20)[:, None]
    broken = Dataset(x, x * 1e200, x, x)
    result = Sweep(broken, {"seed": [0, 1]}, width=[1, 1], opt="Adam", steps=5, together=True).run()
    assert {outcome.state for outcome in result.outcomes} == {"error"}
    assert "not finite" in str(result)
