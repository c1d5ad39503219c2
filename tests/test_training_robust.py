"""Whatever the samples, training ends with a network that is whole, or with a clear error."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import fill

from kanstudio import KAN
from kanstudio.errors import TrainingError
from kanstudio.network.build import empty_network
from kanstudio.network.edits import random_spline_network
from kanstudio.network.forward import evaluate
from kanstudio.network.network import Network
from kanstudio.training import Dataset, TrainingSettings, train

OPTIMIZERS = ("Adam", "LBFGS", "LM", "auto")


def whole(network: Network, x: np.ndarray) -> bool:
    """True if nothing in the network, and no value of it, is NaN or infinite."""
    arrays = [array for layer in network.layers for _, array in layer.arrays()]
    knots = [layer.knots for layer in network.layers]
    return (
        all(np.isfinite(array).all() for array in arrays)
        and all((np.diff(rows, axis=1) > 0).all() for rows in knots)
        and bool(np.isfinite(evaluate(network, x)).all())
    )


@st.composite
def columns(draw: st.DrawFn, n: int) -> np.ndarray:
    """A column of numbers as people have them: constant, in few values, tiny, huge, skewed."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    kind = draw(st.sampled_from(["plain", "constant", "binary", "ties", "skewed", "outlier"]))
    column = {
        "plain": rng.uniform(-1, 1, n),
        "constant": np.full(n, rng.normal()),
        "binary": rng.integers(0, 2, n).astype(float),
        "ties": rng.integers(-3, 4, n) / 3,
        "skewed": np.exp(4 * rng.normal(size=n)),
        "outlier": np.r_[1e6, rng.uniform(-1, 1, n)][:n],
    }[kind]
    return column * draw(st.sampled_from([1.0, 1e-6, 1e6])) + draw(st.sampled_from([0.0, 1e3]))


@settings(max_examples=30, deadline=None)
@given(
    data=st.data(),
    n=st.sampled_from([1, 2, 7, 60]),
    opt=st.sampled_from(OPTIMIZERS),
    normalize=st.booleans(),
    lamb=st.sampled_from([0.0, 0.01]),
    batch=st.sampled_from([-1, 3]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_samples_of_every_kind(data, n, opt, normalize, lamb, batch, dtype):
    x = np.stack([data.draw(columns(n)), data.draw(columns(n))], axis=1)
    y = data.draw(columns(n))[:, None]
    samples = Dataset(x, y, x, y)
    model = KAN([2, 2, 1], grid=3, seed=1, dtype=dtype)
    options = dict(steps=3, normalize=normalize, lamb=lamb, batch=batch, log=0)
    try:
        found = model.fit(samples, opt=opt, grids=[3, 5], **options)
    except TrainingError as error:
        assert "not finite" in str(error)
    else:
        assert all(np.isfinite(values).all() for values in found.values())
    assert whole(model.network(), x)


def constant_network(kind: str) -> Network:
    """Splines, of which one node of the hidden level gives the same value for all samples."""
    network = random_spline_network(empty_network([2, [2, 1], 1], seed=1))
    first = network.layers[0]
    if kind == "dead":
        first = first.with_arrays(spline_mask=first.spline_mask * np.r_[0, 1, 1, 1][:, None])
    elif kind == "constant":
        first = first.with_arrays(
            coef=first.coef * np.r_[0, 1, 1, 1][:, None, None],
            scale_base=first.scale_base * np.r_[0, 1, 1, 1][:, None],
            node_bias=[1e3, 0, 0],
        )
    else:
        zero = np.r_[1, 1, 0, 0]
        first = first.with_arrays(subnode_scale=zero)
    return network.with_layers((first, *network.layers[1:]))


@pytest.mark.parametrize("kind", ["dead", "constant", "mult of zeros"])
@pytest.mark.parametrize("opt", OPTIMIZERS)
@pytest.mark.parametrize("lamb", [0.0, 0.01])
def test_dead_and_constant_nodes_keep_their_grids(kind, opt, lamb):
    """Grid updates before every step and two refinements."""
    x = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    y = np.sin(3 * x[:, :1]) * x[:, 1:]
    model = KAN.from_network(constant_network(kind))
    model.fit(Dataset(x, y, x, y), opt=opt, steps=4, lamb=lamb, grids=[5, 6, 9],
              grid_update_num=50, stop_grid_update_step=50)  # fmt: skip
    assert whole(model.network(), x)
    spans = [layer.knots[:, -4] - layer.knots[:, 3] for layer in model.network().layers]
    assert min(map(np.min, spans)) > 1e-3


@pytest.mark.parametrize("backend", ["torch", "kernel"])
@pytest.mark.parametrize("opt", ["Adam", "LBFGS"])
@pytest.mark.parametrize("lamb", [0.0, 0.01])
def test_samples_outside_every_domain_train_without_nan(opt, lamb, backend):
    """sqrt, log, 1/x, arcsin of samples on both sides of their ends, and on them."""
    network = fill(empty_network([3, 4, 1], seed=1), ("x^0.5", "log", "1/x", "arcsin"), 2)
    x = np.random.default_rng(0).choice([-2.0, -1.0, -1e-300, 0.0, 1e-300, 1.0, 2.0], (60, 3))
    data = Dataset(x, x[:, :1], x, x[:, :1])
    chosen = TrainingSettings(optimizer=opt, steps=5, lamb=lamb, learning_rate=1e-3)
    run = train(network, data, chosen, backend=backend)
    assert np.isfinite([(p.train_loss, p.test_loss, p.reg) for p in run]).all()
    assert not run.failed
    assert "outside the domain" in run.message
    assert whole(run.network(), x)
