"""What a training run is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from kanstudio.errors import TrainingError

Optimizer = Literal["Adam", "LBFGS", "LM", "auto"]
Schedule = Literal["constant", "cosine", "exponential", "step", "plateau"]
RegMetric = Literal[
    "edge_forward_spline_n",
    "edge_forward_spline_u",
    "edge_forward_sum",
    "edge_backward",
    "node_backward",
]
Dtype = Literal["auto", "float64", "float32"]

OPTIMIZERS: tuple[str, ...] = get_args(Optimizer)
SCHEDULES: tuple[str, ...] = get_args(Schedule)
REG_METRICS: tuple[str, ...] = get_args(RegMetric)
DTYPES: tuple[str, ...] = get_args(Dtype)
DEVICES = ("cpu", "cuda", "mps")
DEFAULT_LEARNING_RATE = {"Adam": 1e-2, "LBFGS": 1.0, "LM": 1.0, "auto": 1.0}
LM_PATIENCE = 10
"""Levenberg-Marquardt fits the training samples so well that it must be stopped."""

MAX_STEPS = 10_000_000
MAX_SEED = 2**63


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of one run; the names are pykan's where pykan has them.

    - optimizer: "Adam"; "LBFGS" (one step has up to 20 inner iterations); "LM" is
      Levenberg-Marquardt, in float64 whatever dtype says; "auto" picks one of them by the
      numbers of parameters and samples, see ``training.choice``.
    - learning_rate: None is 0.01 for Adam and 1 for L-BFGS; LM has none.
    - schedule: how the learning rate falls. "cosine" and "exponential" reach rate_end times
      the rate at the last step; "step" multiplies it by rate_factor every rate_every steps,
      "plateau" after every rate_every steps without a lower test loss.
    - clip: largest norm of Adam's gradient; None for no limit.
    - patience: stop after so many steps in which the test loss did not fall by more than
      min_delta below its best, and return the best network, be it the first; 0 never stops.
      None is 10 for LM and 0 for the others. A grid update starts the count again.
    - lamb: strength of the whole regulariser
      ``lamb_l1 * l1 + lamb_entropy * entropy + lamb_coef * |coef| + lamb_coefdiff * |diff coef|``.
    - reg_metric: the edge scores that l1 and entropy are taken of.
    - update_grid, grid_update_num, start_grid_update_step, stop_grid_update_step: knots move
      to the samples every ``stop // num`` steps while ``start <= step < stop``.
    - batch: samples per step, -1 for all.
    - affine_trainable: train scale and bias of nodes and subnodes as well.
    - singularity_avoiding, y_th: while training, values of symbolic functions are kept
      between -y_th and y_th, with no gradient beyond.
    - seed: of the minibatches; nothing else is random.
    - dtype: of the arithmetic, in torch and in the compiled kernel; the parameters themselves
      and the optimiser's memory are float64 on the CPU whatever it says. "auto" is float32
      for Adam on cuda, where float64 is 2 to 64 times slower, and for everything on mps,
      which has no other; elsewhere it is float64. On the CPU a step in float32 takes
      about half the time, but L-BFGS stalls near a loss of 1e-6.
    """

    optimizer: Optimizer = "Adam"
    learning_rate: float | None = None
    steps: int = 200
    lamb: float = 0.0
    lamb_l1: float = 1.0
    lamb_entropy: float = 2.0
    lamb_coef: float = 0.0
    lamb_coefdiff: float = 0.0
    reg_metric: RegMetric = "edge_forward_spline_n"
    update_grid: bool = True
    grid_update_num: int = 10
    start_grid_update_step: int = -1
    stop_grid_update_step: int = 50
    batch: int = -1
    schedule: Schedule = "constant"
    rate_end: float = 0.01
    rate_factor: float = 0.1
    rate_every: int = 100
    clip: float | None = None
    patience: int | None = None
    min_delta: float = 0.0
    singularity_avoiding: bool = False
    y_th: float = 1000.0
    affine_trainable: bool = False
    seed: int = 0
    device: str = "cpu"
    dtype: Dtype = "auto"

    def __post_init__(self) -> None:
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("reg_metric", self.reg_metric, REG_METRICS)
        _one_of("dtype", self.dtype, DTYPES)
        for name in ("update_grid", "singularity_avoiding", "affine_trainable"):
            if not isinstance(getattr(self, name), bool):
                raise TrainingError(f"{name} must be true or false")
        for name, low, high, open_end in _NUMBERS:
            if getattr(self, name) is not None or name not in _OPTIONAL:
                number = _number(name, getattr(self, name), low, high, above=open_end)
                object.__setattr__(self, name, number)
        for name, low, high in _WHOLE_NUMBERS:
            if getattr(self, name) is not None or name not in _OPTIONAL:
                object.__setattr__(self, name, _whole(name, getattr(self, name), low, high))
        if self.batch != -1:
            batch = _whole("batch", self.batch, 1, more=" or -1 for all samples")
            object.__setattr__(self, "batch", batch)
        self._check_device()
        if self.clip is not None and self.optimizer in ("LBFGS", "LM"):
            raise TrainingError(f"clip is for Adam's gradient; {self.optimizer} needs it whole")

    def _check_device(self) -> None:
        if not isinstance(self.device, str) or self.device.split(":")[0] not in DEVICES:
            raise TrainingError(f"device must be cpu, cuda or mps, not {self.device!r}")
        if self.device.startswith("mps") and "float64" in (self.dtype, self.arithmetic):
            raise TrainingError("device mps has no float64; choose dtype float32, and not LM")

    @property
    def arithmetic(self) -> Dtype:
        """The dtype that counts, never "auto".

        Levenberg-Marquardt squares the condition of the problem: float64 whatever is asked.
        """
        if self.optimizer == "LM":
            return "float64"
        if self.dtype != "auto":
            return self.dtype
        kind = self.device.split(":")[0]
        single = kind == "mps" or (kind == "cuda" and self.optimizer == "Adam")
        return "float32" if single else "float64"

    @property
    def stops_after(self) -> int:
        """The patience that counts; 0 never stops."""
        if self.patience is None:
            return LM_PATIENCE if self.optimizer == "LM" else 0
        return self.patience

    @property
    def rate(self) -> float:
        """The learning rate, the optimiser's default if none is given."""
        if self.learning_rate is None:
            return DEFAULT_LEARNING_RATE[self.optimizer]
        return float(self.learning_rate)

    @property
    def grid_update_every(self) -> int:
        """Steps from one grid update to the next."""
        return max(self.stop_grid_update_step // self.grid_update_num, 1)

    def updates_grid_at(self, step: int) -> bool:
        """True if the knots move before this step, counted from 0."""
        return (
            self.update_grid
            and self.start_grid_update_step <= step < self.stop_grid_update_step
            and step % self.grid_update_every == 0
        )


_OPTIONAL = ("learning_rate", "clip", "patience")
_NUMBERS = (
    ("learning_rate", 0.0, 1e6, True),
    *((name, 0.0, 1e12, False)
      for name in ("lamb", "lamb_l1", "lamb_entropy", "lamb_coef", "lamb_coefdiff", "min_delta")),
    ("rate_end", 0.0, 1.0, True),
    ("rate_factor", 0.0, 1.0, True),
    ("clip", 0.0, 1e12, True),
    ("y_th", 0.0, 1e300, True),
)  # fmt: skip
_WHOLE_NUMBERS = (
    ("steps", 1, MAX_STEPS),
    ("grid_update_num", 1, MAX_STEPS),
    ("start_grid_update_step", -1, MAX_STEPS),
    ("stop_grid_update_step", 0, MAX_STEPS),
    ("rate_every", 1, MAX_STEPS),
    ("patience", 0, MAX_STEPS),
    ("seed", 0, MAX_SEED),
)


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise TrainingError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")


def _number(name: str, value: object, low: float, high: float, *, above: bool = False) -> float:
    """The value as a plain float; numpy's would lower the precision of what it meets."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TrainingError(f"{name} must be a number, not {value!r}")
    if not low <= value <= high or (above and value == low):
        bound = "above" if above else "at least"
        raise TrainingError(f"{name} must be {bound} {low:g} and at most {high:g}, not {value}")
    return float(value)


def _whole(name: str, value: object, low: int, high: int = MAX_STEPS, more: str = "") -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not low <= int(value) <= high:  # type: ignore[call-overload]
        raise TrainingError(
            f"{name} must be a whole number from {low} to {high:,}{more}, not {value!r}"
        )
    return int(value)  # type: ignore[call-overload, no-any-return]
