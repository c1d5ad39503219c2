"""Gradients of both fronts, of every function, against torch's finite differences in float64."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from strategies import fill
from test_functions import ALL_NAMES, SAMPLES

from kanstudio import functions
from kanstudio.network.build import empty_network
from kanstudio.network.forward import LayerTensors, layer_forward, program, tensors
from kanstudio.network.network import Network
from kanstudio.training import Dataset, TrainingSettings
from kanstudio.training.kernel import KernelObjective
from kanstudio.training.kernel.univariate import has_code
from kanstudio.training.objective import Objective, TorchObjective
from kanstudio.training.packing import packing

TRAINED = ("coef", "scale_base", "scale_sp", "affine", "subnode_scale", "subnode_bias",
           "node_scale", "node_bias")  # fmt: skip


class Loss(torch.autograd.Function):
    """An objective as a torch function of its parameters, with the gradient that it claims."""

    @staticmethod
    def forward(ctx: Any, params: torch.Tensor, objective: Objective, lamb: float) -> torch.Tensor:
        with torch.enable_grad():
            found = objective.evaluate(params.detach().numpy())
        ctx.gradient = torch.from_numpy(found.gradient.copy())
        return params.new_tensor(found.mse + lamb * found.reg)

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return upstream[0] * ctx.gradient, None, None


def both_fronts(name: str) -> tuple[Network, np.ndarray]:
    """One edge with a spline over [-5, 5] and the function; samples well inside its domain."""
    network = empty_network([1, 1], grid=4, seed=1)
    layer = network.layers[0]
    layer = replace(layer, functions=((name,),)).with_arrays(
        knots=5 * layer.knots, spline_mask=[[0.7]], symbolic_mask=[[0.9]],
        affine=[[[1.0, 0.0, 0.8, 0.1]]],
    )  # fmt: skip
    row = functions.get(name)
    x = SAMPLES[row.inside(SAMPLES)]
    # Differences of large values would have too few digits to compare.
    x = x[row.torch(x).abs() < 100]
    assert len(x) >= 3
    return network.with_layers((layer,)), x[:, None].numpy()


@pytest.mark.parametrize("name", ALL_NAMES)
def test_a_layer_with_both_fronts(name: str) -> None:
    """Inputs, coefficients, scales, affine parameters, node maps."""
    network, x = both_fronts(name)
    (plan,) = program(network)
    fixed = tensors(network.layers[0], torch.float64)

    def forward(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return layer_forward(plan, fixed._replace(**dict(zip(TRAINED, values, strict=True))), x)

    given = [torch.tensor(x), *(getattr(fixed, field) for field in TRAINED)]
    assert set(TRAINED) < set(LayerTensors._fields)
    assert torch.autograd.gradcheck(
        forward, [value.detach().clone().requires_grad_() for value in given], atol=1e-6
    )


@pytest.mark.parametrize("name", ALL_NAMES)
def test_the_objective_with_both_fronts(name: str) -> None:
    """As training sees it: one flat vector, by the kernel where it knows the function."""
    network, x = both_fronts(name)
    data, chosen = Dataset(x, np.sin(x), x, x), TrainingSettings(affine_trainable=True)
    params = torch.tensor(packing(network, affine_trainable=True).pack(network)).requires_grad_()
    kinds = [TorchObjective, *([KernelObjective] if has_code(name) else [])]
    for kind in kinds:
        objective = kind(network, data, chosen)
        assert torch.autograd.gradcheck(
            lambda p, o=objective: Loss.apply(p, o, 0.0), (params,), atol=1e-6
        )


@pytest.mark.parametrize("kind", [TorchObjective, KernelObjective])
@pytest.mark.parametrize("lamb", [0.0, 0.05])
@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_deep_networks_with_mult_nodes(
    kind: type[TorchObjective], lamb: float, degree: int
) -> None:
    network = empty_network([2, [2, 2], [1, 1], 1], [[], [2, 3], [2], []], grid=4, degree=degree)
    network = fill(network, ("0", "x", "sin", "exp", "x^2", "tanh"), 3)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-1, 1, (40, 2)), rng.normal(size=(40, 1))
    chosen = TrainingSettings(affine_trainable=True, lamb=lamb, lamb_coef=0.3, lamb_coefdiff=0.2)
    params = torch.tensor(packing(network, affine_trainable=True).pack(network)).requires_grad_()
    objective = kind(network, Dataset(x, y, x, y), chosen)
    assert torch.autograd.gradcheck(
        lambda p: Loss.apply(p, objective, lamb), (params,), atol=1e-5, rtol=1e-4, fast_mode=True
    )
