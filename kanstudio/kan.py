"""KAN: a network as a torch module, with pykan's names for what people do to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import sympy
import torch
from torch import Tensor

from kanstudio.errors import DataError
from kanstudio.module import real_tensor
from kanstudio.network import checks, edits
from kanstudio.network.build import empty_network
from kanstudio.network.contract import remove_level
from kanstudio.network.grid import refine, update_grid_from_samples
from kanstudio.network.measure import Measurement, measure
from kanstudio.network.network import FloatArray
from kanstudio.network.outside import Outside, outside
from kanstudio.scene.plot import Plot, plot_network
from kanstudio.simplify import SimplifyingKAN
from kanstudio.symbolic.formula import SymbolicFormula, symbolic_formula
from kanstudio.training import fitting
from kanstudio.training.objective import LossFunction

# How far the outputs of a formula in simple numbers may be from the network's, per dtype.
_TOLERANCES = {torch.float64: 1e-12, torch.float32: 1e-6}


class KAN(SimplifyingKAN):
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
        return outside(self.network(), samples.to("cpu", torch.float64).numpy(), self.dtype)

    def expand_depth(self) -> KAN:
        """Add an identity layer at the end; the output does not change."""
        self._edit(edits.expand_depth(self.network()))
        return self

    def remove_level(self, level: int) -> KAN:
        """Take away a hidden level (1 to depth - 1) that only hands values on.

        The output does not change but for rounding. Raises EditError for a level that the
        network needs; it names the node.
        """
        self._edit(remove_level(self.network(), level))
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
        samples = real_tensor(x).detach().to("cpu", torch.float64).numpy()
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
        grids: such as [3, 5, 10], refine to each and take ``steps`` steps on each; with
        early stopping (which LM has by default) the best of all grids is kept.
        normalize: train on inputs and outputs of mean 0 and deviation 1, whose units the
        losses then have; the model still maps plain values. callbacks are called with
        each step's ``Progress``; one that returns True ends the training. settings:
        everything else that ``TrainingSettings`` has (schedule, patience, clip, ...); dtype
        is that of the module, but on the CPU float64, unless you say "float32".

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
            device=str(self.device),
        )  # fmt: skip
        if self.device.type != "cpu":
            # On the CPU float64 costs little, and L-BFGS comes further with it.
            settings = {"dtype": str(self.dtype).removeprefix("torch.")} | settings
        chosen = fitting.make_settings(options, settings)

        def draw(title: str) -> Plot:
            return self.plot(beta=beta, in_vars=in_vars, out_vars=out_vars, title=title)

        pictures = fitting.Pictures(draw, img_folder, save_fig_freq) if save_fig else None
        watching = fitting.watchers(log, metrics, display_metrics, callbacks, pictures)
        network = self.network()
        samples = fitting.samples_for(network, dataset, test_fraction, seed)
        seen = fitting.inputs_of(samples)
        self.cache_data = torch.tensor(seen, dtype=self.dtype, device=self.device)
        return fitting.fit(
            network, samples, chosen, watching, self._edit,
            grids=grids, normalize=normalize, loss_fn=loss_fn,
        )  # fmt: skip


def _texts(names: Sequence[object] | None) -> list[str] | None:
    return None if names is None else [str(name) for name in names]
