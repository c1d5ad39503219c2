"""What a part may ask of the page as a whole, so that parts need not know each other."""

from __future__ import annotations

from typing import Protocol


class Page(Protocol):
    """Implemented by the Studio."""

    def download(self, name: str, mime: str, content: bytes) -> None:
        """Let the browser save a file."""

    def open_data(self, kind: str, x: float | None = None, y: float | None = None) -> None:
        """Show where the samples come from: "formula" or "file", at a place of the window."""

    def open_simplify(self, card: str) -> None:
        """Show what could be pruned ("prune") or fixed ("symbolify"); "" closes what is shown."""
