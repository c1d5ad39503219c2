"""The training dock: a run's controls, settings, losses and data."""

from __future__ import annotations

from typing import Any

from panel.viewable import Child

from kanstudio.app.component import Message, Part, script
from kanstudio.app.desk import Desk
from kanstudio.app.figures import LossChart
from kanstudio.app.parts import Page
from kanstudio.app.present import plural, time_left
from kanstudio.app.session import Session, Topic
from kanstudio.training.settings import DEFAULT_LEARNING_RATE, DTYPES, OPTIMIZERS, REG_METRICS

OPTIMIZER_NAMES = {"LBFGS": "L-BFGS"}
METRIC_NAMES = {
    "edge_forward_spline_n": "forward, normalised",
    "edge_forward_spline_u": "forward",
    "edge_forward_sum": "forward, sum",
    "edge_backward": "attribution of edges",
    "node_backward": "attribution of nodes",
}


class Dock(Part):
    """Train, Pause, Step, Stop; the loss chart."""

    chart = Child()
    datacard = Child()

    _esm = script("dock.js")

    def __init__(
        self, session: Session, desk: Desk, page: Page, datacard: Part, **params: Any
    ) -> None:
        self._chart = LossChart()
        super().__init__(
            chart=self._chart.pane,
            datacard=datacard,
            **params,
        )
        self._session = session
        self._desk = desk
        self._shown = (-1, -1)
        self.actions = {
            "train": lambda _: desk.train(),
            "pause": lambda _: desk.pause(),
            "step": lambda _: desk.step(),
            "stop": lambda _: desk.stop(),
            "setting": self._set,
            "data": lambda message: page.open_data(
                "file" if session.document.table_name else "formula",
                message.number("x"),
                message.number("y"),
            ),
        }
        self.put(
            choices={
                "device": list(desk.devices),
                "optimizer": [[name, OPTIMIZER_NAMES.get(name, name)] for name in OPTIMIZERS],
                "dtype": list(DTYPES),
                "reg_metric": [[name, METRIC_NAMES[name]] for name in REG_METRICS],
            }
        )
        session.listen(self._update)
        self._update(frozenset({"document", "run", "settings"}))

    def _update(self, topics: frozenset[Topic]) -> None:
        if "theme" in topics:
            self._chart.paint(self._session.theme)
        if topics & {"settings", "document"}:
            self._show_settings()
        if topics & {"run", "document"}:
            self._show_run()

    def _show_settings(self) -> None:
        document, settings = self._session.document, self._desk.settings
        data = document.dataset
        name = document.table_name or "Formula"
        self.put(
            settings={
                "device": settings.device,
                "optimizer": settings.optimizer,
                "learning_rate": settings.learning_rate,
                "steps": settings.steps,
                "batch": None if settings.batch == -1 else settings.batch,
                "lamb": settings.lamb,
                "lamb_l1": settings.lamb_l1,
                "lamb_entropy": settings.lamb_entropy,
                "lamb_coef": settings.lamb_coef,
                "lamb_coefdiff": settings.lamb_coefdiff,
                "reg_metric": settings.reg_metric,
                "update_grid": settings.update_grid,
                "grid_update_num": settings.grid_update_num,
                "stop_grid_update_step": settings.stop_grid_update_step,
                "seed": settings.seed,
                "dtype": settings.dtype,
                "affine_trainable": settings.affine_trainable,
            },
            wrong=list(self._desk.wrong),
            rateHint=f"{DEFAULT_LEARNING_RATE[settings.optimizer]:g}",
            data=f"{name} · {data.n_train:,} + {data.n_test:,}",
        )

    def _show_run(self) -> None:
        desk = self._desk
        losses = desk.losses
        steps, train, test = desk.curve()
        shape = (len(steps), steps[-1] if len(steps) else 0)
        if shape != self._shown:
            self._shown = shape
            self._chart.show(steps, train, test)
        self.put(
            run={
                "state": desk.state,
                "canTrain": desk.state != "training",
                "canPause": desk.state == "training",
                "canStep": desk.state != "training",
                "canStop": desk.state in ("training", "paused"),
                "share": desk.share,
                "step": desk.run_step,
                "total": desk.total,
                "text": self._progress(),
                "train": losses.train,
                "test": losses.test,
                "error": desk.message if desk.state == "error" else "",
                "hasCurve": len(steps) > 0,
                "hint": "No training yet. Perturb the network, then train it.",
            }
        )

    def _progress(self) -> str:
        desk = self._desk
        if desk.state not in ("training", "paused"):
            return plural(desk.steps, "step") if desk.steps else ""
        words = [f"{desk.run_step:,} / {desk.total:,}"]
        if desk.state == "paused":
            return " · ".join([*words, "paused"])
        if desk.rate > 0:
            words.append(f"{desk.rate:,.0f} steps/s" if desk.rate >= 10
                         else f"{desk.rate:.1f} steps/s")  # fmt: skip
            words.append(f"{time_left((desk.total - desk.run_step) / desk.rate)} left")
        return " · ".join(words)

    def _set(self, message: Message) -> None:
        self._desk.change(message.text("name", 40), message.raw("value"))
