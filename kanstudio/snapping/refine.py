"""Levenberg-Marquardt on a and b, with c and d eliminated, for many fits at once.

Variable projection (Golub & Pereyra 1973) in Kaufman's form (1975): for given a and b the
best c and d are a linear regression, and the Jacobian is that of a and b less its
projection on 1 and f. The damping follows Nielsen (1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from kanstudio.snapping.samples import Samples, to_affine, to_windows
from kanstudio.snapping.shapes import Shape
from kanstudio.snapping.starts import FARTHEST, FLAT, LARGEST, SMALLEST

STEPS = 4
"""Steps of a round; fits that gained nothing in it and have nothing to gain are done."""


@dataclass(frozen=True)
class Batch:
    """N fits, those of one function side by side.

    - counts: how many fits each shape has. samples: N rows.
    - free (N, 2): 1.0 where alpha or beta may move.
    - ends (N, 4): see `starts.interval`. scale (N, 2): middle and half of x.
    - box (2, 2): the least and largest a and b; None: the ends of the domain count.
    """

    shapes: Sequence[Shape]
    counts: Sequence[int]
    samples: Samples
    free: Tensor
    ends: Tensor
    scale: Tensor
    box: Tensor | None

    def rows(self, chosen: Tensor) -> Batch:
        """The batch of the fits chosen (N,)."""
        counts = [int(part.sum()) for part in torch.split(chosen, list(self.counts))]
        shapes = [s for s, count in zip(self.shapes, counts, strict=True) if count]
        samples = Samples(*(part[chosen] for part in self.samples))
        free, ends, scale = self.free[chosen], self.ends[chosen], self.scale[chosen]
        return Batch(shapes, list(filter(None, counts)), samples, free, ends, scale, self.box)

    def bound(self, windows: Tensor) -> Tensor:
        """The nearest allowed windows (N, 2)."""
        if self.box is not None:
            middle, half = self.scale.unbind(-1)
            return to_windows(to_affine(windows, middle, half).clamp(*self.box), middle, half)
        alpha, beta = windows.clamp(-FARTHEST, FARTHEST).unbind(-1)
        low, high, below, above = self.ends.unbind(-1)
        size = alpha.abs()
        size = size.minimum((high - low) / (2 + below + above))
        beta = beta.clamp(low + size * (1 + below), high - size * (1 + above))
        return torch.stack([size.copysign(alpha), beta], dim=-1)


class _State(NamedTuple):
    """windows (N, 2), f and slope (N, n), f centred; factor c and r2 (N,)."""

    windows: Tensor
    f: Tensor
    slope: Tensor
    factor: Tensor
    r2: Tensor


def refined(batch: Batch, windows: Tensor, rounds: int, least: float) -> tuple[Tensor, Tensor]:
    """Better windows (N, 2) than the given ones, and their R2 (N,); -inf without a value.

    least: gains of R2 in a round that are worth another one.
    """
    state = _evaluated(batch, batch.bound(windows))
    best, best_r2 = state.windows.clone(), state.r2.clone()
    damping = torch.full_like(state.r2, 1e-3)
    growth = torch.full_like(state.r2, 2.0)
    left = torch.arange(len(windows))
    for _ in range(rounds):
        before = state.r2
        for _ in range(STEPS):
            state, damping, growth, promised = _stepped(batch, state, damping, growth)
        best[left], best_r2[left] = state.windows, state.r2
        going = (state.r2 - before > least) | (promised > least)
        if not going.any():
            break
        left, batch = left[going], batch.rows(going)
        state = _State(*(part[going] for part in state))
        damping, growth = damping[going], growth[going]
    return best, best_r2


def _stepped(
    batch: Batch, state: _State, damping: Tensor, growth: Tensor
) -> tuple[_State, Tensor, Tensor, Tensor]:
    """One step of every fit, kept where it is better; last, the gain that it promised."""
    step, promised = _step(batch, state, damping)
    tried = _evaluated(batch, batch.bound(state.windows + step))
    gain = tried.r2 - state.r2
    better = gain > 0
    rho = gain / promised.clamp_min(torch.finfo(gain.dtype).tiny)
    less = (1 - (2 * rho.clamp(0, 1) - 1) ** 3).clamp_min(1 / 3)
    damping = torch.where(better, damping * less, damping * growth).clamp(1e-12, 1e12)
    growth = torch.where(better, 2.0, growth * 2)
    kept = (
        torch.where(better.reshape(-1, *[1] * (new.dim() - 1)), new, old)
        for new, old in zip(tried, state, strict=True)
    )
    return _State(*kept), damping, growth, promised


def _values(batch: Batch, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """f and f' at t (N, n), and whether f has a value at all of a row (N,)."""
    t = t.detach().requires_grad_()
    parts = list(zip(batch.shapes, torch.split(t, list(batch.counts)), strict=True))
    with torch.enable_grad():
        f = torch.cat([s.function.torch(part) for s, part in parts])
        slope = torch.autograd.grad(f.sum(), t)[0] if f.requires_grad else torch.zeros_like(f)
    with torch.no_grad():
        inside = torch.cat([s.function.inside(part).all(dim=1) for s, part in parts])
    return f.detach(), slope, inside


