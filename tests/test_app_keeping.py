"""Whether there is something to lose: what was saved, and what can be had again."""

from __future__ import annotations

import pytest
from test_app import FakeRunner, Room

from kanstudio.app.component import Message
from kanstudio.app.gallery import find_example
from kanstudio.app.keeping import Keeping, Work
from kanstudio.app.lobby import Lobby
from kanstudio.app.page import Studio
from kanstudio.app.session import Session
from kanstudio.app.views.status import StatusLine
from kanstudio.app.views.topbar import TopBar
from kanstudio.editor.commands import ExpandDepth, OpenModel
from kanstudio.editor.document import new_document


@pytest.fixture
def room() -> Room:
    return Room()


class Page:
    """Takes what is downloaded."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def download(self, name: str, mime: str, content: bytes) -> None:
        self.names.append(name)

    def open_data(self, kind: str, x: float | None = None, y: float | None = None) -> None:
        raise AssertionError

    def open_simplify(self, card: str) -> None:
        raise AssertionError


def test_work_is_unsaved_until_its_model_file_is_taken() -> None:
    session = Session(new_document("x*y"))
    keeping, page = Keeping(session), Page()
    bar = TopBar(session, page, keeping)
    assert keeping.state == "unchanged"
    session.do(ExpandDepth())
    assert keeping.state == "unsaved"
    bar.actions["export"](Message({"what": "svg"}))
    assert keeping.state == "unsaved"
    bar.actions["export"](Message({"what": "model"}))
    assert keeping.state == "saved" and page.names == ["network.svg", "network.safetensors"]
    session.do(ExpandDepth())
    assert keeping.state == "unsaved"
    session.undo()
    assert keeping.state == "saved"
    session.undo()
    assert keeping.state == "unchanged"


def test_what_is_had_again_by_a_click_need_not_be_saved() -> None:
    session = Session(new_document("x*y"))
    keeping = Keeping(session)
    example = find_example("gauss")
    assert example is not None
    session.open_example(example)
    assert keeping.state == "unchanged"
    session.compile("x*y + 1")
    assert keeping.state == "unsaved"
    session.do(OpenModel("a.safetensors", new_document("x + 2")))
    assert keeping.state == "unchanged"


def test_a_run_moves_the_network_away_from_what_was_saved(room: Room) -> None:
    keeping = Keeping(room.session)
    keeping.saved()
    room.desk.train()
    room.ticks(2)
    assert keeping.state == "unsaved"
    keeping.saved()
    room.desk.stop()
    assert keeping.state == "saved"


def test_a_reload_knows_what_was_saved() -> None:
    lobby, token = Lobby[Work](), "a" * 32
    rooms = []
    for _ in range(2):
        rooms.append(Studio(FakeRunner, lobby=lobby))
        rooms[-1].shell.actions["hello"](Message({"theme": "dark", "room": token}))
        if len(rooms) == 1:
            rooms[0].session.do(ExpandDepth())
            rooms[0].keeping.saved()
            rooms[0].close()
    assert rooms[1].keeping.state == "saved"
    assert rooms[1].shell.state["unsaved"] is False
    rooms[1].session.do(ExpandDepth())
    assert rooms[1].shell.state["unsaved"] is True


def test_the_status_line_says_it(room: Room) -> None:
    keeping = Keeping(room.session)
    line = StatusLine(room.session, room.desk, keeping)
    assert (line.state["kept"], line.state["data"]["kept"]) == ("No changes", "unchanged")
    room.session.do(ExpandDepth())
    assert line.state["kept"] == "Not saved"
    keeping.saved()
    assert line.state["kept"] == "Saved"
