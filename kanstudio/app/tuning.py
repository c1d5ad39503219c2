"""The settings of a run as a person sees them: fields, words, and what does not count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from kanstudio.network.network import Network
from kanstudio.training.choice import choose
from kanstudio.training.data import Dataset
from kanstudio.training.packing import packing
from kanstudio.training.settings import (
    DEFAULT_LEARNING_RATE,
    DTYPES,
    MAX_STEPS,
    REG_METRICS,
    SCHEDULES,
    TrainingSettings,
)

STEPS = {"Adam": 5_000, "LBFGS": 500, "LM": 200, "auto": 500}
"""Steps of a run by default: a few seconds on small networks, long enough to watch."""
OPTIMIZERS = {"auto": "Auto", "Adam": "Adam", "LBFGS": "L-BFGS", "LM": "Lev.-Marquardt"}
SCHEDULE_NAMES = {"step": "stepwise", "plateau": "at a plateau"}
METRICS = {
    "edge_forward_spline_n": "forward, normalised",
    "edge_forward_spline_u": "forward",
    "edge_forward_sum": "forward, sum",
    "edge_backward": "attribution of edges",
    "node_backward": "attribution of nodes",
}
_MOST = f"{MAX_STEPS:,}"
_NUMBER = "is a number of at least 0"
_SHARE = "is a number above 0 and at most 1"

Kind = Literal["number", "whole", "choice", "check"]


@dataclass(frozen=True)
class Field:
    """A setting's field. about: what may stand in it, as the rest of a sentence.

    basic fields are always seen, the others under the heading of their group.
    """

    name: str
    label: str
    kind: Kind
    about: str = ""
    group: str = "basic"

    @property
    def sentence(self) -> str:
        return f"{self.label} {self.about}" if self.about else ""


FIELDS = (
    Field("device", "Device", "choice"),
    Field("optimizer", "Optimizer", "choice",
          "is picked with Auto by the numbers of parameters and samples"),
    Field("learning_rate", "Learning rate", "number",
          "is a number above 0 and at most 1,000,000, or empty for the optimizer's own"),
    Field("steps", "Steps", "whole", f"is a whole number from 1 to {_MOST}"),
    Field("batch", "Batch", "whole",
          f"is a whole number from 1 to {_MOST}, or empty for all samples"),
    Field("lamb", "Regularisation λ", "number", _NUMBER),
    Field("schedule", "Schedule", "choice", "", "Learning rate"),
    Field("rate_end", "Share at the end", "number", _SHARE, "Learning rate"),
    Field("rate_factor", "Factor", "number", _SHARE, "Learning rate"),
    Field("rate_every", "Every so many steps", "whole", f"is a whole number from 1 to {_MOST}",
          "Learning rate"),
    Field("clip", "Clip the gradient", "number",
          "is the largest norm of Adam's gradient, a number above 0, or empty for none",
          "Learning rate"),
    Field("patience", "Patience", "whole",
          f"is a whole number of steps without a lower test loss, up to {_MOST}; 0 never stops",
          "Early stopping"),
    Field("min_delta", "Least gain", "number", _NUMBER, "Early stopping"),
    Field("dtype", "Precision", "choice", "", "Numbers"),
    Field("seed", "Batch seed", "whole", f"is a whole number from 0 to {_MOST}", "Numbers"),
    Field("affine_trainable", "Train scales and biases of nodes", "check", "", "Numbers"),
    Field("singularity_avoiding", "Hold functions off their poles", "check", "", "Numbers"),
    Field("y_th", "Largest value", "number", "is a number above 0", "Numbers"),
    Field("lamb_l1", "L1", "number", _NUMBER, "Regularisation"),
    Field("lamb_entropy", "Entropy", "number", _NUMBER, "Regularisation"),
    Field("lamb_coef", "Coefficients", "number", _NUMBER, "Regularisation"),
    Field("lamb_coefdiff", "Smoothness", "number", _NUMBER, "Regularisation"),
    Field("reg_metric", "Scores", "choice", "", "Regularisation"),
    Field("update_grid", "Move the knots to the samples", "check", "", "Grid"),
    Field("grid_update_num", "Grid updates", "whole", f"is a whole number from 1 to {_MOST}",
          "Grid"),
    Field("start_grid_update_step", "from step", "whole",
          f"is a whole number from -1 to {_MOST}", "Grid"),
    Field("stop_grid_update_step", "until step", "whole", f"is a whole number from 0 to {_MOST}",
          "Grid"),
)  # fmt: skip
_BY_NAME = {field.name: field for field in FIELDS}


def changed(settings: TrainingSettings, name: str, value: object) -> TrainingSettings:
    """The settings with one field's value. Raises TrainingError if it cannot be.

    value: as it comes from the field, None for an empty one.
    """
    field = _BY_NAME[name]
    if name == "batch" and value is None:
        value = -1
    if field.kind == "whole" and isinstance(value, float) and value.is_integer():
        value = int(value)
    changes: dict[str, Any] = {name: value}
    if name == "optimizer" and value in STEPS:
        # Each optimiser has its own sensible rate, and number of steps.
        changes["learning_rate"] = None
        if value in ("LBFGS", "LM"):
            changes["clip"] = None
        if settings.steps == STEPS[settings.optimizer]:
            changes["steps"] = STEPS[str(value)]
    if name == "device" and str(value).startswith("mps"):
        changes["dtype"] = "float32"
    return replace(settings, **changes)


def differing(one: TrainingSettings, other: TrainingSettings) -> set[str]:
    """The fields in which two settings differ."""
    return {f.name for f in FIELDS if getattr(one, f.name) != getattr(other, f.name)}


def is_field(name: str) -> bool:
    return name in _BY_NAME


def why_refused(
    settings: TrainingSettings, chosen: TrainingSettings, name: str, error: Exception
) -> str:
    """What a field takes and what counts for now; the error's own words for a choice."""
    field = _BY_NAME[name]
    if field.kind not in ("number", "whole"):
        return str(error)
    value = shown(settings)[name]
    if value is None:
        now = hints(chosen)[name]
    else:
        now = f"{value:,}" if field.kind == "whole" else f"{value:g}"
    return f"{field.sentence}. For now {now} counts."


