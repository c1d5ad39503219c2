"""Why a field's value was refused, said until the field is right again."""

from __future__ import annotations

from kanstudio.app.session import Session


class Refusal:
    """The last such reason of one part of the page."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._text = self._field = ""

    def say(self, text: str, field: str = "") -> None:
        self._text, self._field = text, field
        self._session.say(text, "error")

    def take_back(self, field: str = "") -> None:
        """Remove the field's reason from the screen, if nothing else has been said since."""
        if field != self._field:
            return
        if self._text and self._session.notice.text == self._text:
            self._session.say("")
        self._text = ""
