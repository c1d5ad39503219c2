"""How the residuals of a network change with its parameters, sample by sample.

The derivative of an output by the weight of a feature (a B-spline, silu) is the product
of the feature and of the output's derivative by the subnode that the weight leads to. So
one backward pass per output, to the subnodes, gives the whole Jacobian as products of
pairs (a Khatri-Rao product): no pass per sample, none per parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import silu

from kanstudio.errors import TrainingError
from kanstudio.functions import Function
from kanstudio.network.forward import LayerProgram, LayerTensors, program, tensors
from kanstudio.network.network import FloatArray, Network
from kanstudio.network.spline import basis
from kanstudio.training.data import Dataset
from kanstudio.training.objective import avoid_singularities
from kanstudio.training.packing import IntArray, LayerPacking, Packing, packing
from kanstudio.training.placement import Placement
from kanstudio.training.settings import TrainingSettings

MAX_NUMBERS = 250_000_000
"""The largest matrix that is held, in float64: 2 GB."""
CHUNK = 20_000_000
"""Numbers of the Jacobian at a time where only its square is wanted."""


class Linearization(NamedTuple):
    """The mean squared error near a point, for moves of the free parameters (F,).

    free (F,): their indices in the flat vector. With m residuals r (m,), so scaled that
    the loss is r.r / 2, and their Jacobian K (m, F), either

    - K itself with r, where there are fewer residuals than parameters, or
    - K^T K (F, F) as ``gram``.
    """

    free: IntArray
    gram: FloatArray | None
    jacobian: FloatArray | None
    residuals: FloatArray


def free_parameters(layout: Packing) -> IntArray:
    """All but every spline's scale_sp: coefficients and scale_sp are one factor too many."""
    free = np.ones(layout.size, dtype=bool)
    for layer in layout.layers:
        block = free[layer.start : layer.symbolic_start].reshape(-1, layer.n_basis + 2)
        block[:, -1] = False
    return np.flatnonzero(free)


