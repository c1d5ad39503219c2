"""The regulariser and the steps of a fit against pykan's."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
import torch

from kanstudio import KAN
from kanstudio.network.build import empty_network
from kanstudio.network.network import Network
from kanstudio.training import Dataset, TrainingSettings
from kanstudio.training.objective import TorchObjective
from kanstudio.training.packing import packing
from kanstudio.training.settings import REG_METRICS

kan = pytest.importorskip("kan", reason="pykan is not installed")


@pytest.fixture
def oracle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch, "get_default_dtype", torch.get_default_dtype)
    state = torch.get_rng_state()
    torch.set_default_dtype(torch.float64)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield kan.KAN(width=[2, [2, 1], 2], grid=4, k=3, seed=0, auto_save=False)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_rng_state(state)


def as_network(model) -> Network:
    network = empty_network([2, [2, 1], 2], grid=4, degree=3)
    layers = []
    for layer, act in zip(network.layers, model.act_fun, strict=True):
        layers.append(
            layer.with_arrays(
                knots=act.grid.numpy(),
                coef=act.coef.detach().permute(1, 0, 2).numpy(),
                scale_base=act.scale_base.detach().T.numpy(),
                scale_sp=act.scale_sp.detach().T.numpy(),
                spline_mask=act.mask.T.numpy(),
            )
        )
    return network.with_layers(tuple(layers))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("metric", REG_METRICS)
def test_the_regulariser_is_that_of_pykan(oracle, metric):
    x = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    prediction = oracle(torch.tensor(x))
    if metric == "edge_backward":
        oracle.attribute()
    if metric == "node_backward":
        oracle.node_attribute()
    expected = oracle.get_reg(metric, 1.0, 2.0, 0.3, 0.2)
    chosen = TrainingSettings(
        lamb=1.0, lamb_l1=1.0, lamb_entropy=2.0, lamb_coef=0.3, lamb_coefdiff=0.2,
        reg_metric=metric,
    )  # fmt: skip
    network = as_network(oracle)
    y = prediction.detach().numpy()
    found = TorchObjective(network, Dataset(x, y, x, y), chosen).evaluate(
        packing(network).pack(network)
    )
    assert found.mse < 1e-28
    # pykan adds 1e-4 to a deviation that attribution divides by.
    assert found.reg == pytest.approx(float(expected), rel=2e-3 if "backward" in metric else 1e-12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "options",
    [
        {"update_grid": False},
        {"stop_grid_update_step": 6, "grid_update_num": 3},
        {"start_grid_update_step": 3, "stop_grid_update_step": 8, "grid_update_num": 4},
        {"update_grid": False, "lamb": 0.01, "lamb_coef": 0.1, "lamb_coefdiff": 0.2},
        {"lamb": 0.01, "lamb_l1": 0.5, "lamb_entropy": 1.0, "reg_metric": "edge_forward_spline_u"},
    ],
)
def test_a_fit_is_step_for_step_that_of_pykan(oracle, options):
    """Losses, regulariser and grid updates."""
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.uniform(-1, 1, (60, 2)))
    y = torch.cat([torch.sin(3 * x[:, :1]), x[:, :1] * x[:, 1:]], dim=1)
    data = dict(train_input=x[:40], train_label=y[:40], test_input=x[40:], test_label=y[40:])
    ours = KAN.from_network(as_network(oracle), dtype=torch.float64)
    with contextlib.redirect_stderr(io.StringIO()):
        theirs = oracle.fit(data, opt="Adam", steps=8, lr=0.02, **options)
    found = ours.fit(data, opt="Adam", steps=8, lr=0.02, **options)
    for name, values in theirs.items():
        if name == "reg" and "lamb" not in options:
            continue  # pykan then computes it after the last step only
        assert found[name] == pytest.approx([float(value) for value in values], rel=1e-9), name