def shown(settings: TrainingSettings) -> dict[str, Any]:
    """The value in each field, None for an empty one."""
    values = {field.name: getattr(settings, field.name) for field in FIELDS}
    return {**values, "batch": None if settings.batch == -1 else settings.batch}


def hints(chosen: TrainingSettings) -> dict[str, str]:
    """What an empty field means; chosen: with the optimiser that counts."""
    rate = DEFAULT_LEARNING_RATE[chosen.optimizer]
    own = "none" if chosen.optimizer == "LM" else f"{rate:g}"
    stops = replace(chosen, patience=None).stops_after
    patience = str(stops) if stops else "never"
    return {"learning_rate": own, "batch": "all", "clip": "none", "patience": patience}


def counting(settings: TrainingSettings, network: Network, dataset: Dataset) -> TrainingSettings:
    """The settings with the optimiser that "auto" would take now."""
    if settings.optimizer != "auto":
        return settings
    return choose(
        settings,
        n_parameters=packing(network, affine_trainable=settings.affine_trainable).size,
        n_residuals=dataset.train_y.size,
        minibatches=-1 != settings.batch < dataset.n_train,
    )


def idle(settings: TrainingSettings, chosen: TrainingSettings) -> dict[str, str]:
    """The fields that do not count, and why; chosen: with the optimiser that counts."""
    found: dict[str, str] = {}
    schedule = settings.schedule
    if schedule not in ("cosine", "exponential"):
        found["rate_end"] = "Counts with the schedules cosine and exponential"
    if schedule not in ("step", "plateau"):
        found |= dict.fromkeys(
            ("rate_factor", "rate_every"), "Counts with the schedules stepwise and at a plateau"
        )
    if chosen.optimizer == "LM":
        rates = ("learning_rate", "schedule", "rate_end", "rate_factor", "rate_every")
        found |= dict.fromkeys(rates, "Levenberg-Marquardt has no learning rate")
        found["dtype"] = "Levenberg-Marquardt counts in float64"
    if settings.optimizer in ("LBFGS", "LM"):
        found["clip"] = "Only Adam's gradient is clipped"
    if not chosen.stops_after:
        found["min_delta"] = "Counts with a patience"
    if settings.batch == -1:
        found["seed"] = "Counts with a batch"
    if not settings.update_grid:
        grid = ("grid_update_num", "start_grid_update_step", "stop_grid_update_step")
        found |= dict.fromkeys(grid, "The knots do not move")
    if not settings.singularity_avoiding:
        found["y_th"] = "Counts where functions are held off their poles"
    return found


def choices(
    devices: Sequence[str], settings: TrainingSettings, chosen: TrainingSettings
) -> Mapping[str, list[list[str]]]:
    """The options of every choice, (value, text); "auto" says what it takes."""
    optimizers = dict(OPTIMIZERS)
    if settings.optimizer == "auto":
        taken = chosen.optimizer
        optimizers["auto"] += ": LM" if taken == "LM" else f": {OPTIMIZERS[taken]}"
    named = {
        "device": dict.fromkeys(devices, ""),
        "optimizer": optimizers,
        "schedule": dict.fromkeys(SCHEDULES, "") | SCHEDULE_NAMES,
        "dtype": dict.fromkeys(DTYPES, ""),
        "reg_metric": {name: METRICS[name] for name in REG_METRICS},
    }
    return {name: [[key, text or key] for key, text in one.items()] for name, one in named.items()}
