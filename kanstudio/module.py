"""A network as a torch module: its tensors, their values, and the forward pass."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from kanstudio import functions
from kanstudio.errors import DataError, FileError, KanStudioError
from kanstudio.files.model import read_network, save_network
from kanstudio.network.forward import (
    LayerProgram,
    LayerTensors,
    check_inputs,
    is_outdated,
    layer_forward,
    program,
)  # fmt: skip
from kanstudio.network.network import FloatArray, Layer, Network, frozen
from kanstudio.training.checks import check_device

_DTYPES = {"float64": torch.float64, "float32": torch.float32}

TRAINABLE = ("coef", "scale_base", "scale_sp", "affine")


class KANLayer(nn.Module):
    """The tensors of one layer; names, shapes and meaning as in ``network.Layer``.

    coef, scale_base, scale_sp and affine are trainable; the rest is not.
    """

    def __init__(self, layer: Layer, dtype: torch.dtype, device: torch.device | str) -> None:
        super().__init__()
        self.functions = layer.functions
        for name, array in layer.arrays():
            values = told_apart(array, dtype) if name == "knots" else array
            tensor = torch.tensor(values, dtype=dtype, device=device)
            self.register_parameter(name, nn.Parameter(tensor, requires_grad=name in TRAINABLE))

    def get_extra_state(self) -> Tensor:
        """The names of the functions, for state_dict; as bytes, since all else is tensors."""
        return torch.tensor(list(json.dumps(self.functions).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        try:
            rows = json.loads(bytes(state.tolist()))
            names = tuple(tuple(functions.get(name).name for name in row) for row in rows)
        except (AttributeError, TypeError, ValueError) as error:
            raise FileError("the functions of a layer cannot be read from its state") from error
        except KanStudioError as error:
            raise FileError(f"a layer's state has a function that is not known: {error}") from error
        if np.shape(names) != np.shape(self.functions):
            raise FileError(
                f"a layer of shape {np.shape(self.functions)} has no functions of shape "
                f"{np.shape(names)}"
            )
        self.functions = names

    def tensors(self) -> LayerTensors:
        return LayerTensors(**dict(self.named_parameters()))

    def arrays(self) -> dict[str, Any]:
        """A snapshot: copies, not views of live memory."""
        return {
            name: frozen(p.detach().to("cpu", torch.float64).numpy())
            for name, p in self.named_parameters()
        }


class KANModule(nn.Module):
    """What a KAN is; ``KAN`` in kan.py adds what people do to it."""

    input_id: tuple[int, ...] | None = None
    """After ``prune_input``: which columns of its samples the model still takes."""

    @classmethod
    def from_network(
        cls,
        network: Network,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
    ) -> Self:
        """A module with the values of a network; dtype None is torch's default."""
        model = cls.__new__(cls)
        nn.Module.__init__(model)
        model._begin(network, dtype or torch.get_default_dtype(), device)
        return model

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, every bit of it; an old file stays whole until then.

        The file is in the safetensors format and holds numbers and names, never code.
        Raises FileError.
        """
        facts: dict[str, Any] = {"dtype": str(self.dtype).removeprefix("torch.")}
        if self.input_id is not None:
            facts["input_id"] = list(self.input_id)
        save_network(self.network(), path, facts)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | bytes,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
    ) -> Self:
        """The model in a file, or in the bytes of one; dtype None is the one it was saved with.

        Raises FileError for a file that is damaged, newer than this version or no model, and
        for a function that is not known here.
        """
        network, manifest = read_network(path)
        saved = _DTYPES.get(str(manifest.get("dtype")))
        model = cls.from_network(network, dtype=dtype or saved, device=device)
        model.input_id = _columns(manifest.get("input_id"), len(network.input_names))
        return model

    def _begin(self, network: Network, dtype: torch.dtype, device: torch.device | str) -> None:
        if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
            raise DataError(f"dtype is a floating type such as torch.float64, not {dtype!r}")
        check_device(device, dtype)
        self.register_load_state_dict_post_hook(_follow_state)  # type: ignore[no-untyped-call]
        self._load(network, dtype, device)

    def __getstate__(self) -> dict[str, Any]:
        # Programs are made again when needed, and hold functions that cannot be pickled.
        return {**self.__dict__, "_programs": {}}

    def _load(self, network: Network, dtype: torch.dtype, device: torch.device | str) -> None:
        self._shape = network
        self._programs: dict[torch.device, tuple[LayerProgram, ...]] = {}
        self.layers = nn.ModuleList(KANLayer(layer, dtype, device) for layer in network.layers)
        self.cache_data: Tensor | None = getattr(self, "cache_data", None)

    def _edit(self, network: Network) -> None:
        self._load(network, self.dtype, self.device)

    def network(self) -> Network:
        """The present state as an immutable value (float64 copies)."""
        layers = tuple(
            replace(layer, functions=module.functions, **module.arrays())
            for layer, module in zip(self._shape.layers, self.layers, strict=True)
            if isinstance(module, KANLayer)
        )
        return self._shape.with_layers(layers)

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def width(self) -> list[list[int]]:
        """[[sum nodes, mult nodes] per level]."""
        return self._shape.width

    @property
    def mult_arity(self) -> list[list[int]]:
        """The arities of the mult nodes per level."""
        return self._shape.mult_arity

    @property
    def depth(self) -> int:
        """Number of layers."""
        return self._shape.depth

    @property
    def grid(self) -> int:
        """Number of grid intervals of each spline."""
        return self._shape.grid

    @property
    def k(self) -> int:
        """Degree of the splines."""
        return self._shape.degree

    @property
    def n_edge(self) -> int:
        """Number of edges with at least one active front."""
        return self._shape.n_edge

    @property
    def input_names(self) -> tuple[str, ...]:
        return self._shape.input_names

    @property
    def output_names(self) -> tuple[str, ...]:
        return self._shape.output_names

    def _program(self) -> tuple[LayerProgram, ...]:
        device = self.device
        plans = self._programs.get(device)
        if plans is not None and any(map(is_outdated, plans, self._tensors())):
            self._shape, plans = self.network(), None
            self._programs.clear()
        if plans is None:
            plans = self._programs[device] = program(self._shape, device)
        return plans

    def _tensors(self) -> Iterator[LayerTensors]:
        return (layer.tensors() for layer in self.layers if isinstance(layer, KANLayer))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [n, outputs] for inputs [n, inputs]; remembers the inputs for plot()."""
        x = real_tensor(x)
        check_inputs(len(self._shape.levels[0]), tuple(x.shape))
        self.cache_data = x.detach()
        values = x.to(self.dtype)
        for plan, tensors in zip(self._program(), self._tensors(), strict=True):
            values = layer_forward(plan, tensors, values)
        return values

    def _samples(self, x: Tensor | Mapping[str, Tensor] | None) -> Tensor:
        if isinstance(x, Mapping):
            if "train_input" not in x:
                raise DataError("the dataset lacks train_input")
            x = x["train_input"]
        if x is None:
            x = self.cache_data
        if x is None:
            raise DataError("there are no samples yet: call the model or get_act(x) first")
        return real_tensor(x).detach()


