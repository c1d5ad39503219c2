"""Many networks at once, and nothing that makes a device wait; all on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recording import Recording, assert_never_waits
from strategies import fill, networks

from kanstudio import functions
from kanstudio.network.build import empty_network
from kanstudio.network.forward import edge_values, layer_forward, program, stacked, tensors
from kanstudio.network.network import Network
from kanstudio.training import Dataset, TrainingSettings, objective
from kanstudio.training.objective import TorchObjective
from kanstudio.training.packing import packing
from kanstudio.training.settings import REG_METRICS

METRICS = (None, *REG_METRICS)
ON_THE_HOST = {
    "gamma", "loggamma", "digamma", "j0", "j1", "y0", "y1", "k0", "k1", "airyai", "airybi",
    "erfi", "Si", "Ci", "Ei", "ellipk", "ellipe", "lambertw",
}  # fmt: skip
"""scipy computes these: their samples travel to the host and back."""


def siblings(network: Network, count: int, seed: int = 0) -> list[Network]:
    """Networks of the same structure; some of the arrays are others, grids too."""
    rng = np.random.default_rng(seed)
    same = {name for name, _ in network.layers[0].arrays() if rng.random() < 0.3}
    found = [network]
    for _ in range(count - 1):
        layers = []
        for layer in network.layers:
            noisy = {
                name: array + 0.1 * rng.normal(size=array.shape)
                for name, array in layer.arrays()
                if name not in ("knots", "spline_mask", "symbolic_mask", *same)
            }
            knots = layer.knots * (1 if "knots" in same else rng.uniform(0.9, 1.5))
            layers.append(layer.with_arrays(**noisy, knots=knots))
        found.append(network.with_layers(tuple(layers)))
    return found


def noise_data(network: Network, n: int = 12, weighted: bool = False) -> Dataset:
    rng = np.random.default_rng(3)
    d, o = len(network.levels[0]), len(network.levels[-1])
    x, y = rng.uniform(-1, 1, (2 * n, d)), rng.normal(size=(2 * n, o))
    weight = rng.uniform(0.5, 2, n) if weighted else None
    return Dataset(x[:n], y[:n], x[n:], y[n:], train_weight=weight)


@settings(max_examples=30, deadline=None)
@given(network=networks(), seed=st.integers(0, 99))
def test_many_networks_at_once_are_each_one_alone(network, seed):
    family = siblings(network, 3, seed)
    x = torch.tensor(np.random.default_rng(seed).uniform(-1, 1, (9, len(network.levels[0]))))
    together = x
    alone = [x] * 3
    for index, plan in enumerate(program(network)):
        p = stacked([member.layers[index] for member in family], torch.float64)
        seen = edge_values(plan, p, together)
        for i, member in enumerate(family):
            expected = edge_values(plan, tensors(member.layers[index], torch.float64), alone[i])
            for name in ("symbolic", "spline", "subnodes"):
                found = getattr(seen, name)[i]
                assert torch.allclose(found, getattr(expected, name), rtol=1e-12, atol=1e-12)
        alone = [
            layer_forward(plan, tensors(member.layers[index], torch.float64), values)
            for member, values in zip(family, alone, strict=True)
        ]
        together = layer_forward(plan, p, together)
        assert torch.allclose(together, torch.stack(alone), rtol=1e-12, atol=1e-12)


def value_and_gradient(objective, flat, samples, lamb):
    flat = flat.clone().requires_grad_()
    mse, reg = objective.losses(flat, samples)
    total = (mse + lamb * reg).sum()
    gradient = torch.zeros_like(flat)
    if total.requires_grad:
        (gradient,) = torch.autograd.grad(total, flat)
    return mse.detach(), reg.detach(), gradient, objective.test_loss(flat).detach()


@settings(max_examples=30, deadline=None)
@given(
    network=networks(),
    metric=st.sampled_from(METRICS),
    affine=st.booleans(),
    weighted=st.booleans(),
    per_network=st.booleans(),
)
def test_losses_and_gradients_of_many_are_those_of_each(
    network, metric, affine, weighted, per_network
):
    family, data = siblings(network, 3), noise_data(network, weighted=weighted)
    chosen = TrainingSettings(affine_trainable=affine)
    if metric is not None:
        chosen = TrainingSettings(
            affine_trainable=affine, lamb=0.1, lamb_coef=0.3, lamb_coefdiff=0.2, reg_metric=metric
        )
    layout = packing(network, affine_trainable=affine)
    flat = torch.tensor(np.stack([layout.pack(member) for member in family]))
    many = TorchObjective(family, data, chosen)
    index = torch.tensor([[0, 3, 5, 7], [1, 2, 3, 4], [11, 9, 7, 5]])
    rows = index if per_network else index[0]
    found = value_and_gradient(many, flat, many.train.rows(rows), chosen.lamb)
    for i, member in enumerate(family):
        one = TorchObjective(member, data, chosen)
        samples = one.train.rows(rows[i] if per_network else rows)
        expected = value_and_gradient(one, flat[i], samples, chosen.lamb)
        scale = max(1.0, float(expected[2].abs().max())) if expected[2].numel() else 1.0
        for ours, theirs in zip(found, expected, strict=True):
            if theirs.isfinite().all():
                assert torch.allclose(ours[i], theirs, rtol=1e-10, atol=1e-11 * scale)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("affine", [False, True])
def test_a_step_brings_no_value_to_the_host(metric, affine):
    network = fill(empty_network([2, [2, 1], 2], grid=4, seed=1), ("0", "sin", "x^2"), 5)
    options = {} if metric is None else {"lamb": 0.1, "lamb_coef": 0.1, "reg_metric": metric}
    chosen = TrainingSettings(affine_trainable=affine, singularity_avoiding=affine, **options)
    # Tensors on the device "meta" have no values: whoever asks for one gets an error.
    nowhere = TrainingSettings(**{**vars(chosen), "device": "cpu"})
    object.__setattr__(nowhere, "device", "meta")
    params = packing(network, affine_trainable=affine).pack(network)
    for where in (chosen, nowhere):
        objective = TorchObjective(network, noise_data(network, weighted=True), where)
        flat = torch.tensor(params, device=where.device)
        rows = torch.arange(5, device=where.device)

        def step(objective=objective, flat=flat, rows=rows):
            value_and_gradient(objective, flat, objective.train.rows(rows), chosen.lamb)

        # What is worked out once and kept, such as the ends of domains, is there by then.
        step()
        with Recording() as recording:
            step()
        assert_never_waits(recording)


def test_only_functions_of_scipy_bring_values_to_the_host():
    waiting = set()
    for name in (*functions.names(), "x^(1/3)", "exp(sin(x)) + x^2", "where(x > 0, x^2, -x)"):
        x = torch.empty(3, dtype=torch.float64, device="meta", requires_grad=True)
        try:
            y = functions.get(name).torch(x)
            if y.requires_grad:
                torch.autograd.grad(y.sum(), x)
        except NotImplementedError:
            waiting.add(name)
    assert waiting == ON_THE_HOST


@settings(max_examples=20, deadline=None)
@given(network=networks(), metric=st.sampled_from(METRICS), weighted=st.booleans())
def test_features_that_are_kept_change_nothing(network, metric, weighted):
    data = noise_data(network, weighted=weighted)
    chosen = TrainingSettings() if metric is None else TrainingSettings(lamb=0.1, reg_metric=metric)
    flat = torch.tensor(packing(network).pack(network))
    kept = TorchObjective(network, data, chosen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objective, "MAX_FEATURES", {})
        plain = TorchObjective(network, data, chosen)
    splines = network.layers[0].spline_active.any()
    assert (bool(kept.train.features), bool(plain.train.features)) == (splines, False)
    rows = torch.tensor([4, 0, 7])
    for index in (torch.arange(data.n_train), rows):
        found, expected = (
            value_and_gradient(made, flat, made.train.rows(index), chosen.lamb)
            for made in (kept, plain)
        )
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_samples_are_shared_and_features_only_on_the_same_grid():
    network = fill(empty_network([2, 2, 1], seed=1), ("0",), 0)
    network = network.with_layers(
        tuple(layer.with_arrays(spline_mask=np.ones_like(layer.spline_mask))
              for layer in network.layers)
    )  # fmt: skip
    data = noise_data(network)
    first = TorchObjective(network, data, TrainingSettings())
    layer = network.layers[0]
    moved = network.with_layers((layer.with_arrays(knots=2 * layer.knots), network.layers[1]))
    for other, same in ((network, True), (moved, False), ([network, moved], None)):
        made = TorchObjective(other, data, TrainingSettings(), like=first)
        assert made.train.x is first.train.x and made.test.y is first.test.y
        if same is None:
            assert made.train.features == ()
        else:
            assert (made.train.features[0] is first.train.features[0]) == same