def _evaluated(batch: Batch, windows: Tensor) -> _State:
    _, v, weight = batch.samples
    f, slope, inside = _values(batch, windows[:, :1] * batch.samples.u + windows[:, 1:])
    largest = f.abs().amax(dim=1).square()
    f = f - f[:, :1]  # The mean of large values that hardly differ would lose digits.
    f = f - _dot(weight, f)[:, None]
    wf = weight * f
    variance, shared = _dot(wf, f), _dot(wf, v)
    known = inside & (variance > FLAT * largest) & (largest > SMALLEST) & (largest < LARGEST)
    factor = torch.where(known, shared / torch.where(known, variance, 1.0), 0.0)
    r2 = torch.where(known, factor * shared, -torch.inf)
    return _State(windows, f, slope, factor, torch.where(r2.isnan(), -torch.inf, r2))


def _step(batch: Batch, state: _State, damping: Tensor) -> tuple[Tensor, Tensor]:
    """The step (N, 2), and the gain of R2 (N,) that the linear model promises for it."""
    a11, a12, a22, g = _normal_equations(batch, state)
    # A parameter that is not free has an equation of its own: 1 * step = 0.
    d11 = torch.where(a11 > 0, a11 * (1 + damping), 1.0)
    d22 = torch.where(a22 > 0, a22 * (1 + damping), 1.0)
    determinant = d11 * d22 - a12 * a12
    solvable = determinant > 1e-14 * d11 * d22
    determinant = torch.where(solvable, determinant, 1.0)
    both = torch.stack([g[:, 0] * d22 - g[:, 1] * a12, g[:, 1] * d11 - g[:, 0] * a12], dim=1)
    each = torch.stack([g[:, 0] / d11, g[:, 1] / d22], dim=1) / 2
    step = torch.where(solvable[:, None], both / determinant[:, None], each)
    step = torch.where(step.isfinite().all(dim=1, keepdim=True), step, 0.0)
    first, second = step.unbind(1)
    bent = a11 * first**2 + 2 * a12 * first * second + a22 * second**2
    return step, 2 * (step * g).sum(dim=1) - bent


def _normal_equations(batch: Batch, state: _State) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """J^T W J as (a11, a12, a22) and J^T W (v - c f) as g (N, 2).

    The columns of J are p = c f' u and q = c f', less their projections on 1 and f; here
    by sums of products, since the arrays would cost most of the time.
    """
    u, v, weight = batch.samples
    f = state.f
    free = batch.free * state.r2.isfinite()[:, None]
    q = state.factor[:, None] * state.slope
    p, rest, wf = q * u, v - state.factor[:, None] * f, weight * f
    wp, wq = weight * p, weight * q
    variance = _dot(wf, f)
    scale = torch.where(variance > 0, variance, 1.0).rsqrt()
    p1, q1, pf, qf = wp.sum(dim=1), wq.sum(dim=1), _dot(wf, p) * scale, _dot(wf, q) * scale
    a11 = (_dot(wp, p) - p1 * p1 - pf * pf).clamp_min(0) * free[:, 0]
    a12 = (_dot(wp, q) - p1 * q1 - pf * qf) * free[:, 0] * free[:, 1]
    a22 = (_dot(wq, q) - q1 * q1 - qf * qf).clamp_min(0) * free[:, 1]
    return a11, a12, a22, torch.stack([_dot(wp, rest), _dot(wq, rest)], dim=1) * free


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return torch.einsum("ni,ni->n", one, other)
