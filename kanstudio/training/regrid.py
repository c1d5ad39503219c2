"""Grids moved to the samples on a device, for one network or for many of one structure.

What `network.grid.update_grid_from_samples` does source by source on the host, for all
sources and networks at once: at 100,000 samples, or for 256 networks, the host would take
longer than all the steps in between.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kanstudio.network.forward import LayerTensors, layer_forward, program, stacked
from kanstudio.network.grid import CONSTANT, GRID_EPS, update_grid_from_samples
from kanstudio.network.network import FloatArray, Layer, Network
from kanstudio.network.spline import basis

MAX_VALUES = 2**27
"""B-splines at samples that are looked at together: a GB in float64."""
LEAST = 1e-12
"""Eigenvalues below this share of the largest count as 0: rounding makes as much."""


def moved_grid(network: Network, x: FloatArray, device: str) -> Network:
    """One network's grids moved to samples x (n, inputs), where its training runs."""
    if torch.device(device).type != "cuda":
        return update_grid_from_samples(network, x)
    return moved_grids([network], torch.tensor(x, dtype=torch.float64, device=device))[0]


def moved_grids(networks: Sequence[Network], x: Tensor) -> list[Network]:
    """Every grid spread over what its source takes on samples x (n, inputs) or (R, n, inputs).

    x is float64, on the device that shall do it. Active splines are refitted by least
    squares at the samples, layer by layer, each on the outputs of the layers already moved.
    A constant source keeps the width of its grid, one whose knots would not be finite keeps
    all of it; where a value is not finite the network's layer stays. The same as on the
    host, but for rounding.
    """
    first = networks[0]
    plans, found = program(first, x.device), [list(network.layers) for network in networks]
    with torch.no_grad():
        for index, plan in enumerate(plans):
            layers = [network.layers[index] for network in networks]
            old = stacked(layers, torch.float64, x.device)
            # One axis for the networks, whatever their numbers have in common.
            values = x.expand(len(networks), *x.shape[-2:])
            new = _moved(old, values, first.degree, _active(layers[0], x.device))
            x = layer_forward(plan, new, values)
            for layer, others, knots, coef in zip(
                layers, found, new.knots.cpu().numpy(), new.coef.cpu().numpy(), strict=True
            ):
                others[index] = layer.with_arrays(knots=knots, coef=coef)
    return [
        network.with_layers(tuple(layers)) for network, layers in zip(networks, found, strict=True)
    ]


def _active(layer: Layer, device: torch.device) -> Tensor:
    return torch.tensor(np.ascontiguousarray(layer.spline_active), device=device)


def _moved(p: LayerTensors, x: Tensor, degree: int, active: Tensor) -> LayerTensors:
    """The layer on its new grids: x (R, n, S), active (J, S)."""
    lead = x.shape[:1]
    knots = p.knots.expand(*lead, *p.knots.shape[-2:])
    coef = p.coef.expand(*lead, *p.coef.shape[-3:])
    finite = x.isfinite().flatten(1).all(dim=1)[:, None, None]
    x = torch.where(finite, x, 0.0)
    new = _spread(x, knots, degree)
    # Samples near the largest float have distances beyond it.
    finite = finite & new.isfinite().all(dim=-1, keepdim=True)
    new = torch.where(finite, new, knots)
    size = max(MAX_VALUES // (x.shape[0] * x.shape[1] * knots.shape[-1]), 1)
    parts = [
        _refitted(x[..., at], knots[:, at], new[:, at], coef[:, :, at], degree)
        for at in (slice(start, start + size) for start in range(0, x.shape[-1], size))
    ]
    keep = (active & finite.mT).unsqueeze(-1)
    return p._replace(knots=new, coef=torch.where(keep, torch.cat(parts, dim=2), coef))


def _spread(x: Tensor, old: Tensor, degree: int) -> Tensor:
    """`grid.knots_from_samples` for x (R, n, S) and old knots (R, S, K)."""
    n, grid = x.shape[1], old.shape[-1] - 2 * degree - 1
    picks = [int(n / grid * i) for i in range(grid)] + [n - 1]
    chosen = x.sort(dim=1).values.index_select(1, torch.tensor(picks, device=x.device)).mT
    low, high = chosen[..., :1], chosen[..., -1:]
    shares = torch.linspace(0, 1, grid + 1, dtype=x.dtype, device=x.device)
    inner = GRID_EPS * (low + (high - low) * shares) + (1 - GRID_EPS) * chosen
    steps = torch.arange(1, degree + 1, dtype=x.dtype, device=x.device)
    step = (inner[..., -1:] - inner[..., :1]) / grid
    before, after = inner[..., :1] - step * steps.flip(0), inner[..., -1:] + step * steps
    spread = torch.cat([before, inner, after], dim=-1)
    first, last = old[..., degree : degree + 1], old[..., -degree - 1 :][..., :1]
    shifted = torch.where((first <= low) & (low <= last), old, old + (low - (first + last) / 2))
    constant = high - low <= CONSTANT * torch.maximum(low.abs(), high.abs())
    knots: Tensor = torch.where(constant, shifted, spread)
    return knots


def _refitted(x: Tensor, old: Tensor, new: Tensor, coef: Tensor, degree: int) -> Tensor:
    """Coefficients (R, J, S, B) on new knots for the curves that coef makes on old ones.

    x (R, n, S), knots (R, S, K). Least squares of least norm by the eigenvalues of the
    normal equations: CUDA's own takes full rank for granted.
    """
    after, before = (basis(x, knots, degree).transpose(1, 2) for knots in (new, old))
    gram = after.mT @ after
    wanted = (after.mT @ before) @ coef.permute(0, 2, 3, 1)
    values, vectors = torch.linalg.eigh(gram)
    good = values > LEAST * values[..., -1:]
    inverse = torch.where(good, 1 / torch.where(good, values, 1.0), 0.0).unsqueeze(-1)

    def solved(right: Tensor) -> Tensor:
        found: Tensor = vectors @ (inverse * (vectors.mT @ right))
        return found

    solution = solved(wanted)
    # Once more for what rounding has left over.
    solution = solution + solved(wanted - gram @ solution)
    return solution.permute(0, 3, 1, 2)
