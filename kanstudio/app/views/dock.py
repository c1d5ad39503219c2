"""The training dock: a run's controls, settings, losses and data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from panel.viewable import Child

from kanstudio.app import tuning
from kanstudio.app.component import Message, Part, script
from kanstudio.app.desk import Desk
from kanstudio.app.figures import LossChart
from kanstudio.app.parts import Page
from kanstudio.app.present import plural, time_left
from kanstudio.app.session import Session, Topic


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
        self.put(fields=[asdict(field) | {"title": field.sentence} for field in tuning.FIELDS])
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
        chosen = self._desk.counting
        self.put(
            settings=tuning.shown(settings),
            choices=tuning.choices(self._desk.devices, settings, chosen),
            hints=tuning.hints(chosen),
            idle=tuning.idle(settings, chosen),
            wrong=list(self._desk.wrong),
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
                "hint": self._hint(),
            }
        )

    def _hint(self) -> str:
        """What to do while there is nothing to draw."""
        if self._session.document.perturbation.mode == "off":
            return "No training yet. Perturb the network, then train it."
        return "No training yet."

    def _progress(self) -> str:
        desk = self._desk
        if desk.state not in ("training", "paused"):
            steps = plural(desk.steps, "step") if desk.steps else ""
            return " · ".join(filter(None, [steps, desk.note if desk.state == "idle" else ""]))
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
