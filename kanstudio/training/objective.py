"""Loss and gradient of a network as a function of one flat vector.

Two makers of the same numbers: torch with autograd (here; every function, every device)
and the fused kernel (kernel package; the CPU).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from kanstudio.errors import TrainingError
from kanstudio.network.forward import (
    LayerProgram,
    LayerTensors,
    LayerValues,
    edge_values,
    layer_forward,
    nodes_from_sums,
    program,
    tensors,
)
from kanstudio.network.network import FloatArray, Network
from kanstudio.training.data import Dataset
from kanstudio.training.packing import AFFINE_FIELDS, IntArray, LayerPacking, packing
from kanstudio.training.regulariser import regulariser
from kanstudio.training.settings import TrainingSettings

LossFunction = Callable[[Tensor, Tensor], Tensor]
"""From predictions and labels, both (n, outputs), to a scalar."""


class Evaluation(NamedTuple):
    """Mean squared error, regulariser (without lamb), gradient of mse + lamb * reg (P,).

    With samples that have weights the mean is a weighted one; with a loss function of the
    caller's, mse is its value.
    """

    mse: float
    reg: float
    gradient: FloatArray


class Objective(Protocol):
    """What an optimiser sees of a network and its samples."""

    def evaluate(self, params: FloatArray, rows: IntArray | None = None) -> Evaluation:
        """On all training samples, or on these rows of them."""

    def test_mse(self, params: FloatArray) -> float:
        """Mean squared error on the test samples."""


class TorchObjective:
    """The reference: autograd through the network's torch program."""

    def __init__(
        self,
        network: Network,
        dataset: Dataset,
        settings: TrainingSettings,
        loss_fn: LossFunction | None = None,
    ) -> None:
        self._settings = settings
        self._device = torch.device(settings.device)
        self._dtype = torch.float64 if settings.dtype == "float64" else torch.float32
        if loss_fn is not None and not callable(loss_fn):
            raise TrainingError(f"loss_fn must be a function, not {loss_fn!r}")
        self._loss_fn = loss_fn
        self._plans = self._train_plans = program(network, self._device)
        if settings.singularity_avoiding:
            self._train_plans = avoid_singularities(self._plans, settings.y_th)
        self._layout = packing(network, affine_trainable=settings.affine_trainable).layers
        self._base = [tensors(layer, self._dtype, self._device) for layer in network.layers]
        self._arities = [[node.arity for node in level] for level in network.levels[1:]]
        self._train_x, self._train_y, self._test_x, self._test_y = map(
            self._tensor, (dataset.train_x, dataset.train_y, dataset.test_x, dataset.test_y)
        )
        self._train_weight, self._test_weight = (
            None if weight is None else self._tensor(weight)
            for weight in (dataset.train_weight, dataset.test_weight)
        )

    def _tensor(self, values: FloatArray) -> Tensor:
        return torch.tensor(values, dtype=self._dtype, device=self._device)

    def _loss(self, prediction: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        if self._loss_fn is not None:
            loss = self._loss_fn(prediction, y)
            if not isinstance(loss, Tensor) or loss.numel() != 1:
                raise TrainingError(f"loss_fn must return one number in torch, not {_what(loss)}")
            return loss.reshape(())
        square = (prediction - y).square()
        if weight is None:
            return square.mean()
        return weight @ square.sum(dim=1) / (weight.sum() * y.shape[1])

    def evaluate(self, params: FloatArray, rows: IntArray | None = None) -> Evaluation:
        x, y, weight = self._train_x, self._train_y, self._train_weight
        if rows is not None:
            index = torch.tensor(rows, device=self._device)
            x, y = x[index], y[index]
            weight = None if weight is None else weight[index]
        flat = self._tensor(params).requires_grad_()
        layers = _with_params(self._base, self._layout, flat)
        if self._settings.lamb == 0:
            prediction = self._forward(self._train_plans, layers, x)
            reg = flat.new_zeros(())
        else:
            prediction, reg = self._forward_regularised(layers, x, flat)
        mse = self._loss(prediction, y, weight)
        objective = mse + self._settings.lamb * reg
        gradient = torch.zeros_like(flat)
        if objective.requires_grad:
            (gradient,) = torch.autograd.grad(objective, flat)
        mse, reg = mse.detach(), reg.detach()
        return Evaluation(float(mse), float(reg), gradient.to("cpu", torch.float64).numpy())

    def test_mse(self, params: FloatArray) -> float:
        with torch.no_grad():
            layers = _with_params(self._base, self._layout, self._tensor(params))
            prediction = self._forward(self._plans, layers, self._test_x)
            return float(self._loss(prediction, self._test_y, self._test_weight))

    @staticmethod
    def _forward(plans: tuple[LayerProgram, ...], layers: list[LayerTensors], x: Tensor) -> Tensor:
        for plan, layer in zip(plans, layers, strict=True):
            x = layer_forward(plan, layer, x)
        return x

    def _forward_regularised(
        self, layers: list[LayerTensors], x: Tensor, flat: Tensor
    ) -> tuple[Tensor, Tensor]:
        values: list[LayerValues] = []
        for plan, layer in zip(self._train_plans, layers, strict=True):
            values.append(edge_values(plan, layer, x))
            x = nodes_from_sums(plan, layer, values[-1].subnodes)
        coefs = [_spline_block(plan, flat)[:, :-2] for plan in self._layout]
        return x, regulariser(self._settings, values, coefs, self._arities)


def _what(value: object) -> str:
    return f"a tensor of {value.numel()}" if isinstance(value, Tensor) else type(value).__name__


def _spline_block(plan: LayerPacking, flat: Tensor) -> Tensor:
    """(E, B + 2): coefficients, scale_base, scale_sp of the active splines."""
    return flat[plan.start : plan.symbolic_start].reshape(-1, plan.n_basis + 2)


def _with_params(
    base: list[LayerTensors], layout: tuple[LayerPacking, ...], flat: Tensor
) -> list[LayerTensors]:
    return [layer_with_params(layer, plan, flat) for layer, plan in zip(base, layout, strict=True)]


def layer_with_params(layer: LayerTensors, plan: LayerPacking, flat: Tensor) -> LayerTensors:
    """A layer's tensors with its part of the flat vector written into them."""

    def index(edges: IntArray) -> tuple[Tensor, Tensor]:
        rows, columns = torch.tensor(np.ascontiguousarray(edges.T), device=flat.device)
        return rows, columns

    changes: dict[str, Tensor] = {}
    if len(plan.spline_edges):
        block, at = _spline_block(plan, flat), index(plan.spline_edges)
        changes["coef"] = layer.coef.index_put(at, block[:, :-2])
        changes["scale_base"] = layer.scale_base.index_put(at, block[:, -2])
        changes["scale_sp"] = layer.scale_sp.index_put(at, block[:, -1])
    if len(plan.symbolic_edges):
        affine = flat[plan.symbolic_start : plan.affine_start].reshape(-1, 4)
        changes["affine"] = layer.affine.index_put(index(plan.symbolic_edges), affine)
    if plan.affine_maps:
        start = plan.affine_start
        for name in AFFINE_FIELDS:
            size = getattr(layer, name).numel()
            changes[name] = flat[start : start + size]
            start += size
    return layer._replace(**changes)


def avoid_singularities(plans: tuple[LayerProgram, ...], limit: float) -> tuple[LayerProgram, ...]:
    """The same programs with every symbolic function's value between -limit and limit."""

    def limited(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda x: function(x).clamp(-limit, limit)

    return tuple(
        replace(plan, groups=tuple(
            replace(group, function=replace(group.function, torch=limited(group.function.torch)))
            for group in plan.groups
        ))
        for plan in plans
    )  # fmt: skip