def _columns(found: Any, count: int) -> tuple[int, ...] | None:
    """input_id as a file has it; files without one are of models with all their inputs."""
    if found is None:
        return None
    whole = isinstance(found, list) and all(type(item) is int and item >= 0 for item in found)
    if not whole or len(found) != count or found != sorted(set(found)):
        raise FileError(f"the model is not valid: the columns of its {count} inputs")
    return tuple(found)


def told_apart(knots: FloatArray, dtype: torch.dtype) -> FloatArray:
    """Knots [source, knot], stretched about their middle where the dtype could not tell them apart.

    A grid over 1000 +- 1e-6 has one value in float32, where no B-spline is left: there the
    spline would be lost. Repeated knots stay repeated.
    """
    gaps = np.diff(knots, axis=1)
    least = np.where(gaps > 0, gaps, np.inf).min(axis=1, initial=np.inf)
    wanted = 4 * torch.finfo(dtype).eps * np.abs(knots).max(axis=1)
    stretch = np.maximum(wanted / least, 1.0)[:, None]
    middle = (knots[:, :1] + knots[:, -1:]) / 2
    return np.where(stretch > 1, middle + stretch * (knots - middle), knots)


def _follow_state(model: nn.Module, _: object) -> None:
    """A loaded state may switch fronts on or off, and bring other functions."""
    assert isinstance(model, KANModule)
    model._shape = model.network()
    model._programs.clear()


def real_tensor(x: object) -> Tensor:
    """The samples that a caller gave. Raises DataError."""
    if not isinstance(x, Tensor) or x.is_complex():
        raise DataError(f"samples are a tensor of real numbers, not {type(x).__name__}")
    return x
