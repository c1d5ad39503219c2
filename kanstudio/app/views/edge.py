"""What the inspector shows of an edge: its curves, its numbers, what it does on the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kanstudio.app.present import (
    composed_latex,
    level_values,
    percent,
    share_outside,
    small,
    span,
)
from kanstudio.app.session import Session
from kanstudio.network.measure import curves
from kanstudio.network.network import EdgeRef, FloatArray, Network
from kanstudio.scene.labels import edge_name, level_title, pretty_function

CURVE_POINTS = 128

Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class EdgeCurve:
    """Over x (n,): the fronts that are drawn, and their sum; inputs: the data, (samples,)."""

    x: FloatArray
    fronts: dict[str, FloatArray]
    total: FloatArray
    inputs: FloatArray


def edge_curve(session: Session, edge: EdgeRef, network: Network) -> EdgeCurve:
    """The curves of an edge of the session's network, or of another one of its shape."""
    layer, at = network.layers[edge.layer], (edge.subnode, edge.source)
    line = curves(network, session.measurement, CURVE_POINTS)[edge.layer]
    symbolic, spline = bool(layer.symbolic_active[at]), bool(layer.spline_active[at])
    # A single front is the sum already.
    drawn = {
        "symbolic": (line.symbolic[at], symbolic),
        "spline": (line.spline[at], spline),
        "total": (line.total[at], symbolic == spline),
    }
    fronts = {name: values for name, (values, on) in drawn.items() if on}
    inputs = level_values(network, session.samples, edge.layer)[:, edge.source]
    return EdgeCurve(line.x[edge.source], fronts, line.total[at], inputs)


def edge_state(session: Session, edge: EdgeRef, inputs: FloatArray) -> dict[str, Any]:
    """The state of the inspector for an edge; inputs: the data that it gets."""
    network = session.network
    return {
        "title": f"Edge · into {level_title(network, edge.layer + 1).lower()}",
        "subtitle": edge_name(network, edge),
        "sections": [
            _function(network, edge),
            {"title": "Fronts", "facts": _fronts(session, edge)},
            {"title": "On the data", "facts": _on_data(session, edge, inputs)},
        ],
    }


def _function(network: Network, edge: EdgeRef) -> dict[str, Any]:
    layer = network.layers[edge.layer]
    if not layer.symbolic_active[edge.subnode, edge.source]:
        return {"title": "Symbolic front", "facts": [("Function", "none")]}
    name = layer.functions[edge.subnode][edge.source]
    composed = composed_latex(name)
    return {
        "title": "c · f(a·x + b) + d",
        "latex": [f"f(x) = {composed}"] if composed else [],
        "facts": [] if composed else [("Function", pretty_function(name))],
        "affine": True,
    }


def _fronts(session: Session, edge: EdgeRef) -> Facts:
    layer, fact = session.network.layers[edge.layer], session.measurement.layers[edge.layer]
    at = edge.subnode, edge.source
    symbolic, spline = layer.symbolic_active[at], layer.spline_active[at]
    facts = [
        ("Symbolic mask", small(layer.symbolic_mask[at]) if symbolic else "off"),
        ("Spline mask", small(layer.spline_mask[at]) if spline else "off"),
    ]
    if spline:
        facts += [
            ("Scale of spline", small(layer.scale_sp[at])),
            ("Scale of base", small(layer.scale_base[at])),
            ("Spline's share of variance", f"{fact.spline_share[at]:.0%}"),
        ]
    return facts


def _on_data(session: Session, edge: EdgeRef, inputs: FloatArray) -> Facts:
    layer, fact = session.network.layers[edge.layer], session.measurement.layers[edge.layer]
    at = edge.subnode, edge.source
    facts = [
        ("Input", span(fact.source_low[edge.source], fact.source_high[edge.source])),
        ("Forward score", small(fact.forward_n[at])),
        ("Attribution", small(fact.backward[at])),
    ]
    if layer.symbolic_active[at]:
        name = layer.functions[edge.subnode][edge.source]
        if beyond := share_outside(name, layer.affine[at], inputs):
            facts.append(("Outside its domain", f"{percent(beyond)} of the samples"))
    return facts
