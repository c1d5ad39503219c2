"""`KAN.fit`: pykan's arguments, coarse to fine, normalisation, and what callers may watch."""

from __future__ import annotations

import inspect
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import kanstudio
from kanstudio import KAN
from kanstudio.errors import DataError, FileError, KanStudioError, TrainingError
from kanstudio.training import Stream


def law(x: torch.Tensor) -> torch.Tensor:
    return torch.exp(torch.sin(torch.pi * x[:, [0]]) + x[:, [1]] ** 2)


@pytest.fixture(scope="module")
def data() -> dict[str, torch.Tensor]:
    return kanstudio.create_dataset(law, n_var=2, train_num=200, test_num=100)


def model(width=(2, 3, 1), **options) -> KAN:
    return KAN(list(width), **{"grid": 3, "seed": 0, "dtype": torch.float64, **options})


def rmse(trained: KAN, data) -> float:
    error = trained(data["test_input"]) - data["test_label"]
    return float(error.square().mean().sqrt().detach())


def test_arguments_stand_where_pykan_has_them():
    kan = pytest.importorskip("kan", reason="pykan is not installed")
    theirs = inspect.signature(kan.MultKAN.fit).parameters
    ours = inspect.signature(KAN.fit).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    for name, parameter in theirs.items():
        # lr 1 suits L-BFGS only: without one, each optimiser has its own.
        if name != "lr":
            assert ours[name].default == parameter.default, name


@pytest.mark.parametrize("opt", ["LBFGS", "Adam", "LM", "auto"])
def test_every_optimiser_learns(data, opt):
    trained = model()
    before = rmse(trained, data)
    result = trained.fit(data, opt=opt, steps=12)
    assert rmse(trained, data) < (0.9 if opt == "Adam" else 0.1) * before
    assert {name: len(values) for name, values in result.items()} == dict.fromkeys(
        ("train_loss", "test_loss", "reg"), 12
    )


def test_a_module_in_float32_trains_in_float64_on_the_cpu_unless_asked(data):
    losses = [
        model(dtype=torch.float32).fit(data, opt="Adam", steps=3, **asked)["test_loss"][-1]
        for asked in ({}, {"dtype": "float64"}, {"dtype": "float32"})
    ]
    assert losses[0] == losses[1] != losses[2]
    assert losses[2] == pytest.approx(losses[0], rel=1e-4)


def test_grids_go_from_coarse_to_fine(data):
    trained = model()
    result = trained.fit(data, opt="LM", steps=10, grids=[3, 6], update_grid=False)
    assert trained.grid == 6
    assert result["stages"].tolist() == [0, 10]
    ends = result["train_loss"][[9, 19]]
    assert ends[1] < 0.5 * ends[0]
    assert result["test_loss"][-1] == pytest.approx(rmse(trained, data), rel=1e-9)


def test_five_grids_in_one_call_lower_the_loss_at_each(data):
    """[2, 1, 1] is the shape of the law, so that every start comes to it."""
    options = dict(opt="LM", steps=20, stop_grid_update_step=10, patience=0)
    trained = model((2, 1, 1))
    result = trained.fit(data, grids=[3, 5, 10, 20, 50], **options)
    assert (trained.grid, result["stages"].tolist()) == (50, [0, 20, 40, 60, 80])
    losses = result["train_loss"][[19, 39, 59, 79, 99]]
    assert all(fine < 0.7 * coarse for coarse, fine in pairwise(losses))
    assert losses[-1] < 1e-3 * losses[0]


def test_grids_too_fine_for_the_samples_are_given_up_with_early_stopping(data):
    few = {name: values[:40] for name, values in data.items()}
    trained, plain = model(), model()
    result = trained.fit(few, opt="LBFGS", steps=20, patience=20, grids=[3, 50])
    plain.fit(few, opt="LBFGS", steps=20, grids=[3, 50])
    assert (trained.grid, plain.grid) == (3, 50)
    assert rmse(trained, few) == pytest.approx(result["test_loss"].min(), rel=1e-9)
    assert rmse(trained, few) < 0.5 * rmse(plain, few)


@pytest.mark.parametrize("grids", [[5, 3], [2], [3, 4.5], "5", [], 5])
def test_grids_that_do_not_rise_are_refused_before_anything_is_trained(data, grids):
    trained = model()
    before = trained.network()
    with pytest.raises(TrainingError, match="grids"):
        trained.fit(data, steps=2, grids=grids)
    assert trained.network().same_values(before)


