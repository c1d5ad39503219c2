"""Names as people read them: ``omega_0`` as ω₀, ``x^2`` as x²."""

from __future__ import annotations

import re

from kanstudio.network.network import EdgeRef, Network

_LOWER = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho "
    "sigma tau upsilon phi chi psi omega"
)
_UPPER = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
_GREEK = dict(zip(f"{_LOWER} {_UPPER}".split(), "αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", strict=True))
_SUBSCRIPT = str.maketrans("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_NAME = re.compile(r"([A-Za-z]+)_?([A-Za-z0-9]*)")
_POWER = re.compile(r"(1/)?x\^([0-9]+)")
MAX_LABEL = 18
MAX_FUNCTION = 32
MAX_ARITIES = 4


def pretty_name(name: str, limit: int = MAX_LABEL) -> str:
    """The name of a variable in Unicode: Greek letters and subscripts where they exist.

    A name that has no such spelling comes back as it is; a name of more than
    ``limit`` characters is cut with an ellipsis.
    """
    match = _NAME.fullmatch(name) or re.fullmatch(r"([A-Za-z]+)()", name)
    if match:
        # "x1" is x₁ and "theta1" is θ₁, but the "b" of "ab" is no subscript.
        base, sub = match.groups()
        small = sub.translate(_SUBSCRIPT)
        if (len(base) == 1 or base in _GREEK) and not re.search(r"[A-Za-z]", small):
            return _GREEK.get(base, base) + small
    return shorten(name, limit)


def shorten(text: str, limit: int = MAX_LABEL) -> str:
    """The text, cut with an ellipsis where it is longer than the limit."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def pretty_function(name: str) -> str:
    """A function's name for the reader: ``x^2`` as x², ``x^0.5`` as √x, a long formula cut."""
    spelled = {"x^0.5": "√x", "1/x^0.5": "1/√x", "sqrt": "√x"}.get(name)
    if spelled:
        return spelled
    match = _POWER.fullmatch(name)
    if match:
        return f"{match[1] or ''}x{match[2].translate(_SUPERSCRIPT)}"
    return shorten(name, MAX_FUNCTION)


def level_title(network: Network, level: int) -> str:
    """The visible title of a level: Inputs, Layer 1, Layer 2, Output."""
    if level == 0:
        return "Inputs" if len(network.levels[0]) > 1 else "Input"
    if level == network.depth:
        return "Outputs" if len(network.levels[level]) > 1 else "Output"
    return f"Layer {level}"


def level_detail(network: Network, level: int) -> str:
    """What a level consists of: ``1 sum · 3 mult (3, 2, 3)``, or the number of inputs."""
    if level == 0:
        count = len(network.levels[0])
        return f"{count} variable{'s' if count > 1 else ''}"
    arities = [str(node.arity) for node in network.levels[level] if node.is_mult]
    n_sum = len(network.levels[level]) - len(arities)
    parts = [f"{n_sum} sum"] if n_sum else []
    if arities:
        parts.append(f"{len(arities)} mult ({_listed(arities)})")
    return " · ".join(parts)


def _listed(arities: list[str]) -> str:
    if len(arities) > MAX_ARITIES and len(set(arities)) == 1:
        return arities[0]
    return ", ".join(arities[:MAX_ARITIES]) + (", …" if len(arities) > MAX_ARITIES else "")


def node_label(network: Network, level: int, index: int, limit: int = MAX_LABEL) -> str:
    """What is written at a node: the variable's name, or nothing inside the network."""
    if level == 0:
        return pretty_name(network.input_names[index], limit)
    if level == network.depth:
        return pretty_name(network.output_names[index], limit)
    return ""


def node_name(network: Network, level: int, index: int) -> str:
    """The name by which a node is spoken of: a variable's, or ``1.2``: layer 1, second node."""
    return node_label(network, level, index, 80) or f"{level}.{index + 1}"


def edge_name(network: Network, edge: EdgeRef) -> str:
    """The name by which an edge is spoken of: ``v → 1.2, factor 2``."""
    owner, port = network.subnode_owner(edge.layer + 1)[edge.subnode]
    target = network.find_node(owner.node_id)
    assert target is not None
    to = node_name(network, *target)
    factor = f", factor {port + 1}" if owner.is_mult else ""
    return f"{node_name(network, edge.layer, edge.source)} → {to}{factor}"
