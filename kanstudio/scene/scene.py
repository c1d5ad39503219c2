"""The drawing of a network as a value: everything but the curves and their colours."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from kanstudio.network.network import Network
from kanstudio.scene.labels import (
    level_detail,
    level_title,
    node_label,
    node_name,
    pretty_function,
    shorten,
)
from kanstudio.scene.layout import (
    ASPECT,
    BUS_PITCH,
    CARD,
    CARD_GAP,
    CELL_GAP,
    CELL_H,
    MATRIX_FROM,
    MAX_BUS,
    MAX_ROWS,
    MULT_R,
    NODE_R,
    SUBNODE_R,
    Columns,
    place_columns,
)
from kanstudio.scene.views import (
    BandView,
    EdgeView,
    MatrixView,
    NodeView,
    SubnodeView,
    WireView,
)

BAND_GAP = 10.0
BAND_PAD = 14.0
RIGHT_MARGIN = 28.0


@dataclass(frozen=True)
class Scene:
    """What is where, in world coordinates (y grows downwards, bounds start at 0, 0).

    edges lists the active edges only, layer by layer; a frame holds their curves in the
    same order. positions[l] (E_l, 2) are their places (subnode, source) in layer l. key
    changes whenever the list of edges does; text_scale is how much larger than at zoom 1
    text has to be for the whole picture to read well.
    """

    width: float
    height: float
    text_scale: float
    key: int
    bands: tuple[BandView, ...]
    nodes: tuple[NodeView, ...]
    subnodes: tuple[SubnodeView, ...]
    edges: tuple[EdgeView, ...]
    matrices: tuple[MatrixView, ...]
    wires: tuple[WireView, ...]
    positions: tuple[np.ndarray, ...] = field(repr=False, compare=False)

    def structure(self) -> dict[str, Any]:
        """The scene as plain lists, dicts, numbers and text, for the browser."""
        return {
            "bounds": [0.0, 0.0, self.width, self.height],
            "text_scale": self.text_scale,
            "key": self.key,
            "bands": [asdict(band) for band in self.bands],
            "nodes": [asdict(node) for node in self.nodes],
            "subnodes": [asdict(subnode) for subnode in self.subnodes],
            "edges": [_plain(edge) for edge in self.edges],
            "matrices": [asdict(matrix) for matrix in self.matrices],
            "wires": [asdict(wire) for wire in self.wires],
        }


def _plain(edge: EdgeView) -> dict[str, Any]:
    # asdict copies deeply, which takes a second at 5,000 edges.
    return {name: getattr(edge, name) for name in EdgeView.__slots__}


def build_scene(
    network: Network,
    *,
    in_vars: list[str] | None = None,
    out_vars: list[str] | None = None,
    matrix_from: int = MATRIX_FROM,
) -> Scene:
    """The scene of a network; in_vars and out_vars replace its names in the picture.

    Layers with at least matrix_from active edges become matrix blocks.
    """
    named = _renamed(network, in_vars, out_vars)
    best: _Builder | None = None
    for max_rows in range(1, MAX_ROWS + 1):
        # The first pass tells the height, by which the second chooses its width.
        height = _Builder(named, place_columns(named, max_rows, 0.0, matrix_from)).height
        plan = _Builder(named, place_columns(named, max_rows, height, matrix_from))
        # A single row of cards reads best: more rows have to win a tenth of the size.
        if best is None or plan.scale > 1.1 * best.scale:
            best = plan
    assert best is not None
    return best.build()


def _renamed(network: Network, in_vars: list[str] | None, out_vars: list[str] | None) -> Network:
    inputs, outputs = list(network.input_names), list(network.output_names)
    inputs[: len(in_vars or [])] = (in_vars or [])[: len(inputs)]
    outputs[: len(out_vars or [])] = (out_vars or [])[: len(outputs)]
    return replace(network, input_names=tuple(inputs), output_names=tuple(outputs))


@dataclass
class _Rows:
    """The y positions of one level: its band and what stands in it."""

    top: float = 0.0
    node: float = 0.0
    subnode: float = 0.0
    zone_top: float = 0.0
    zone_bottom: float = 0.0
    bottom: float = 0.0


class _Builder:
    """Adds rows to the columns and turns both into views."""

    def __init__(self, network: Network, columns: Columns) -> None:
        self.network = network
        self.columns = columns
        self.gutter = max(120.0, 0.12 * columns.width)
        self.width = self.gutter + columns.width + RIGHT_MARGIN
        self.text_scale = max(1.0, self.width / 1150)
        self.rows = self._place_rows()
        self.height = self.rows[0].bottom
        self.scale = min(ASPECT / self.width, 1 / self.height)
        self.names = [
            [node_name(network, level, index) for index in range(len(nodes))]
            for level, nodes in enumerate(network.levels)
        ]

    def build(self) -> Scene:
        edges = tuple(e for layer in range(self.network.depth) for e in self._edges(layer))
        return Scene(
            width=self.width,
            height=self.height,
            text_scale=self.text_scale,
            key=zlib.crc32(" ".join(edge.id for edge in edges).encode()),
            bands=tuple(self._band(level) for level in range(self.network.depth + 1)),
            nodes=tuple(n for level in range(self.network.depth + 1) for n in self._nodes(level)),
            subnodes=tuple(
                s for level in range(1, self.network.depth + 1) for s in self._subnodes(level)
            ),
            edges=edges,
            matrices=tuple(self._matrices()),
            wires=tuple(w for layer in range(self.network.depth) for w in self._wires(layer)),
            positions=tuple(plan.edges for plan in self.columns.plans),
        )

    # Rows, from the outputs down.

    def _place_rows(self) -> list[_Rows]:
        rows = [_Rows() for _ in self.network.levels]
        y = 0.0
        for level in range(self.network.depth, -1, -1):
            row = rows[level]
            row.top = y
            row.node = y + self._head(level) + MULT_R
            row.bottom = row.node + 20 + 32 * self.text_scale
            if level:
                has_mult = any(node.is_mult for node in self.network.levels[level])
                row.subnode = row.node + (44.0 if has_mult else 34.0)
                row.zone_top = row.subnode + SUBNODE_R + self._upper_room(level - 1)
                row.zone_bottom = row.zone_top + self._zone(level - 1)
                row.bottom = row.zone_bottom + BAND_PAD + self._bus_room(level - 1)
            y = row.bottom + BAND_GAP
        return rows

    def _head(self, level: int) -> float:
        """Room above a level's nodes: for the output's label or for the links that leave."""
        if level == self.network.depth:
            return 12 + 28 * self.text_scale
        plan = self.columns.plans[level]
        if plan.is_matrix:
            return 18.0
        span = self._span(self.columns.nodes[level][plan.edges[:, 1]], level)
        return min(max(18.0, 12.0 + 0.10 * span), 110.0)

    def _upper_room(self, layer: int) -> float:
        plan = self.columns.plans[layer]
        if plan.is_matrix:
            return 24.0
        span = self._span(self.columns.subnodes[layer + 1][plan.edges[:, 0]], layer)
        return min(max(32.0, 24.0 + 0.10 * span), 120.0)

    def _span(self, ends: np.ndarray, layer: int) -> float:
        """The farthest that a link goes sideways between its card and the given ends."""
        return float(np.abs(ends - self.columns.cards[layer]).max(initial=0.0))

    def _zone(self, layer: int) -> float:
        plan = self.columns.plans[layer]
        if plan.is_matrix:
            return len(self.network.levels[layer]) * (CELL_H + CELL_GAP) - CELL_GAP
        return plan.rows * (CARD + CARD_GAP) - CARD_GAP

    def _bus_room(self, layer: int) -> float:
        n = len(self.network.levels[layer])
        wired = self.columns.plans[layer].is_matrix and n <= MAX_BUS
        return BUS_PITCH * n if wired else 0.0

    # Views.

    def _place(self, level: int) -> str:
        return "input" if level == 0 else "output" if level == self.network.depth else "hidden"

    def _band(self, level: int) -> BandView:
        title = level_title(self.network, level)
        place = self._place(level)
        row = self.rows[level]
        return BandView(
            level=level,
            kind=place,
            title=title,
            details=tuple(level_detail(self.network, level).split(" · ")),
            name=f"Layer {level}" if place == "hidden" else f"Layer {level}, {title.lower()}",
            x=0.0,
            y=row.top,
            w=self.width,
            h=row.bottom - row.top,
        )

    def _nodes(self, level: int) -> list[NodeView]:
        centres = self.columns.nodes[level]
        gaps = np.diff(centres)
        room = float(gaps.min()) - 8 if len(gaps) else min(320.0, self.columns.width)
        return [
            NodeView(
                id=node.node_id,
                level=level,
                index=index,
                kind="input" if level == 0 else "mult" if node.is_mult else "sum",
                place=self._place(level),
                label=node_label(self.network, level, index),
                name=self.names[level][index],
                x=self.gutter + float(centres[index]),
                y=self.rows[level].node,
                r=MULT_R if node.is_mult else NODE_R,
                room=room,
            )
            for index, node in enumerate(self.network.levels[level])
        ]

    def _subnodes(self, level: int) -> list[SubnodeView]:
        row = self.rows[level]
        node_x = {
            node.node_id: self.gutter + float(x)
            for node, x in zip(self.network.levels[level], self.columns.nodes[level], strict=True)
        }
        return [
            SubnodeView(
                id=f"{node.node_id}.{port}",
                node=node.node_id,
                port=port,
                level=level,
                x=self.gutter + float(x),
                y=row.subnode,
                r=SUBNODE_R,
                node_x=node_x[node.node_id],
                node_y=row.node,
            )
            for (node, port), x in zip(
                self.network.subnode_owner(level), self.columns.subnodes[level], strict=True
            )
        ]

    def _edges(self, layer: int) -> list[EdgeView]:
        values = self.network.layers[layer]
        owners = self.network.subnode_owner(layer + 1)
        index_of = {node.node_id: i for i, node in enumerate(self.network.levels[layer + 1])}
        views = []
        for place, (target, source) in enumerate(self.columns.plans[layer].edges):
            node, port = owners[target]
            source_id = self.network.levels[layer][source].node_id
            factor = f", factor {port + 1}" if node.is_mult else ""
            target_name = self.names[layer + 1][index_of[node.node_id]]
            symbolic = bool(values.symbolic_active[target, source])
            rect, link = self._card(layer, place, int(target), int(source))
            views.append(
                EdgeView(
                    id=f"{source_id}-{node.node_id}.{port}",
                    layer=layer,
                    source=source_id,
                    target=node.node_id,
                    port=port,
                    name=f"{self.names[layer][source]} → {target_name}{factor}",
                    function=pretty_function(values.functions[target][source]) if symbolic else "",
                    x=rect[0],
                    y=rect[1],
                    w=rect[2],
                    h=rect[3],
                    link=link,
                )
            )
        return views

    def _card(
        self, layer: int, place: int, target: int, source: int
    ) -> tuple[tuple[float, float, float, float], tuple[float, ...]]:
        plan, upper = self.columns.plans[layer], self.rows[layer + 1]
        if plan.is_matrix:
            x = (
                self.gutter
                + float(self.columns.matrix_columns[layer][target])
                - self.columns.cell / 2
            )
            return (x, upper.zone_top + source * (CELL_H + CELL_GAP), self.columns.cell, CELL_H), ()
        centre = self.gutter + float(self.columns.cards[layer][place])
        y = upper.zone_top + (place % plan.rows) * (CARD + CARD_GAP)
        source_x = self.gutter + float(self.columns.nodes[layer][source])
        target_x = self.gutter + float(self.columns.subnodes[layer + 1][target])
        radius = MULT_R if self.network.levels[layer][source].is_mult else NODE_R
        link = _rise(source_x, self.rows[layer].node - radius, centre, upper.zone_bottom) + _rise(
            centre, upper.zone_top, target_x, upper.subnode + SUBNODE_R
        )
        return (centre - CARD / 2, y, CARD, CARD), link

    # Matrix blocks.

    def _matrices(self) -> list[MatrixView]:
        views = []
        for layer, plan in enumerate(self.columns.plans):
            if plan.is_matrix:
                columns, row = self.columns.matrix_columns[layer], self.rows[layer + 1]
                x = self.gutter + float(columns[0]) - self.columns.cell / 2
                w = float(columns[-1] - columns[0]) + self.columns.cell
                views.append(MatrixView(layer, x, row.zone_top, w, row.zone_bottom - row.zone_top))
        return views

    def _wires(self, layer: int) -> list[WireView]:
        if not self.columns.plans[layer].is_matrix:
            return []
        columns, row = self.columns.matrix_columns[layer], self.rows[layer + 1]
        left = self.gutter + float(columns[0]) - self.columns.cell / 2
        owners = self.network.subnode_owner(layer + 1)
        wires = []
        for (node, _), x in zip(owners, columns, strict=True):
            at = self.gutter + float(x)
            ends = (at, row.zone_top, at, row.subnode + SUBNODE_R)
            wires.append(WireView(layer, "column", node.node_id, "", at, row.zone_top, ends))
        sources = self.network.levels[layer]
        for index, node in enumerate(sources):
            y = row.zone_top + index * (CELL_H + CELL_GAP) + CELL_H / 2
            x = self.gutter + float(self.columns.nodes[layer][index])
            points: tuple[float, ...] = ()
            if len(sources) <= MAX_BUS:
                points = _bus(
                    (index, len(sources)), (x, self.rows[layer].node), left, y, row.zone_bottom
                )
            label = shorten(self.names[layer][index], 8)
            wires.append(WireView(layer, "row", node.node_id, label, left - 8, y, points))
        return wires


def _rise(x0: float, y0: float, x1: float, y1: float) -> tuple[float, ...]:
    """A cubic Bézier that leaves and arrives vertically."""
    bend = (y1 - y0) * (0.5 if abs(x1 - x0) < 4 * abs(y1 - y0) else 0.62)
    return (x0, y0, x0, y0 + bend, x1, y1 - bend, x1, y1)


def _bus(
    place: tuple[int, int], source: tuple[float, float], left: float, y: float, bottom: float
) -> tuple[float, ...]:
    """A wire from a source up, left and up to its row of the block.

    The first source takes the lowest channel, the outermost lane and the topmost row,
    so that no two wires cross.
    """
    (index, count), (x, node_y) = place, source
    order = count - 1 - index
    channel = bottom + 12 + order * BUS_PITCH
    lane = left - 62 - order * BUS_PITCH
    return (x, node_y, x, channel, lane, channel, lane, y, left - 54, y)