def test_a_loss_of_ones_own(data):
    def absolute(prediction, label):
        return (prediction - label).abs().mean()

    trained = model()
    result = trained.fit(data, opt="Adam", steps=30, loss_fn=absolute, update_grid=False)
    error = (trained(data["test_input"]) - data["test_label"]).abs().mean()
    assert result["test_loss"][-1] ** 2 == pytest.approx(float(error.detach()), rel=1e-6)
    assert result["train_loss"][-1] < result["train_loss"][0]
    with pytest.raises(TrainingError, match="least squares"):
        trained.fit(data, opt="LM", steps=2, loss_fn=absolute)


def test_weights_say_which_samples_count(data):
    """Samples of weight 0 count as little as samples that are not there."""
    half = data["train_input"][:, 0] > 0
    weighted = {**data, "train_weight": half.double()}
    alone = {**data, "train_input": data["train_input"][half],
             "train_label": data["train_label"][half]}  # fmt: skip
    results = [
        model().fit(samples, opt="LM", steps=4, update_grid=False)["train_loss"]
        for samples in (weighted, alone)
    ]
    assert results[0] == pytest.approx(results[1], rel=1e-6)


def test_singularities_are_avoided_while_training():
    trained = kanstudio.compile("1/x")
    x = torch.linspace(-1e-6, 1, 50)[:, None]
    data = {"train_input": x, "train_label": torch.ones(50, 1),
            "test_input": x[1:], "test_label": torch.ones(49, 1)}  # fmt: skip
    plain = kanstudio.compile("1/x").fit(data, opt="Adam", steps=1, update_grid=False)
    avoided = trained.fit(
        data, opt="Adam", steps=1, singularity_avoiding=True, y_th=50.0, update_grid=False
    )
    assert plain["train_loss"][0] > 1e4
    assert avoided["train_loss"][0] < 50


def test_normalised_training_leaves_a_network_of_plain_values():
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.uniform([1000.0, 1e-4], [5000.0, 3e-4], (300, 2)))
    y = 1e6 * torch.sqrt(x[:, :1]) * x[:, 1:] + 7e5
    source = (x, y)
    trained = model()
    result = trained.fit(source, opt="LM", steps=30, normalize=True, grids=[3, 6])
    error = (trained(x) - y).square().mean().sqrt() / y.std()
    assert float(error.detach()) < 1e-3
    assert result["train_loss"][-1] < 1e-3
    plain = model()
    plain.fit(source, opt="LM", steps=30)
    assert float(((plain(x) - y).square().mean().sqrt() / y.std()).detach()) > float(error.detach())
    # A second call goes on from there.
    again = trained.fit(source, opt="LM", steps=1, normalize=True, update_grid=False)
    assert again["train_loss"][0] < 2 * result["train_loss"][-1]


def test_a_compiled_formula_stays_in_its_units():
    formula = kanstudio.compile("3*x + 1000")
    x = torch.linspace(500, 900, 60)[:, None]
    before = formula(x)
    formula.fit((x, 3 * x + 1000), opt="LM", steps=2, normalize=True)
    assert torch.allclose(formula(x), before, rtol=1e-5)
    with pytest.raises(TrainingError, match="normalise its batches"):
        formula.fit(Stream([(x, x)], x, x), opt="Adam", batch=9, normalize=True)


def test_normalisation_is_undone_in_the_formula():
    """The formula of a network that was trained in other units has the law's own numbers."""
    rng = np.random.default_rng(0)
    t = rng.uniform(200.0, 900.0, (200, 1))
    law = 4.5e5 * np.exp(-t / 300.0) + 2e4
    trained = kanstudio.compile("50000*exp(-t/400) + 1000", dtype=torch.float64)
    trained.fit((t, law), opt="LM", steps=60, normalize=True)
    expressions, (symbol,) = trained.symbolic_formula(tolerance=1e-9)
    found = float(expressions[0].subs(symbol, 450).evalf())
    assert found == pytest.approx(4.5e5 * np.exp(-1.5) + 2e4, rel=1e-9)
    assert str(trained.symbolic_formula()) == "y = 20000 + 450000*exp(-t/300)"


def test_callbacks_see_every_step_and_can_stop(data):
    trained, seen = model(), []

    def watch(progress):
        seen.append((progress.step, progress.test_loss, rmse(trained, data)))
        return progress.step == 4

    result = trained.fit(data, opt="Adam", steps=50, callbacks=[watch])
    assert [step for step, _, _ in seen] == [1, 2, 3, 4]
    assert all(loss == pytest.approx(held, rel=1e-9) for _, loss, held in seen)
    assert len(result["train_loss"]) == 4
    assert rmse(trained, data) == seen[-1][2]


