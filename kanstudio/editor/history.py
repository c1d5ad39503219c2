"""Undo as a list of documents: unchanged arrays are shared, so that it costs little."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kanstudio.editor.commands import Command, apply
from kanstudio.editor.document import Document
from kanstudio.errors import EditError

MAX_ENTRIES = 500
"""Older entries are dropped; the first, how the document began, is always kept."""


@dataclass(frozen=True)
class Entry:
    """One step of the history: what was done, and the document after it."""

    label: str
    document: Document


@dataclass(frozen=True)
class History:
    """All documents so far and the position of the present one; itself immutable.

    Doing something after an undo drops what was undone; moving and looking never does.
    """

    entries: tuple[Entry, ...]
    position: int = 0

    @classmethod
    def start(cls, document: Document, text: str = "compile") -> History:
        return cls((Entry(text, document),))

    @property
    def document(self) -> Document:
        return self.entries[self.position].document

    @property
    def can_undo(self) -> bool:
        return self.position > 0

    @property
    def can_redo(self) -> bool:
        return self.position + 1 < len(self.entries)

    def do(self, command: Command) -> History:
        """Apply a command; an error leaves everything as it was."""
        return self.add(command.label, apply(self.document, command))

    def add(self, label: str, document: Document) -> History:
        """Put a document that is made already after the present one."""
        entries = (*self.entries[: self.position + 1], Entry(label, document))
        if len(entries) > MAX_ENTRIES:
            entries = (entries[0], *entries[2:])
        return History(entries, len(entries) - 1)

    def without_undone(self) -> History:
        """The same without what was undone: something new begins here."""
        return History(self.entries[: self.position + 1], self.position)

    def undo(self) -> History:
        return self.jump(max(self.position - 1, 0))

    def redo(self) -> History:
        return self.jump(min(self.position + 1, len(self.entries) - 1))

    def jump(self, position: int) -> History:
        """Go to an entry by its index."""
        if not 0 <= position < len(self.entries):
            raise EditError(f"the history has entries 0 to {len(self.entries) - 1}")
        return replace(self, position=position)
