"""The settings of a run: every field is said in words, and what does not count is idle."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from test_app import Room

from kanstudio.app import tuning
from kanstudio.editor.commands import Perturb
from kanstudio.editor.document import new_document
from kanstudio.training.handle import RunStatus
from kanstudio.training.progress import Progress
from kanstudio.training.run import TrainingRun
from kanstudio.training.schedule import Plateau, rate_at
from kanstudio.training.settings import SCHEDULES, TrainingSettings

FIELDS = {field.name: field for field in tuning.FIELDS}
NUMBERS = [name for name, field in FIELDS.items() if field.kind in ("number", "whole")]


def idle_of(**changes: Any) -> dict[str, str]:
    settings = TrainingSettings(**changes)
    return tuning.idle(settings, settings)


def test_every_setting_has_one_field() -> None:
    named = [field.name for field in tuning.FIELDS]
    assert sorted(named) == sorted(field.name for field in fields(TrainingSettings))
    assert len({field.label for field in tuning.FIELDS}) == len(tuning.FIELDS)


def test_what_is_shown_is_what_counts() -> None:
    settings = TrainingSettings()
    for name, value in tuning.shown(settings).items():
        assert tuning.changed(settings, name, value) == settings


@pytest.mark.parametrize("name", NUMBERS)
def test_a_refused_number_is_told_what_it_may_be(name: str) -> None:
    room = Room()
    room.desk.change(name, -7.5)
    assert room.session.notice.text.startswith(FIELDS[name].label)
    assert " For now " in room.session.notice.text
    assert room.desk.wrong == (name,)
    room.desk.change(name, 0.5 if FIELDS[name].kind == "number" else 3.0)
    assert (room.session.notice.text, room.desk.wrong) == ("", ())


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_idle_fields_of_a_schedule_change_no_rate(schedule: Any) -> None:
    settings = TrainingSettings(schedule=schedule, steps=300)
    plateau = Plateau(1.0, 0, 2)
    for name in ("rate_end", "rate_factor", "rate_every"):
        other = replace(settings, **{name: 7 if name == "rate_every" else 0.37})
        same = [rate_at(settings, step, plateau) == rate_at(other, step, plateau)
                for step in range(300)]  # fmt: skip
        by_hand = name == "rate_every" and schedule == "plateau"
        assert by_hand or all(same) == (name in idle_of(schedule=schedule))


def test_levenberg_marquardt_has_no_rate_but_patience() -> None:
    assert {"learning_rate", "schedule", "dtype", "clip"} <= idle_of(optimizer="LM").keys()
    assert "min_delta" in idle_of()
    assert "min_delta" not in idle_of(optimizer="LM")
    assert tuning.hints(TrainingSettings(optimizer="LM"))["patience"] == "10"


def test_auto_says_what_the_run_takes() -> None:
    document = new_document("x*y")
    for changes in ({}, {"lamb": 0.1}, {"batch": 10}, {"clip": 1.0}):
        settings = TrainingSettings(optimizer="auto", **changes)  # type: ignore[arg-type]
        run = TrainingRun(document.network, document.dataset, settings)
        chosen = tuning.counting(settings, document.network, document.dataset)
        assert chosen == run.settings
        options = dict(map(tuple, tuning.choices(("cpu",), settings, chosen)["optimizer"]))
        assert options["auto"] != "Auto"


def test_another_optimizer_takes_its_own_rate_and_leaves_no_clipping() -> None:
    settings = TrainingSettings(learning_rate=0.3, clip=1.0, steps=tuning.STEPS["Adam"])
    changed = tuning.changed(settings, "optimizer", "LBFGS")
    assert (changed.learning_rate, changed.clip, changed.steps) == (None, None, 500)
    assert tuning.changed(replace(settings, steps=7), "optimizer", "LM").steps == 7


def test_early_stopping_is_said_until_the_next_edit() -> None:
    room = Room()
    room.session.do(Perturb("all", 0.1))
    room.desk.change("optimizer", "LM")
    room.desk.change("patience", 1)
    room.desk.change("min_delta", 10.0)
    room.desk.train()
    room.ticks(5)
    assert room.desk.state == "idle"
    assert "stopped early" in room.session.notice.text
    assert "stopped early" in room.desk.note
    room.session.undo()
    assert room.desk.note == ""


def test_what_happens_on_the_way_is_said_once() -> None:
    room = Room()
    said: list[str] = []
    room.session.listen(
        lambda topics: said.append(room.session.notice.text) if "notice" in topics else None
    )
    note = Progress(3, 1.0, 1.0, 0.0, "a step was undone")
    for _ in range(2):
        room.desk._take(RunStatus((note,), None, "running"))
    assert said == ["Step 3: a step was undone"]


def test_no_view_sees_a_run_that_has_ended_as_going_on() -> None:
    room = Room()
    seen: list[tuple[bool, str]] = []
    room.session.listen(lambda topics: seen.append((bool(room.desk.share), room.desk.state)))
    room.session.do(Perturb("all", 0.1))
    room.desk.change("steps", 2)
    room.desk.train()
    room.ticks(4)
    first = next(i for i, (_, state) in enumerate(seen) if state == "training")
    ended = next(i for i in range(first, len(seen)) if seen[i][1] != "training")
    assert all(state == "idle" and not share for share, state in seen[ended:])
    assert np.isfinite(room.desk.losses.test or np.nan)