def test_an_interrupted_fit_keeps_what_was_learned(data):
    """Ctrl+C in the middle of a step, and an error in a function of the caller's."""
    expected = model()
    expected.fit(data, opt="Adam", steps=3)
    calls = []

    def absolute(prediction, label):
        calls.append(1)
        if len(calls) == 8:  # two a step, training and test
            raise KeyboardInterrupt
        return (prediction - label).square().mean()

    trained = model()
    with pytest.raises(KeyboardInterrupt):
        trained.fit(data, opt="Adam", steps=50, loss_fn=absolute)
    assert rmse(trained, data) == pytest.approx(rmse(expected, data), rel=1e-9)

    trained = model()
    with pytest.raises(ZeroDivisionError):
        trained.fit(data, opt="Adam", steps=50, callbacks=[lambda p: 1 / (p.step - 3)])
    assert rmse(trained, data) == rmse(expected, data)


def test_pictures_of_the_steps(data, tmp_path: Path):
    folder = tmp_path / "video"
    model().fit(
        data, opt="Adam", steps=5, save_fig=True, save_fig_freq=2, img_folder=str(folder),
        in_vars=["a", "b"], beta=10,
    )  # fmt: skip
    assert sorted(path.name for path in folder.iterdir()) == ["0.png", "2.png", "4.png"]
    assert (folder / "0.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot make the folder"):
        model().fit(data, steps=1, save_fig=True, img_folder=str(tmp_path / "file"))


def test_metrics_are_logged_by_name(data, caplog):
    def edges():
        return torch.tensor(7.0)

    with caplog.at_level("INFO", logger="kanstudio"):
        result = model().fit(
            data, opt="Adam", steps=5, log=2, metrics=[edges], display_metrics=["reg", "edges"]
        )
    assert result["edges"].tolist() == [7.0] * 5
    lines = [record.message for record in caplog.records]
    assert [line.split(":")[0] for line in lines] == ["step 1", "step 3", "step 5"]
    assert lines[0] == "step 1: reg 0.00e+00, edges 7.00e+00"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"log": "a"}, "log must be a whole number"),
        ({"log": -1}, "log must be a whole number"),
        ({"metrics": 3}, "metrics must be a list of functions"),
        ({"metrics": [3]}, "metrics must be a list of functions"),
        ({"metrics": [len, len]}, "a name of its own"),
        ({"metrics": [dict]}, "dict must return a number"),
        ({"display_metrics": ["x"]}, "there is no metric 'x'"),
        ({"display_metrics": "reg"}, "a list of names"),
        ({"callbacks": len}, "callbacks must be a list of functions"),
        ({"save_fig": True, "save_fig_freq": 0}, "save_fig_freq"),
        ({"opt": "SGD"}, "Adam, LBFGS, LM, auto"),
        ({"learning": 1}, "fit knows no argument 'learning'.*schedule"),
        ({"optimizer": "Adam"}, "fit knows no argument 'optimizer'"),
        ({"loss_fn": 3}, "loss_fn must be a function"),
        ({"loss_fn": lambda p, y: p - y}, "loss_fn must return one number"),
        ({"loss_fn": lambda p, y: 3.0}, "loss_fn must return one number"),
    ],
)
def test_wrong_arguments_say_what_is_right(data, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainingError, match=message):
        model().fit(data, **{"steps": 2, **options})


def test_frames_files_and_loaders_train(data, tmp_path: Path):
    frame = pd.DataFrame(
        {"x1": data["train_input"][:, 0], "x2": data["train_input"][:, 1],
         "y": data["train_label"][:, 0]}
    )  # fmt: skip
    frame.to_parquet(tmp_path / "rows.parquet")
    losses = [
        model().fit(source, opt="LM", steps=3, seed=5)["test_loss"].tolist()
        for source in (frame, tmp_path / "rows.parquet",
                       (data["train_input"], data["train_label"]))
    ]  # fmt: skip
    assert losses[0] == losses[1]
    assert losses[0] == pytest.approx(losses[2], rel=1e-6)


def test_a_stream_trains_with_adam(data):
    batches = [(data["train_input"][i : i + 20], data["train_label"][i : i + 20])
               for i in range(0, 200, 20)]  # fmt: skip
    trained = model()
    before = rmse(trained, data)
    stream = Stream(batches, data["test_input"], data["test_label"])
    trained.fit(stream, opt="auto", batch=20, steps=100, lr=0.02)
    assert rmse(trained, data) < 0.7 * before


def test_an_unknown_device_is_refused():
    with pytest.raises(KanStudioError, match="no device 'tpu3'"):
        KAN([2, 1], device="tpu3")
    with pytest.raises(DataError, match="no device"):
        KAN.from_network(model().network(), device="nonsense")
