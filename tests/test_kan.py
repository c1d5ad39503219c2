"""KAN, the torch module: what pykan's callers expect of it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from strategies import networks, samples

from kanstudio import (
    KAN,
    DataError,
    EditError,
    FileError,
    KanStudioError,
    TrainingError,
    create_dataset,
    kanpiler,
)
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


def test_a_loaded_state_brings_masks_and_functions() -> None:
    a, b = sympy.symbols("a b")
    first, second = tutorial(), kanpiler([a, b], sympy.log(sympy.cos(a) + b + 2))
    first.perturb(mag=0.1, mode="all")
    x = torch.rand(20, 2)
    second(x)
    second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    assert torch.equal(first(x), second(x))
    assert second.network().same_values(first.network())


def test_a_damaged_state_is_an_error() -> None:
    model = tutorial()
    state = model.state_dict()
    state["layers.0._extra_state"] = torch.tensor([0, 255], dtype=torch.uint8)
    with pytest.raises(FileError):
        model.load_state_dict(state)


def test_a_model_that_was_called_can_be_pickled() -> None:
    model, x = tutorial(), torch.rand(5, 2)
    before = model(x)
    assert torch.equal(pickle.loads(pickle.dumps(model))(x), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_non_intrusive_perturbation_keeps_every_bit_of_a_trained_network(
    dtype: torch.dtype,
) -> None:
    a, b = sympy.symbols("a b")
    torch_rng = torch.Generator().manual_seed(0)
    network = kanpiler([a, b], a * (1 + b) / sympy.sqrt(3 - a * b)).network()
    model = KAN.from_network(network, dtype=dtype)
    x = torch.rand(1000, 2, generator=torch_rng, dtype=dtype)
    y = x.prod(1, keepdim=True)
    data = {"train_input": x, "train_label": y, "test_input": x, "test_label": y}
    model.expand_depth().perturb(mag=0.1, mode="minimal")
    for _ in range(2):
        model.fit(data, opt="LBFGS", steps=2)
        model.expand_depth().expand_width(1, 2)
        model.expand_width(2, 2, sum_bool=False, mult_arity=[2, 3])
        before = [model(x[:n]) for n in (1, 7, 1000)]
        model.perturb(mag=0.1, mode="non-intrusive")
        assert all(torch.equal(model(x[: len(y)]), y) for y in before)


def test_a_loop_of_ones_own_trains_what_was_silent() -> None:
    model = tutorial()
    x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    model(x)
    model.expand_depth().perturb(mode="non-intrusive")
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        (model(x) - x.sum(1, keepdim=True)).square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    before = model(x)
    torch.testing.assert_close(KAN.from_network(model.network())(x), before)
    model.expand_depth().expand_width(1, 3)
    assert torch.equal(model(x), before)


@pytest.mark.parametrize(
    "arguments",
    [
        {"width": [2, [3], 1]},
        {"width": [2, "a"]},
        {"width": [2.5, 1]},
        {"width": None},
        {"width": [2, 10**9]},
        {"width": [2, [1, 1, 1], 1]},
        {"width": [2, [1, 1], 1], "mult_arity": None},
        {"width": [2, [1, 1], 1], "mult_arity": [[], [1], []]},
        {"width": [2, 1], "grid": 2.5},
        {"width": [2, 1], "grid": 10**9},
        {"width": [2, 1], "k": "a"},
        {"width": [2, 1], "seed": -1},
    ],
)
def test_what_is_no_shape_is_an_edit_error(arguments: dict[str, Any]) -> None:
    with pytest.raises(EditError):
        KAN(**arguments)


def test_integers_of_numpy_are_integers() -> None:
    two = np.int64(2)
    model = KAN([two, [two, np.int64(1)], 1], mult_arity=two)
    model.expand_width(np.int64(1), two, sum_bool=False, mult_arity=np.array([2, 3]))
    assert model.mult_arity == [[], [2, 2, 3], []]


@pytest.mark.parametrize(
    "edit",
    [
        lambda model: model.expand_width(1.0, 1),
        lambda model: model.expand_width("1", 1),
        lambda model: model.expand_width(1, 1.5),
        lambda model: model.expand_width(1, 10**9),
        lambda model: model.expand_width(1, 1, sum_bool=False, mult_arity=10**9),
        lambda model: model.expand_width(1, 1, sum_bool=False, mult_arity=None),
        lambda model: model.perturb(mag=None),
        lambda model: model.perturb(seed=-1),
        lambda model: model.refine(7.5),
        lambda model: model.refine(10**9),
        lambda model: model(np.zeros((2, 2))),
        lambda model: model(torch.zeros(2, 2, dtype=torch.complex64)),
        lambda model: model.get_act({}),
        lambda model: model.update_grid_from_samples(torch.zeros(2)),
        lambda model: model.plot(beta=float("nan")),
        lambda model: model.plot(beta="a"),
    ],
)
def test_bad_arguments_are_errors_of_ours_and_change_nothing(
    edit: Callable[[KAN], object],
) -> None:
    model = tutorial()
    before = model.network()
    with pytest.raises(KanStudioError):
        edit(model)
    assert model.network().same_values(before)


@pytest.mark.parametrize("samples", [None, "abc", np.full((20, 2), "a"), torch.zeros(20, 2) * 1j])
def test_a_dataset_that_is_no_numbers_is_a_data_error(samples: object) -> None:
    data: Any = {**tutorial_data(20), "train_input": samples}
    with pytest.raises(DataError, match="real numbers"):
        tutorial().fit(data)
    with pytest.raises(KanStudioError, match=r"dictionary|cannot read"):
        tutorial().fit(samples)


def test_fit_takes_numbers_of_numpy_and_long_seeds() -> None:
    options: Any = {"steps": np.int64(2), "lr": np.float32(0.01), "seed": 20_260_101}
    assert len(tutorial().fit(tutorial_data(20), opt="Adam", **options)["train_loss"]) == 2
