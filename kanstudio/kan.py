"""KAN: a network as a torch module, with pykan's names for what people do to it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy
import torch
from torch import Tensor, nn

from kanstudio import functions
from kanstudio.errors import DataError, FileError, KanStudioError
from kanstudio.files.model import read_network, save_network
from kanstudio.network import checks, edits
from kanstudio.network.build import empty_network
from kanstudio.network.forward import (
    LayerProgram,
    LayerTensors,
    check_inputs,
    is_outdated,
    layer_forward,
    program,
)  # fmt: skip
from kanstudio.network.grid import refine, update_grid_from_samples
from kanstudio.network.measure import Measurement, measure
from kanstudio.network.network import FloatArray, Layer, Network, frozen
from kanstudio.network.outside import Outside, outside
from kanstudio.scene.plot import Plot, plot_network
from kanstudio.symbolic.formula import SymbolicFormula, symbolic_formula
from kanstudio.training import fitting
from kanstudio.training.checks import check_device
from kanstudio.training.objective import LossFunction
from kanstudio.training.sources import as_dataset
from kanstudio.training.stream import Stream

# How far the outputs of a formula in simple numbers may be from the network's, per dtype.
_TOLERANCES = {torch.float64: 1e-12, torch.float32: 1e-6}

_DTYPES = {"float64": torch.float64, "float32": torch.float32}

TRAINABLE = ("coef", "scale_base", "scale_sp", "affine")


class KANLayer(nn.Module):
    """The tensors of one layer; names, shapes and meaning as in ``network.Layer``.

    coef, scale_base, scale_sp and affine are trainable; the rest is not.
    """

    def __init__(self, layer: Layer, dtype: torch.dtype, device: torch.device | str) -> None:
        super().__init__()
        self.functions = layer.functions
        for name, values in layer.arrays():
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


class KAN(nn.Module):
    """A Kolmogorov-Arnold network: ``model(x)`` maps [n, inputs] to [n, outputs].

    width: per level a number of sum nodes or [sum nodes, mult nodes]; mult_arity: one
    arity, or per level a list. grid: intervals of each spline; k: its degree. All edges
    start as random splines, from ``seed`` alone. dtype: None is torch's default.

    The edits change this module and keep what was trained; each is also a pure function
    on ``network()`` in ``kanstudio.network.edits``.
    """

    def __init__(
        self,
        width: Sequence[Sequence[int] | int],
        grid: int = 3,
        k: int = 3,
        mult_arity: int | Sequence[Sequence[int]] = 2,
        seed: int = 1,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        grid, k = checks.whole("grid", grid, 1), checks.whole("k", k, 0)
        pairs, arities = checks.shape(width, mult_arity, grid + k)
        seed = checks.whole("a seed", seed, 0)
        empty = empty_network(pairs, arities, grid=grid, degree=k, seed=seed)
        self._begin(edits.random_spline_network(empty), dtype or torch.get_default_dtype(), device)

    @classmethod
    def from_network(
        cls,
        network: Network,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
    ) -> KAN:
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
        save_network(self.network(), path, {"dtype": str(self.dtype).removeprefix("torch.")})

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | bytes,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
    ) -> KAN:
        """The model in a file, or in the bytes of one; dtype None is the one it was saved with.

        Raises FileError for a file that is damaged, newer than this version or no model, and
        for a function that is not known here.
        """
        network, manifest = read_network(path)
        saved = _DTYPES.get(str(manifest.get("dtype")))
        return cls.from_network(network, dtype=dtype or saved, device=device)

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
        x = _real_tensor(x)
        check_inputs(len(self._shape.levels[0]), tuple(x.shape))
        self.cache_data = x.detach()
        values = x.to(self.dtype)
        for plan, tensors in zip(self._program(), self._tensors(), strict=True):
            values = layer_forward(plan, tensors, values)
        return values

    def get_act(self, x: Tensor | Mapping[str, Tensor] | None = None) -> Measurement:
        """Ranges, deviations and scores of all edges on samples.

        x [n, inputs], or a dataset dictionary, of which the training inputs are taken;
        None: the inputs of the last call.
        """
        samples = self._samples(x)
        self.cache_data = samples
        return measure(self.network(), samples.to("cpu", torch.float64).numpy())

    def outside(self, x: Tensor | Mapping[str, Tensor] | None = None) -> dict[str, Outside]:
        """Which edges' functions meet samples outside their domains, and how large a share.

        By edge id, with the function's name; {} where every function has its true value.
        x as in `get_act`.
        """
        samples = self._samples(x)
        return outside(self.network(), samples.to("cpu", torch.float64).numpy())

    def _samples(self, x: Tensor | Mapping[str, Tensor] | None) -> Tensor:
        if isinstance(x, Mapping):
            if "train_input" not in x:
                raise DataError("the dataset lacks train_input")
            x = x["train_input"]
        if x is None:
            x = self.cache_data
        if x is None:
            raise DataError("there are no samples yet: call the model or get_act(x) first")
        return _real_tensor(x).detach()

    def expand_depth(self) -> KAN:
        """Add an identity layer at the end; the output does not change."""
        self._edit(edits.expand_depth(self.network()))
        return self

    def expand_width(
        self,
        layer_id: int,
        n_added_nodes: int,
        sum_bool: bool = True,
        mult_arity: int | Sequence[int] = 2,
    ) -> KAN:
        """Add sum nodes, or mult nodes of the given arities, to level layer_id (1 to depth - 1).

        The output does not change. Raises EditError.
        """
        self._edit(
            edits.expand_width(
                self.network(), layer_id, n_added_nodes, sum_bool=sum_bool, mult_arity=mult_arity
            )
        )
        return self

    def perturb(
        self, mag: float = 1.0, mode: edits.PerturbMode = "non-intrusive", seed: int = 0
    ) -> KAN:
        """Switch on spline fronts; see ``kanstudio.network.edits.perturb``."""
        self._edit(edits.perturb(self.network(), mode, mag, seed))
        return self

    def refine(self, new_grid: int) -> float:
        """A finer grid on the same spans; returns the largest change of any spline."""
        network, change = refine(self.network(), new_grid)
        self._edit(network)
        return change

    def update_grid_from_samples(self, x: Tensor) -> KAN:
        """Spread the grids over what the samples [n, inputs] reach; never gives NaN."""
        samples = _real_tensor(x).detach().to("cpu", torch.float64).numpy()
        self._edit(update_grid_from_samples(self.network(), samples))
        return self

    def plot(  # noqa: PLR0917 - pykan's signature
        self,
        folder: str | None = None,
        beta: float = 3,
        metric: str = "backward",
        scale: float = 0.5,
        tick: bool = False,
        sample: bool = False,
        in_vars: Sequence[object] | None = None,
        out_vars: Sequence[object] | None = None,
        title: str | None = None,
        varscale: float = 1.0,
        *,
        theme: str = "light",
    ) -> Plot:
        """The network as a picture: displays in a notebook, ``.save("net.svg" or ".png")``.

        Opacity is tanh(beta * score) with the metric backward, forward_n or forward_u.
        in_vars and out_vars: names, as text or as sympy's symbols.
        folder, scale, tick, sample and varscale are accepted for pykan's callers and not
        used: the picture is one vector drawing.
        """
        if isinstance(beta, bool) or not isinstance(beta, int | float) or not 0 <= beta < math.inf:
            raise DataError(f"beta is a number of at least 0, not {beta!r}")
        x = self.cache_data
        samples = None if x is None else x.to("cpu", torch.float64).numpy()
        return plot_network(
            self.network(), samples, metric=metric, beta=beta, theme=theme, title=title,
            in_vars=_texts(in_vars), out_vars=_texts(out_vars),
        )  # fmt: skip

    def symbolic_formula(
        self,
        var: Sequence[str | sympy.Symbol] | None = None,
        *,
        tolerance: float | None = None,
        simplify: bool = False,
        timeout_s: float = 10.0,
    ) -> SymbolicFormula:
        """One sympy expression per output, masks, scales and spline edges included.

        Unpacks like pykan's answer, ``expressions, variables = model.symbolic_formula()``,
        and prints as text. var: names or symbols of the inputs. tolerance: how much any
        output may change, relative to its largest value, for the sake of simple numbers
        (0.99999 to 1); None: the precision of the module's dtype. simplify: let sympy look
        for a shorter form for timeout_s seconds at most. Compared at the inputs of the last
        call. See ``kanstudio.symbolic.formula.symbolic_formula``.
        """
        x = self.cache_data
        samples = None if x is None or not len(x) else x.to("cpu", torch.float64).numpy()
        if tolerance is None:
            tolerance = _TOLERANCES.get(self.dtype, 1e-2)
        return symbolic_formula(
            self.network(), var, samples=samples, tolerance=tolerance, simplify=simplify,
            timeout_s=timeout_s,
        )  # fmt: skip

    def fit(  # noqa: PLR0917 - pykan's signature
        self,
        dataset: object,
        opt: str = "LBFGS",
        steps: int = 100,
        log: int = 1,
        lamb: float = 0.0,
        lamb_l1: float = 1.0,
        lamb_entropy: float = 2.0,
        lamb_coef: float = 0.0,
        lamb_coefdiff: float = 0.0,
        update_grid: bool = True,
        grid_update_num: int = 10,
        loss_fn: LossFunction | None = None,
        lr: float | None = None,
        start_grid_update_step: int = -1,
        stop_grid_update_step: int = 50,
        batch: int = -1,
        metrics: Sequence[fitting.Metric] | None = None,
        save_fig: bool = False,
        in_vars: Sequence[object] | None = None,
        out_vars: Sequence[object] | None = None,
        beta: float = 3,
        save_fig_freq: int = 1,
        img_folder: str = "./video",
        singularity_avoiding: bool = False,
        y_th: float = 1000.0,
        reg_metric: str = "edge_forward_spline_n",
        display_metrics: Sequence[str] | None = None,
        *,
        grids: Sequence[int] | None = None,
        normalize: bool = False,
        callbacks: Sequence[fitting.Callback] | None = None,
        seed: int = 0,
        test_fraction: float = 0.2,
        **settings: Any,
    ) -> dict[str, FloatArray]:
        """Train in place; names, order and meaning as in pykan up to display_metrics.

        dataset: a dictionary of train_input, train_label, test_input and test_label, each
        [n, columns], with train_weight and test_weight if samples count differently; or
        (inputs, labels), a data frame, the path of a CSV or Parquet file, a torch Dataset
        or DataLoader, of all of which test_fraction is kept to test, by the seed; or a
        ``training.Stream`` for data beyond memory.

        opt: "LBFGS", "Adam", "LM" (Levenberg-Marquardt) or "auto". lr: None is 0.01 for
        Adam, else 1. loss_fn(prediction, label): a torch scalar in place of the mean
        squared error. save_fig: pictures img_folder/0.png, ... every save_fig_freq steps.
        grids: such as [3, 5, 10], refine to each and take ``steps`` steps on each.
        normalize: train on inputs and outputs of mean 0 and deviation 1, whose units the
        losses then have; the model still maps plain values. callbacks are called with
        each step's ``Progress``; one that returns True ends the training. settings:
        everything else that ``TrainingSettings`` has (schedule, patience, clip, ...).

        Returns train_loss and test_loss (RMSE) and reg, one number per step, one array
        per metric under its ``__name__``, and with grids "stages", the indices at which
        each grid begins. Raises TrainingError when the loss is no longer finite; the
        module then holds the last good state.
        """
        options: dict[str, Any] = dict(
            optimizer=opt, learning_rate=lr, steps=steps, lamb=lamb, lamb_l1=lamb_l1,
            lamb_entropy=lamb_entropy, lamb_coef=lamb_coef, lamb_coefdiff=lamb_coefdiff,
            reg_metric=reg_metric, update_grid=update_grid, grid_update_num=grid_update_num,
            start_grid_update_step=start_grid_update_step,
            stop_grid_update_step=stop_grid_update_step, batch=batch, seed=seed,
            singularity_avoiding=singularity_avoiding, y_th=y_th,
            device=str(self.device), dtype=str(self.dtype).removeprefix("torch."),
        )  # fmt: skip
        chosen = fitting.make_settings(options, settings)
        network = self.network()
        samples = dataset
        if not isinstance(samples, Stream):
            samples = as_dataset(
                dataset, network.input_names, network.output_names,
                test_fraction=test_fraction, seed=seed,
            )  # fmt: skip

        def draw(title: str) -> Plot:
            return self.plot(beta=beta, in_vars=in_vars, out_vars=out_vars, title=title)

        pictures = fitting.Pictures(draw, img_folder, save_fig_freq) if save_fig else None
        watching = fitting.watchers(log, metrics, display_metrics, callbacks, pictures)
        seen = samples.test_x if isinstance(samples, Stream) else samples.train_x
        self.cache_data = torch.tensor(seen, dtype=self.dtype, device=self.device)
        return fitting.fit(
            network, samples, chosen, watching, self._edit,
            grids=grids, normalize=normalize, loss_fn=loss_fn,
        )  # fmt: skip


def _follow_state(model: nn.Module, _: object) -> None:
    """A loaded state may switch fronts on or off, and bring other functions."""
    assert isinstance(model, KAN)
    model._shape = model.network()
    model._programs.clear()


def _real_tensor(x: object) -> Tensor:
    if not isinstance(x, Tensor) or x.is_complex():
        raise DataError(f"samples are a tensor of real numbers, not {type(x).__name__}")
    return x


def _texts(names: Sequence[object] | None) -> list[str] | None:
    return None if names is None else [str(name) for name in names]
