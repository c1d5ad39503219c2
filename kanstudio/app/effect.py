"""What a command came to, in a few words."""

from __future__ import annotations

from kanstudio.app.present import left_out
from kanstudio.editor.commands import (
    Command,
    Compile,
    OpenModel,
    Perturb,
    SetData,
    UseTable,
    output_change,
)
from kanstudio.editor.document import Document


def effect(command: Command, before: Document, after: Document) -> str:
    """Says what was done, and whether the output changed."""
    text = f"{command.label[:1].upper()}{command.label[1:]}"
    if isinstance(command, Compile):
        how = "" if command.strategy == "shared" else f" ({command.strategy})"
        text = f"Compiled{how} {command.title}".strip()
        text += f" · max error {after.max_error or 0:.1e}"
    if isinstance(command, Compile | SetData):
        outside = left_out(after)
        return f"{text} · {outside}" if outside else text
    if isinstance(command, UseTable | OpenModel):
        return text
    if isinstance(command, Perturb) and command.mode == "off" and before.trained:
        text += " · its training is set aside, Undo brings it back"
    change = output_change(before, after)
    if change is None:
        return text
    if change == 0:
        return f"{text} · output unchanged, max difference 0"
    return f"{text} · output changed by up to {change:.2e}"
