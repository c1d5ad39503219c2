"""The lobby: histories wait for their tab, and for no other."""

from __future__ import annotations

from kanstudio.app.lobby import Lobby, is_token
from kanstudio.editor.commands import ExpandDepth
from kanstudio.editor.document import new_document
from kanstudio.editor.history import History

A, B, C = "a" * 32, "b" * 32, "c" * 32


def history() -> History:
    return History.start(new_document("x")).do(ExpandDepth())


def test_a_tab_finds_its_own_history_as_of_now() -> None:
    lobby, states = Lobby(), [history()]
    lobby.hold(A, lambda: states[-1])
    states.append(states[-1].do(ExpandDepth()))
    assert lobby.find(A) is states[-1]
    assert lobby.find(B) is None


def test_a_session_that_ends_leaves_its_last_state() -> None:
    lobby, last = Lobby(), history()
    asked = history
    lobby.hold(A, asked)
    lobby.leave(A, last, asked)
    assert lobby.find(A) is last


def test_a_session_that_was_replaced_leaves_nothing() -> None:
    lobby, newer = Lobby(), history()
    old = history
    lobby.hold(A, old)
    lobby.hold(A, lambda: newer)
    lobby.leave(A, history(), old)
    assert lobby.find(A) is newer


def test_the_oldest_leaves_a_full_lobby_and_time_ends_every_stay() -> None:
    lobby = Lobby(places=2)
    for token in (A, B, C):
        lobby.hold(token, history)
    assert lobby.find(A) is None and lobby.find(C) is not None
    short = Lobby(keep_s=-1)
    short.hold(A, history)
    assert short.find(A) is None


def test_only_tokens_are_kept() -> None:
    lobby = Lobby()
    for token in ("", "A" * 32, "a" * 31, "a" * 33, "../../etc", "a" * 31 + "\n"):
        assert not is_token(token)
        lobby.hold(token, history)
        assert lobby.find(token) is None
