"""What can be taken away: the picture, the formula as Python text, the structure as JSON."""

from __future__ import annotations

import json

from kanstudio.app.formula_now import latex_text
from kanstudio.app.session import Session
from kanstudio.editor.model_file import model_bytes
from kanstudio.errors import FileError
from kanstudio.formula import write
from kanstudio.scene.plot import Plot, plot_network

KINDS = ("svg", "png", "model", "latex", "python", "json")
_METRIC = {"front": "forward_n", "forward": "forward_n", "attribution": "backward"}


def export(session: Session, kind: str) -> tuple[str, str, bytes]:
    """(file name, media type, content) of the network as it is now."""
    match kind:
        case "svg":
            return "network.svg", "image/svg+xml", _picture(session).svg().encode()
        case "png":
            return "network.png", "image/png", _picture(session).png()
        case "model":
            content = model_bytes(session.document, session.network)
            return "network.safetensors", "application/octet-stream", content
        case "latex":
            content = latex_text(session.network, session.samples).encode()
            return "formula.tex", "text/x-tex", content
        case "python":
            return "formula.py", "text/x-python", python_text(session).encode()
        case "json":
            return "network.json", "application/json", structure_text(session).encode()
    raise FileError(f"cannot export {kind!r}: choose one of {', '.join(KINDS)}")


def _picture(session: Session) -> Plot:
    colour = session.colour
    return plot_network(
        session.network,
        session.samples,
        metric=_METRIC[colour.metric],
        beta=colour.beta,
        theme=session.theme,
    )


def python_text(session: Session) -> str:
    """The typed formula as a Python function of NumPy arrays."""
    parsed = session.document.formula
    if parsed is None:
        raise FileError("this network came without a formula")
    return write(parsed, "python")


def structure_text(session: Session) -> str:
    """Widths, arities, names and the functions of the active edges as JSON."""
    network = session.network
    edges = [
        {
            "layer": layer_index,
            "source": int(source),
            "subnode": int(subnode),
            "function": layer.functions[subnode][source],
            "spline": bool(layer.spline_active[subnode, source]),
            "affine": [float(value) for value in layer.affine[subnode, source]],
        }
        for layer_index, layer in enumerate(network.layers)
        for subnode, source in zip(*layer.active.nonzero(), strict=True)
    ]
    facts = {
        "formula": session.document.text,
        "inputs": list(network.input_names),
        "outputs": list(network.output_names),
        "width": network.width,
        "mult_arity": network.mult_arity,
        "edges": edges,
    }
    return json.dumps(facts, indent=1)
