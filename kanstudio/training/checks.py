"""What a run needs before it starts: a device, and parts that fit together."""

from __future__ import annotations

import torch

from kanstudio.errors import DataError, TrainingError
from kanstudio.network.network import Network
from kanstudio.training.data import Dataset
from kanstudio.training.settings import DEVICES, TrainingSettings


def available_devices() -> tuple[str, ...]:
    """The devices of this machine, the fastest last; "cpu" is always there."""
    found = ["cpu"]
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return tuple(name for name in DEVICES if name in found)


def check_device(device: object, dtype: torch.dtype = torch.float32) -> None:
    """Raise DataError unless tensors of this dtype can be made on this device."""
    try:
        torch.empty(0, dtype=dtype, device=device)  # type: ignore[call-overload]
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        # torch has as many ways to say so as it has kinds of devices.
        raise DataError(
            f"there is no device {str(device)!r} here for {dtype}: there is "
            f"{', '.join(available_devices())}"
        ) from error


def check_columns(network: Network, dataset: Dataset) -> None:
    """Raise TrainingError if the samples have not the network's inputs and outputs."""
    n_inputs, n_outputs = len(network.levels[0]), len(network.levels[-1])
    if (dataset.n_inputs, dataset.n_outputs) != (n_inputs, n_outputs):
        raise TrainingError(
            f"the network maps {n_inputs} inputs to {n_outputs} outputs, "
            f"the samples have {dataset.n_inputs} and {dataset.n_outputs}"
        )


def check_fit(network: Network, dataset: Dataset, settings: TrainingSettings) -> None:
    """Raise TrainingError if network, data and settings do not fit together."""
    check_columns(network, dataset)
    if network.n_edge == 0 and not settings.affine_trainable:
        raise TrainingError("nothing to train: every edge of this network is absent")


def check_run(
    network: Network, dataset: Dataset, settings: TrainingSettings, *, least_squares: bool = True
) -> None:
    """check_fit, and that the optimiser suits the loss and the device is one of this machine."""
    check_fit(network, dataset, settings)
    if settings.optimizer == "LM" and not least_squares:
        raise TrainingError(
            "Levenberg-Marquardt is for least squares; take LBFGS or Adam with loss_fn"
        )
    if settings.device.split(":")[0] not in available_devices():
        raise TrainingError(
            f"there is no device {settings.device} here; there is {', '.join(available_devices())}"
        )
