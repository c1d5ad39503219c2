"""The top bar: formula, reading, examples, undo, files, theme."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from kanstudio.app.component import Message, Part, script
from kanstudio.app.export import KINDS, export
from kanstudio.app.gallery import examples, find_example
from kanstudio.app.inline import one_line
from kanstudio.app.keeping import Keeping
from kanstudio.app.parts import Page
from kanstudio.app.reading import MAX_LINES
from kanstudio.app.session import Session, Topic
from kanstudio.app.share import link_query
from kanstudio.compiler import STRATEGIES
from kanstudio.errors import KanStudioError


class TopBar(Part):
    """Formula field, examples, undo and redo, open, export, light or dark."""

    _esm = script("topbar.js")

    def __init__(self, session: Session, page: Page, keeping: Keeping, **params: Any) -> None:
        super().__init__(**params)
        self._session = session
        self._page = page
        self._keeping = keeping
        self.actions = {
            "ready": self._send_examples,
            "type": lambda message: session.type(message.text("text")),
            "compile": lambda message: session.compile(message.text("text")),
            "example": self._open_example,
            "undo": lambda _: session.undo(),
            "redo": lambda _: session.redo(),
            "open": lambda _: page.open_data("file"),
            "export": self._export,
            "strategy": lambda message: session.choose(message.choice("name", STRATEGIES)),
            "theme": lambda _: session.set_theme("dark" if session.theme == "light" else "light"),
        }
        session.listen(self._update)
        self._update(frozenset({"document", "check"}))

    def _update(self, topics: frozenset[Topic]) -> None:
        if not topics & {"document", "check", "settings", "aside"}:
            return
        session = self._session
        check, typed = session.check, session.insight.typed
        self.put(
            text=session.document.text,
            textCount=session.text_count,
            check={
                "text": check.text,
                "latex": one_line(check.latex),
                "lines": list(check.lines[:MAX_LINES]),
                "more": max(0, len(check.lines) - MAX_LINES),
                "notes": list(check.notes),
                "error": asdict(check.error) if check.error else None,
            },
            strategy=session.strategy,
            costs=typed.rows if typed else [],
            conditions=list(typed.conditions) if typed else [],
            share=link_query(session.document),
            canUndo=session.history.can_undo or session.running,
            canRedo=session.history.can_redo,
        )

    def _send_examples(self, _: Message) -> None:
        groups = [
            {
                "title": title,
                "items": [
                    {
                        "key": item.key,
                        "tag": item.tag,
                        "title": item.title,
                        "formula": item.formula,
                        "words": f"{item.tag} {item.title} {item.formula}".lower(),
                    }
                    for item in items
                ],
            }
            for title, items in examples()
        ]
        self._send_msg({"kind": "examples", "groups": groups})

    def _open_example(self, message: Message) -> None:
        example = find_example(message.text("key", 100))
        if example is not None:
            self._session.open_example(example)

    def _export(self, message: Message) -> None:
        try:
            what = message.choice("what", KINDS)
            name, mime, content = export(self._session, what)
        except KanStudioError as error:
            self._session.say(f"Nothing was exported: {error}", "error")
            return
        self._page.download(name, mime, content)
        if what == "model":
            self._keeping.saved()
