"""What can be taken away: pictures, the model, its formula as text or code, its structure."""

from __future__ import annotations

import json

from kanstudio.app.formula_now import whole_formula
from kanstudio.app.present import plural
from kanstudio.app.session import Session
from kanstudio.editor.model_file import model_bytes
from kanstudio.errors import FileError
from kanstudio.formula import latex_of_name, to_c, to_python
from kanstudio.scene.plot import Plot, plot_network

KINDS = ("svg", "png", "model", "latex", "python", "torch", "c", "json")
_CODE = {
    "python": ("formula.py", "text/x-python"),
    "torch": ("formula_torch.py", "text/x-python"),
    "c": ("formula.c", "text/x-c"),
}
_METRIC = {"front": "backward", "forward": "forward_n", "attribution": "backward"}


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
            return "formula.tex", "text/x-tex", latex_text(session).encode()
        case "python" | "torch" | "c":
            return *_CODE[kind], code_text(session, kind).encode()
        case "json":
            return "network.json", "application/json", structure_text(session).encode()
    raise FileError(f"cannot export {kind!r}: choose one of {', '.join(KINDS)}")


def _picture(session: Session) -> Plot:
    colour = session.colour
    return plot_network(
        session.network,
        session.samples,
        metric=_METRIC[colour.metric],
        colour_by=colour.metric,
        beta=colour.beta,
        theme=session.theme,
    )


def latex_text(session: Session) -> str:
    """The formula of the network in LaTeX, a line per output; splines by their names."""
    found = whole_formula(session.network, session.samples)
    pairs = zip(found.outputs, found.latex(), strict=True)
    return "".join(f"{latex_of_name(name)} = {text}\n" for name, text in pairs)


def code_text(session: Session, kind: str) -> str:
    """The formula of the network as a function in Python for NumPy or torch, or in C."""
    found = whole_formula(session.network, session.samples)
    if found.splines:
        what = plural(len(found.splines), "edge")
        raise FileError(
            f"{what} of the network are splines, which have no code of their own: take the model "
            "file, or switch the perturbation off"
        )
    names = [symbol.name for symbol in found.variables]
    if kind == "c":
        return to_c(found.expressions, names, "formula")
    library = "numpy" if kind == "python" else "torch"
    return to_python(found.expressions, names, "formula", library)


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