class Linearizer:
    """Makes linearizations of one network on one dataset."""

    def __init__(self, network: Network, dataset: Dataset, settings: TrainingSettings) -> None:
        self._device = torch.device(settings.device)
        self._layout = packing(network, affine_trainable=settings.affine_trainable)
        self.free = free_parameters(self._layout)
        plans = program(network, self._device)
        if settings.singularity_avoiding:
            plans = avoid_singularities(plans, settings.y_th)
        self._layers = [
            _LayerJacobian(plan, tensors(layer, torch.float64, self._device), part)
            for plan, layer, part in zip(plans, network.layers, self._layout.layers, strict=True)
        ]
        self._dataset = dataset

    def linearize(self, params: FloatArray, rows: IntArray | None = None) -> Linearization:
        """At these parameters, on all training samples or on these rows of them."""
        x, y = self._dataset.train_x, self._dataset.train_y
        weight = self._dataset.train_weight
        if rows is not None:
            x, y = x[rows], y[rows]
            weight = None if weight is None else weight[rows]
        scale = np.full(len(x), 1.0) if weight is None else weight
        scale = np.sqrt(2 * scale / (scale.sum() * y.shape[1]))
        n_rows, n_free = y.size, len(self.free)
        if min(n_rows, n_free) * n_free > MAX_NUMBERS:
            raise TrainingError(
                f"Levenberg-Marquardt would hold a matrix of {min(n_rows, n_free):,} times "
                f"{n_free:,} numbers for this network; take LBFGS or Adam"
            )
        parts = self._parts(params, x, y, scale)
        if n_rows < n_free:
            pairs = list(parts)
            matrix = torch.cat([jacobian for _, jacobian in pairs]).cpu().numpy()
            residuals = np.concatenate([errors for errors, _ in pairs])
            return Linearization(self.free, None, matrix, residuals)
        gram = torch.zeros((n_free, n_free), dtype=torch.float64, device=self._device)
        found = []
        for errors, jacobian in parts:
            gram.addmm_(jacobian.T, jacobian)
            found.append(errors)
        return Linearization(self.free, gram.cpu().numpy(), None, np.concatenate(found))

    def _parts(
        self, params: FloatArray, x: FloatArray, y: FloatArray, scale: FloatArray
    ) -> Iterator[tuple[FloatArray, Tensor]]:
        """(residuals, Jacobian) of a chunk of samples and one output after the other."""
        flat = torch.tensor(params, dtype=torch.float64, device=self._device)
        size = max(CHUNK // max(len(self.free), 1), 1)
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            factor = torch.tensor(scale[part], device=self._device)
            values = torch.tensor(x[part], device=self._device)
            traces = []
            for layer in self._layers:
                trace = layer.forward(flat, values)
                traces.append(trace)
                values = trace.nodes
            errors = (values.detach().cpu().numpy() - y[part]) * scale[part, None]
            for output in range(y.shape[1]):
                wanted = [tensor for trace in traces for tensor in trace.wanted]
                slopes = iter(torch.autograd.grad(
                    values[:, output] @ factor, wanted, retain_graph=True, allow_unused=True
                ))  # fmt: skip
                blocks = [
                    block
                    for layer, trace in zip(self._layers, traces, strict=True)
                    for block in layer.blocks(flat, trace, [next(slopes) for _ in trace.wanted])
                ]
                yield errors[:, output], torch.cat(blocks, dim=1)


class _Trace(NamedTuple):
    """What a layer came to: see _LayerJacobian.forward."""

    nodes: Tensor
    features: Tensor | None
    x: Tensor
    products: Tensor
    wanted: list[Tensor]


@dataclass(frozen=True)
class _Group:
    """Active symbolic edges with one function: their places in the packing, and ends."""

    function: Function
    places: Tensor
    subnodes: Tensor
    sources: Tensor


class _LayerJacobian:
    """Forward through one layer, and products of pairs on the way back."""

    def __init__(self, plan: LayerProgram, base: LayerTensors, part: LayerPacking) -> None:
        self._plan, self._base, self._part = plan, base, part
        self._placement = Placement(base, part)
        device = base.coef.device
        self._rows, columns = torch.tensor(part.spline_edges.T.copy(), device=device)
        used, slots = np.unique(part.spline_edges[:, 1], return_inverse=True)
        self._sources = torch.tensor(used, device=device)
        self._slots = torch.tensor(slots, device=device)
        self._mask = base.spline_mask[self._rows, columns]
        place = {tuple(edge): index for index, edge in enumerate(part.symbolic_edges.tolist())}
        self._groups = [
            _Group(
                group.function,
                torch.tensor(
                    [place[edge] for edge in zip(
                        group.subnodes.tolist(), group.sources.tolist(), strict=True
                    )],
                    device=device,
                ),
                group.subnodes,
                group.sources,
            )
            for group in plan.groups
        ]  # fmt: skip

    def forward(self, flat: Tensor, x: Tensor) -> _Trace:
        """x (n, S) to nodes (n, N).

        wanted: the tensors by which derivatives are needed: the raw sums of the subnodes
        (n, J), the arguments of each group of functions, and, where their maps are
        trained, mapped subnodes (n, J) and nodes (n, N).
        """
        p = self._placement.place(flat[self._part.start : self._part.stop])
        sums, features = x.new_zeros((len(x), self._plan.n_subnodes)), None
        if len(self._rows):
            active = x[:, self._sources]
            splines = basis(active, p.knots[self._sources], self._plan.degree)
            features = torch.cat([splines, silu(active).unsqueeze(-1)], dim=-1)
            weights = features.new_zeros(
                (self._plan.n_subnodes, len(self._sources), features.shape[-1])
            )
            block = self._blocks(flat)
            scale = torch.cat([block[:, -1:].expand(-1, self._part.n_basis),
                               torch.ones_like(block[:, :1])], dim=1)  # fmt: skip
            weights[self._rows, self._slots] = self._mask[:, None] * scale * block[:, :-1]
            sums = features.flatten(1) @ weights.flatten(1).T
        sums = _leaf(sums)
        total, arguments = sums, []
        for group in self._groups:
            a, b, c, d = p.affine[group.subnodes, group.sources].unbind(-1)
            argument = _leaf(a * x[:, group.sources] + b)
            arguments.append(argument)
            mask = p.symbolic_mask[group.subnodes, group.sources]
            values = mask * (c * group.function.torch(argument) + d)
            total = total.index_add(1, group.subnodes, values)
        if self._groups:
            total = _leaf(total)
        subnodes = p.subnode_scale * total + p.subnode_bias
        padded = torch.cat([subnodes, subnodes.new_ones((len(x), 1))], dim=1)
        products = padded[:, self._plan.factors[0]]
        for factor in self._plan.factors[1:]:
            products = products * padded[:, factor]
        nodes = p.node_scale * products + p.node_bias
        maps = [subnodes, nodes] if self._part.affine_maps else []
        return _Trace(nodes, features, x, products, [total, *arguments, *maps])

    def _blocks(self, flat: Tensor) -> Tensor:
        part = self._part
        return flat[part.start : part.symbolic_start].reshape(-1, part.n_basis + 2)

    def blocks(self, flat: Tensor, trace: _Trace, slopes: list[Tensor | None]) -> Iterator[Tensor]:
        """The layer's columns of the Jacobian (n, ...), in the order of the packing."""
        delta = _known(slopes[0], trace.wanted[0])
        if trace.features is not None:
            block = self._blocks(flat)
            scale = self._mask[:, None] * torch.cat(
                [block[:, -1:].expand(-1, self._part.n_basis), torch.ones_like(block[:, :1])], dim=1
            )
            features = trace.features.detach()[:, self._slots]
            yield (delta[:, self._rows, None] * features * scale).flatten(1)
        if self._groups:
            yield self._symbolic(flat, trace, delta, slopes).flatten(1)
        if self._part.affine_maps:
            by_subnodes, by_nodes = (
                _known(slope, like)
                for slope, like in zip(slopes[-2:], trace.wanted[-2:], strict=True)
            )
            yield by_subnodes * trace.wanted[0].detach()
            yield by_subnodes
            yield by_nodes * trace.products.detach()
            yield by_nodes

    def _symbolic(
        self, flat: Tensor, trace: _Trace, delta: Tensor, slopes: list[Tensor | None]
    ) -> Tensor:
        """(n, M, 4): derivatives by a, b, c, d of every active symbolic edge."""
        columns = delta.new_zeros((len(delta), len(self._part.symbolic_edges), 4))
        for index, group in enumerate(self._groups):
            argument = trace.wanted[1 + index]
            inner = _known(slopes[1 + index], argument)
            mask = self._base.symbolic_mask[group.subnodes, group.sources]
            given = delta[:, group.subnodes] * mask
            values = group.function.torch(argument.detach())
            by_parameter = [inner * trace.x[:, group.sources].detach(), inner,
                            given * values, given]  # fmt: skip
            columns[:, group.places] = torch.stack(by_parameter, dim=-1)
        return columns


def _leaf(values: Tensor) -> Tensor:
    """The same tensor, known to autograd even where nothing before it is."""
    return values if values.requires_grad else values.requires_grad_()


def _known(slope: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if slope is None else slope.detach()
