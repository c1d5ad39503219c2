"""From splines to a formula: what a KAN can do to grow smaller and become symbolic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor

from kanstudio.module import KANModule
from kanstudio.network import checks
from kanstudio.network import prune as cut
from kanstudio.network.measure import attribution, measure
from kanstudio.network.network import ABSENT, EdgeRef, FloatArray, Network
from kanstudio.snapping import snap
from kanstudio.snapping.answer import Suggestions
from kanstudio.snapping.suggest import (
    WEIGHT_SIMPLE,
    Library,
    Range,
    Taste,
    r2_bits,
    suggestions,
)


class SimplifyingKAN(KANModule):
    """The part of ``KAN`` that prunes, attributes and snaps edges to functions.

    All of it looks at the samples of the last call of the model (or of ``get_act``). Each
    method is also a pure function on ``network()``, in ``kanstudio.network.prune`` and
    ``kanstudio.snapping``.
    """

    def _seen(self) -> FloatArray:
        samples: FloatArray = self._samples(None).to("cpu", torch.float64).numpy()
        return samples

    def _made(self, network: Network, cache: Tensor | None) -> Self:
        model = type(self).from_network(network, dtype=self.dtype, device=self.device)
        model.cache_data, model.input_id = cache, self.input_id
        return model

    def suggest_symbolic(  # noqa: PLR0917 - pykan's signature
        self,
        l: int,  # noqa: E741
        i: int,
        j: int,
        a_range: Range | None = None,
        b_range: Range | None = None,
        lib: Library = None,
        topk: int = 5,
        verbose: bool = True,
        r2_loss_fun: Callable[[float], float] = r2_bits,
        c_loss_fun: Callable[[int], float] = float,
        weight_simple: float = WEIGHT_SIMPLE,
    ) -> Suggestions:
        """The topk functions that edge (l, i, j) looks like; the model does not change.

        i: the node of level l, j: the subnode of level l + 1. a_range, b_range: (low, high)
        of a and b; both None let the samples decide, one alone makes the other (-10, 10).
        lib: names of functions, "all" for the whole function table, None for pykan's and
        those that users added. The best one has the least
        ``weight_simple * c_loss_fun(complexity) + (1 - weight_simple) * r2_loss_fun(r2)``,
        where each number that the function has counts 0.02 of complexity.
        verbose is accepted for pykan's callers: print the answer to see the table.
        """
        edge = EdgeRef(l, i, j)
        taste = Taste(weight_simple, r2_loss_fun, c_loss_fun)
        (rows,) = suggestions(
            self.network(), self._seen(), [edge], lib,
            a_range=a_range, b_range=b_range, taste=taste,
        )  # fmt: skip
        return Suggestions(rows[: checks.whole("topk", topk, 1)])

    def fix_symbolic(  # noqa: PLR0917 - pykan's signature
        self,
        l: int,  # noqa: E741
        i: int,
        j: int,
        fun_name: str,
        fit_params_bool: bool = True,
        a_range: Range | None = None,
        b_range: Range | None = None,
        verbose: bool = True,
        random: bool = False,
        log_history: bool = True,
        *,
        seed: int = 0,
    ) -> float | None:
        """Make edge (l, i, j) the function ``c * f(a * x + b) + d``; returns R2 of the fit.

        fit_params_bool False: a, b, c, d are 1, 0, 1, 0, or with random from [-1, 1] by the
        seed; the answer is None. The function "0" removes the edge and keeps its mean as a
        part of a bias. verbose and log_history are accepted for pykan's callers.
        """
        edge, network = EdgeRef(l, i, j), self.network()
        if fun_name == ABSENT:
            self.remove_edge(l, i, j)
            return None
        if fit_params_bool:
            found = snap.best_fit(
                network, self._seen(), edge, fun_name, a_range=a_range, b_range=b_range
            )
            self._edit(snap.fix_edge(network, edge, found.name, found.affine))
            return found.r2
        affine = np.random.default_rng(seed).uniform(-1, 1, 4) if random else snap.UNIT
        self._edit(snap.fix_edge(network, edge, fun_name, tuple(affine)))
        return None

    def unfix_symbolic(self, l: int, i: int, j: int, log_history: bool = True) -> Self:  # noqa: E741
        """Edge (l, i, j) as its spline again, as it was before the function was fixed."""
        self._edit(snap.unfix_edge(self.network(), EdgeRef(l, i, j)))
        return self

    def unfix_symbolic_all(self, log_history: bool = True) -> Self:
        """Every edge that has a function as its spline again; absent edges stay absent."""
        network = self.network()
        for index, layer in enumerate(network.layers):
            for subnode, source in np.argwhere(layer.symbolic_active).tolist():
                network = snap.unfix_edge(network, EdgeRef(index, source, subnode))
        self._edit(network)
        return self

    def auto_symbolic(  # noqa: PLR0917 - pykan's signature
        self,
        a_range: Range | None = None,
        b_range: Range | None = None,
        lib: Library = None,
        verbose: int = 1,
        weight_simple: float = WEIGHT_SIMPLE,
        r2_threshold: float = 0.0,
    ) -> tuple[snap.Snapped, ...]:
        """Fix every edge that has a spline with the first of its suggestions.

        Edges below r2_threshold stay splines; constant ones become part of a bias. Returns
        what was done, edge by edge; the arguments are those of `suggest_symbolic`.
        """
        network, report = snap.auto_symbolic(
            self.network(), self._seen(), lib, a_range=a_range, b_range=b_range,
            taste=Taste(weight_simple), r2_threshold=r2_threshold,
        )  # fmt: skip
        self._edit(network)
        return report

    def prune(
        self, node_th: float = cut.NODE_THRESHOLD, edge_th: float = cut.EDGE_THRESHOLD
    ) -> Self:
        """A new model without the nodes, then the edges, that hardly matter.

        Their attribution is at most the threshold. This model does not change; what the
        parts that went contributed on average is in the biases of the new one.
        """
        return self._made(
            cut.prune(self.network(), self._seen(), node_th, edge_th), self.cache_data
        )

    def prune_node(
        self,
        threshold: float = cut.NODE_THRESHOLD,
        mode: str = "auto",
        active_neurons_id: Sequence[Sequence[int]] | None = None,
        log_history: bool = True,
    ) -> Self:
        """A new model without the hidden nodes of an attribution of at most the threshold.

        active_neurons_id: per hidden level the nodes to keep, in place of the threshold.
        Every level keeps its strongest node. mode and log_history are pykan's.
        """
        network = cut.prune_node(self.network(), self._seen(), threshold, active_neurons_id)
        return self._made(network, self.cache_data)

    def prune_edge(self, threshold: float = cut.EDGE_THRESHOLD, log_history: bool = True) -> Self:
        """Remove the edges of an attribution of at most the threshold, functions as well."""
        self._edit(cut.prune_edge(self.network(), self._seen(), threshold))
        return self

    def prune_input(
        self,
        threshold: float = cut.NODE_THRESHOLD,
        active_inputs: Sequence[int] | None = None,
        log_history: bool = True,
    ) -> Self:
        """A new model without the inputs of an attribution of at most the threshold.

        It takes only the columns ``input_id`` of the samples, ``x[:, model.input_id]``; of data
        frames and files it takes those of its ``input_names``, as ever. Both are saved.
        active_inputs: the inputs to keep, in place of the threshold.
        """
        network, kept = cut.prune_input(self.network(), self._seen(), threshold, active_inputs)
        cache = self._samples(None)[:, list(kept)]
        model = self._made(network, cache)
        model.input_id = kept if self.input_id is None else tuple(self.input_id[k] for k in kept)
        return model

    def remove_edge(self, l: int, i: int, j: int, log_history: bool = True) -> Self:  # noqa: E741
        """Remove edge (l, i, j); its mean on the last samples, if any, goes into a bias."""
        self._remove([EdgeRef(l, i, j)])
        return self

    def remove_node(self, l: int, i: int, mode: str = "all", log_history: bool = True) -> Self:  # noqa: E741
        """Remove the edges into (mode "down") and from ("up") node i of level l.

        The node itself stays, so that no index changes; `prune_node` drops it.
        """
        self._remove(cut.edges_of_node(self.network(), l, i, mode))
        return self

    def _remove(self, edges: Sequence[EdgeRef]) -> None:
        network = self.network()
        x = None if self.cache_data is None else self._seen()
        self._edit(cut.remove_edges(network, cut.means(network, x, edges)))

    def attribute(
        self,
        l: int | None = None,  # noqa: E741
        i: int | None = None,
        out_score: Tensor | Sequence[float] | None = None,
        plot: bool = True,
    ) -> Tensor:
        """How much each input matters for each node of level l (None: the outputs).

        [nodes, inputs], or [inputs] for node i alone. out_score: the weight of each node;
        None is 1 for the outputs and, as in pykan, the node's own score for a level l.
        plot is accepted for pykan's callers and not used.
        """
        network = self.network()
        found = measure(network, self._seen())
        level = None if l is None else checks.whole("a level", l, 1)
        weights = None
        if out_score is not None:
            weights = np.asarray(out_score, dtype=np.float64)
        elif level is not None and level <= network.depth:
            weights = found.node_scores[level]
        scores = torch.tensor(attribution(network, found, level, weights))
        return scores if i is None else scores[i]

    @property
    def feature_score(self) -> Tensor:
        """[inputs]: how much each input matters, on average over the outputs."""
        return torch.tensor(measure(self.network(), self._seen()).node_scores[0])
