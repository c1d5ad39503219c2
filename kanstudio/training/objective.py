"""Loss and gradient of a network as a function of one flat vector.

Two makers of the same numbers: torch with autograd (here; every function, every device)
and the fused kernel (kernel package; the CPU).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from kanstudio.errors import TrainingError
from kanstudio.network.forward import (
    LayerProgram,
    LayerTensors,
    edge_values,
    layer_forward,
    nodes_from_sums,
    program,
    spline_features,
    stacked,
)
from kanstudio.network.network import FloatArray, Network, Node
from kanstudio.training.capture import waits
from kanstudio.training.data import Dataset
from kanstudio.training.packing import IntArray, packing
from kanstudio.training.placement import Placement
from kanstudio.training.regulariser import NodesAbove, Weights, regulariser
from kanstudio.training.settings import TrainingSettings

MAX_FEATURES = {"cpu": 2**24, "mps": 2**26, "cuda": 2**29, "meta": 2**24}
"""So many numbers are kept of what the splines of the first layer make of the samples."""

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


class Samples(NamedTuple):
    """x (..., n, inputs), y (..., n, outputs), weight (..., n) or None, on the device.

    features: what the splines of the first layer make of x, see `spline_features`; empty
    where that is worked out in every step.
    """

    x: Tensor
    y: Tensor
    weight: Tensor | None
    features: tuple[Tensor, ...] = ()

    def rows(self, index: Tensor) -> Samples:
        """Those of the rows index (..., n'); leading axes for samples that have none."""

        def take(values: Tensor) -> Tensor:
            return values.index_select(0, index.flatten()).reshape(*index.shape, *values.shape[1:])

        weight = None if self.weight is None else take(self.weight)
        return Samples(take(self.x), take(self.y), weight, tuple(map(take, self.features)))


class TorchObjective:
    """The reference: autograd through the network's torch program.

    With a list of networks of one structure everything has a leading axis R for them;
    weights then tells what the parts of the regulariser count for each. Where
    settings.lamb is 0 there is no regulariser. like: an objective that has these samples
    on the device already.
    """

    def __init__(
        self,
        networks: Network | Sequence[Network],
        dataset: Dataset,
        settings: TrainingSettings,
        loss_fn: LossFunction | None = None,
        *,
        weights: Weights | None = None,
        like: TorchObjective | None = None,
    ) -> None:
        networks = [networks] if isinstance(networks, Network) else networks
        first = networks[0]
        self.device = torch.device(settings.device)
        self.dtype = torch.float64 if settings.arithmetic == "float64" else torch.float32
        if loss_fn is not None and not callable(loss_fn):
            raise TrainingError(f"loss_fn must be a function, not {loss_fn!r}")
        self._loss_fn = loss_fn
        self._metric, self._lamb = settings.reg_metric, settings.lamb
        self._weights = Weights.of(settings) if weights is None else weights
        self._plans = self._train_plans = program(first, self.device)
        if settings.singularity_avoiding:
            self._train_plans = avoid_singularities(self._plans, settings.y_th)
        layout = packing(first, affine_trainable=settings.affine_trainable).layers
        self._sizes = [plan.stop - plan.start for plan in layout]
        self._placements = [
            Placement(stacked(layers, self.dtype, self.device), plan)
            for plan, *layers in zip(layout, *(network.layers for network in networks), strict=True)
        ]
        self._nodes_above = [self._above(level) for level in first.levels[1:]]
        self._knots = [network.layers[0].knots for network in networks]
        if like is None:
            train = self._samples(dataset.train_x, dataset.train_y, dataset.train_weight)
            test = self._samples(dataset.test_x, dataset.test_y, dataset.test_weight)
        else:
            train, test = like.train, like.test
        same = like is not None and self._has_knots_of(like)
        self.train: Samples = train if same else self._with_features(train)
        self.test: Samples = test if same else self._with_features(test)

    def _tensor(self, values: FloatArray) -> Tensor:
        return torch.tensor(values, dtype=self.dtype, device=self.device)

    def _samples(self, x: FloatArray, y: FloatArray, weight: FloatArray | None) -> Samples:
        return Samples(
            self._tensor(x), self._tensor(y), None if weight is None else self._tensor(weight)
        )

    def refill(self, dataset: Dataset) -> bool:
        """Take other training samples in the place of these; False if they do not fit there."""
        new = self._samples(dataset.train_x, dataset.train_y, dataset.train_weight)
        old = self.train
        if new.x.shape != old.x.shape or (new.weight is None) != (old.weight is None):
            return False
        new = self._with_features(new)
        pairs = [(old.x, new.x), (old.y, new.y), *zip(old.features, new.features, strict=True)]
        if old.weight is not None and new.weight is not None:
            pairs.append((old.weight, new.weight))
        for tensor, values in pairs:
            # In place: a recorded step goes on with this memory.
            tensor.copy_(values)
        return True

    def _has_knots_of(self, other: TorchObjective) -> bool:
        first = other._knots[0]
        return all(np.array_equal(first, knots) for knots in (*self._knots, *other._knots))

    def _with_features(self, samples: Samples) -> Samples:
        """The first layer's inputs do not change: nor do its splines, if there is room."""
        base, plan = self._placements[0].base, self._plans[0]
        n_features = len(samples.x) * base.knots.shape[-2] * (base.coef.shape[-1] + 1)
        limit = MAX_FEATURES.get(self.device.type, 0)
        if base.knots.ndim > 2 or n_features > limit or not plan.blocks:
            return samples._replace(features=())
        return samples._replace(features=spline_features(plan, base, samples.x))

    def _above(self, level: Sequence[Node]) -> NodesAbove:
        owners = np.repeat(np.arange(len(level)), [node.arity for node in level])
        return NodesAbove(torch.tensor(owners, device=self.device), len(level))

    @property
    def waits(self) -> bool:
        """True if a step brings values to the host: in a function of scipy or of the user's."""
        named = {
            group.function.name: group.function for plan in self._plans for group in plan.groups
        }
        if any(waits(function.torch, (2,)) for function in named.values()):
            return True
        shape = (2, self.train.y.shape[-1])
        return self._loss_fn is not None and waits(self._loss_fn, shape, shape)

    def losses(self, flat: Tensor, samples: Samples) -> tuple[Tensor, Tensor]:
        """Mean squared error (or the caller's loss) and regulariser for flat (..., P).

        Both have flat's leading axes. Nothing here waits for the device.
        """
        parts = flat.split_with_sizes(self._sizes, dim=-1)
        layers = [place.place(part) for place, part in zip(self._placements, parts, strict=True)]
        if self._lamb == 0:
            prediction = _forward(self._train_plans, layers, samples)
            return self._loss(prediction, samples), flat.new_zeros(flat.shape[:-1])
        x, features, values = samples.x, samples.features, []
        for plan, layer in zip(self._train_plans, layers, strict=True):
            values.append(edge_values(plan, layer, x, features))
            x, features = nodes_from_sums(plan, layer, values[-1].subnodes), ()
        coefs = [
            place.coefficients(part) for place, part in zip(self._placements, parts, strict=True)
        ]
        reg = regulariser(self._metric, self._weights, values, coefs, self._nodes_above)
        return self._loss(x, samples), reg

    def test_loss(self, flat: Tensor) -> Tensor:
        """The loss on the test samples, with flat's leading axes."""
        parts = flat.split_with_sizes(self._sizes, dim=-1)
        layers = [place.place(part) for place, part in zip(self._placements, parts, strict=True)]
        return self._loss(_forward(self._plans, layers, self.test), self.test)

    def _loss(self, prediction: Tensor, samples: Samples) -> Tensor:
        if self._loss_fn is not None:
            loss = self._loss_fn(prediction, samples.y)
            if not isinstance(loss, Tensor) or loss.numel() != 1:
                raise TrainingError(f"loss_fn must return one number in torch, not {_what(loss)}")
            return loss.reshape(())
        square = (prediction - samples.y).square()
        weight = samples.weight
        if weight is None:
            return square.mean(dim=(-2, -1))
        return (weight * square.sum(dim=-1)).sum(dim=-1) / (weight.sum(dim=-1) * square.shape[-1])

    def evaluate(self, params: FloatArray, rows: IntArray | None = None) -> Evaluation:
        samples = self.train
        if rows is not None:
            samples = samples.rows(torch.tensor(rows, device=self.device))
        flat = self._tensor(params).requires_grad_()
        mse, reg = self.losses(flat, samples)
        objective = mse + self._lamb * reg
        gradient = torch.zeros_like(flat)
        if objective.requires_grad:
            (gradient,) = torch.autograd.grad(objective, flat)
        mse, reg = mse.detach(), reg.detach()
        return Evaluation(float(mse), float(reg), gradient.to("cpu", torch.float64).numpy())

    def test_mse(self, params: FloatArray) -> float:
        with torch.no_grad():
            return float(self.test_loss(self._tensor(params)))


def _forward(
    plans: Sequence[LayerProgram], layers: Sequence[LayerTensors], samples: Samples
) -> Tensor:
    x, features = samples.x, samples.features
    for plan, layer in zip(plans, layers, strict=True):
        x, features = layer_forward(plan, layer, x, features), ()
    return x


def _what(value: object) -> str:
    return f"a tensor of {value.numel()}" if isinstance(value, Tensor) else type(value).__name__


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
