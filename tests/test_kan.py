"""KAN, the torch module: what pykan's callers expect of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from strategies import networks, samples

from kanstudio import KAN, DataError, EditError, TrainingError, create_dataset, kanpiler
from kanstudio.network.forward import evaluate
from kanstudio.network.network import Network


def tutorial() -> KAN:
    a, b = sympy.symbols("a b")
    return kanpiler([a, b], sympy.exp(sympy.sin(sympy.pi * a) + b**2))


def tutorial_data(n: int = 100) -> dict[str, torch.Tensor]:
    def f(x: torch.Tensor) -> torch.Tensor:
        return torch.exp(torch.sin(torch.pi * x[:, [0]]) + x[:, [1]] ** 2)

    return create_dataset(f, n_var=2, train_num=n, test_num=n)


@given(networks())
@settings(max_examples=30)
def test_module_and_value_are_the_same_network(network: Network) -> None:
    model = KAN.from_network(network, dtype=torch.float64)
    assert model.network().same_values(network)
    x = samples(network)
    with torch.no_grad():
        np.testing.assert_array_equal(model(torch.tensor(x)).numpy(), evaluate(network, x))


def test_float32_survives_an_edit_bit_for_bit() -> None:
    model = KAN([2, 3, 1], seed=4)
    x = torch.rand(50, 2)
    before = model(x)
    model.expand_depth().expand_width(1, 2).expand_width(2, 2, sum_bool=False, mult_arity=[2, 3])
    assert model.dtype == torch.float32
    assert torch.equal(model(x), before)
    assert model.width == [[2, 0], [5, 0], [1, 2], [1, 0]]


def test_only_what_training_moves_has_gradients() -> None:
    model = KAN([2, 2, 1])
    moved = {name.split(".")[-1] for name, p in model.named_parameters() if p.requires_grad}
    assert moved == {"coef", "scale_base", "scale_sp", "affine"}


def test_state_dict_round_trip() -> None:
    first, second = KAN([2, 3, 1], seed=1), KAN([2, 3, 1], seed=2)
    second.load_state_dict(first.state_dict())
    assert second.network().same_values(first.network())


def test_compiled_in_float32_has_the_error_of_float32() -> None:
    model, data = tutorial(), tutorial_data()
    with torch.no_grad():
        error = model(data["train_input"]) - data["train_label"]
    assert float(error.square().mean()) < 1e-11
    assert model.width == [[2, 0], [1, 0], [1, 0]] and model.n_edge == 3


def test_fit_returns_rmse_histories_and_learns() -> None:
    model, data = tutorial(), tutorial_data()
    model.get_act(data)
    model.perturb(mag=0.1, mode="all")
    result = model.fit(data, opt="LBFGS", steps=5, update_grid=False)
    assert {name: len(values) for name, values in result.items()} == {
        "train_loss": 5, "test_loss": 5, "reg": 5,
    }  # fmt: skip
    assert result["train_loss"][-1] < result["train_loss"][0]
    with torch.no_grad():
        error = model(data["test_input"]) - data["test_label"]
    assert float(error.square().mean().sqrt()) == pytest.approx(result["test_loss"][-1], rel=1e-3)


def test_fit_leaves_the_global_random_state_alone() -> None:
    model, data = KAN([2, 2, 1]), tutorial_data(40)
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    model.fit(data, opt="Adam", steps=3, lr=0.01, batch=10)
    assert torch.equal(before[0], torch.random.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])


def test_fit_metrics_are_recorded_by_name() -> None:
    model = KAN([2, 2, 1])

    def edges() -> float:
        return model.n_edge

    result = model.fit(tutorial_data(30), opt="Adam", steps=3, lr=0.01, metrics=[edges])
    assert result["edges"].tolist() == [6, 6, 6]


def test_fit_on_a_loss_that_is_not_finite_keeps_the_last_good_state() -> None:
    model = KAN([1, 1], dtype=torch.float64)
    x = torch.linspace(-1, 1, 20, dtype=torch.float64)[:, None]
    y = x * 1e200
    before = model.network()
    with pytest.raises(TrainingError, match="not finite"):
        model.fit({"train_input": x, "train_label": y, "test_input": x, "test_label": y}, steps=3)
    assert model.network().same_values(before)


def test_get_act_needs_samples_and_takes_a_dataset() -> None:
    model, data = tutorial(), tutorial_data()
    with pytest.raises(DataError, match="no samples"):
        model.get_act()
    measured = model.get_act(data)
    assert [layer.edge_std.shape for layer in measured.layers] == [(1, 2), (1, 1)]
    model.plot()
    with pytest.raises(DataError, match="lacks test_label"):
        model.fit({k: v for k, v in data.items() if k != "test_label"})


def test_errors_leave_the_model_untouched() -> None:
    model = tutorial()
    before = model.network()
    with pytest.raises(EditError):
        model.expand_width(4, 1)
    assert model.network().same_values(before)


@pytest.mark.parametrize("metric", ["backward", "forward_n", "forward_u"])
def test_plot_saves_pictures(metric: str, tmp_path: Path) -> None:
    model, data = tutorial(), tutorial_data()
    model.get_act(data)
    picture = model.plot(metric=metric, beta=1000)
    for name, start in (("net.svg", b"<"), ("net.png", b"\x89PNG")):
        picture.save(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
