"""The right side: the selected edge or node, or the model as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from panel.viewable import Child

from kanstudio.app.bounds import change_of_ranges, read_range, spelled
from kanstudio.app.component import Message, Part, script
from kanstudio.app.costs import cost_row
from kanstudio.app.desk import Desk
from kanstudio.app.figures import CurveChart
from kanstudio.app.present import compiled_cost, level_values, small, span
from kanstudio.app.reading import MAX_LINES, latex_lines
from kanstudio.app.session import Selection, Session, Topic
from kanstudio.app.simplifier import Simplifier
from kanstudio.app.views.datacard import ranges_of
from kanstudio.app.views.edge import Facts, edge_curve, edge_state
from kanstudio.app.views.simplify import guess
from kanstudio.compiler import STRATEGIES, cost_of
from kanstudio.editor.commands import Command, SetData
from kanstudio.editor.edges import RemoveEdge, RemoveNode, SetAffine, with_affine
from kanstudio.editor.rename import Rename
from kanstudio.errors import DataError, EditError, KanStudioError
from kanstudio.network.network import EdgeRef
from kanstudio.scene.labels import edge_name, level_title, node_name

LETTERS = ("a", "b", "c", "d")


class Inspector(Part):
    """Facts and a large curve; what is selected can be edited: names, ranges, numbers."""

    figure = Child()

    _esm = script("inspector.js")

    def __init__(self, session: Session, desk: Desk, simplifier: Simplifier, **params: Any) -> None:
        self._chart = CurveChart()
        super().__init__(figure=self._chart.pane, **params)
        self._session = session
        self._desk = desk
        self._simplifier = simplifier
        self.actions = {
            "clear": lambda _: session.select(Selection()),
            "strategy": lambda message: session.choose(message.choice("name", STRATEGIES)),
            "rename": self._take_name,
            "range": self._take_range,
            "affine": self._take_affine,
            "try": self._try_affine,
            "remove": self._remove,
            "fix": lambda message: simplifier.fix_selected(message.text("name", 3_000)),
        }
        session.listen(self._update)
        self._update(frozenset({"selection"}))

    def _update(self, topics: frozenset[Topic]) -> None:
        if "theme" in topics:
            self._chart.paint(self._session.theme)
        if not topics & {"document", "selection", "run", "aside"}:
            return
        if topics & {"document", "selection"}:
            self.put(edit=self._edit(), refused={})
        edge, node = self._session.selected_edge(), self._session.selected_node()
        self.put(
            edge=self._edge_edit(edge) if edge is not None else None,
            looks=self._looks(),
            remove={"what": self._removable(), "id": self._session.selection.id},
        )
        if topics == {"aside"} and (edge or node):
            return
        if edge is not None:
            self._show_edge(edge)
        elif node is not None:
            self._show_node(*node)
        else:
            self._show_model()

    def _edit(self) -> dict[str, Any] | None:
        """What can be changed about the selected node; None for most."""
        node = self._session.selected_node()
        network = self._session.network
        if node is None or node[0] not in (0, network.depth):
            return None
        level, index = node
        document = self._session.document
        if level:
            return {"name": network.output_names[index]}
        ranges = None
        if document.formula is not None and not document.table_name:
            ranges = [spelled(bound) for bound in ranges_of(document)[index]]
        return {"name": network.input_names[index], "range": ranges}

    def _take_name(self, message: Message) -> None:
        command = Rename(message.text("old", 200), message.text("name", 200))
        if command.old == command.name.strip():
            self.put(refused={})
            return
        self._did(self._session.do(command), "name")

    def _take_range(self, message: Message) -> None:
        document = self._session.document
        names, source = document.network.input_names, document.source
        name = message.text("name", 200)
        if name not in names or source is None or document.formula is None:
            return
        try:
            new = read_range(name, message.text("low", 400), message.text("high", 400))
        except DataError as error:
            self._did(error, "range")
            return
        before = ranges_of(document)
        after = tuple(
            new if known == name else old for known, old in zip(names, before, strict=True)
        )
        change = change_of_ranges(names, before, after)
        if not change:
            self.put(refused={})
            return
        self._did(self._session.do(SetData(replace(source, ranges=after), change)), "range")

    def _did(self, error: KanStudioError | None, field: str) -> None:
        self.put(refused={"field": field, "text": str(error)} if error else {})

    def _show_edge(self, edge: EdgeRef) -> None:
        session = self._session
        curve = edge_curve(session, edge, session.network)
        self._chart.show(curve.x, curve.fronts, curve.total, curve.inputs)
        self.put(
            selected=True,
            curve=True,
            fronts=list(curve.fronts),
            **edge_state(session, edge, curve.inputs),
        )

    def _looks(self) -> dict[str, Any] | None:
        """What the selected edge looks like; None where it has no spline."""
        simplifier = self._simplifier
        if not simplifier.has_spline():
            return None
        if simplifier.moving:
            return {"rows": [], "note": "Known when the training stops."}
        found = simplifier.one
        if found is None:
            return {"rows": [], "note": "Looking …"}
        rows = [guess(row) for _, edge_rows in found.rows for row in edge_rows]
        return {"rows": rows, "note": found.error or ("" if rows else "Nothing fits.")}

    def _edge_edit(self, edge: EdgeRef) -> dict[str, Any]:
        layer, at = self._session.network.layers[edge.layer], (edge.subnode, edge.source)
        affine = layer.affine[at].tolist() if layer.symbolic_active[at] else None
        return {
            "edge": self._session.selection.id,
            "affine": affine,
        }

    def _take_affine(self, message: Message) -> None:
        # The slider rests a moment before it tells: another edge may be selected by then.
        network, edge_id = self._session.network, message.text("edge", 100)
        letter, value = message.choice("letter", LETTERS), message.number("value")
        edge = network.find_edge(edge_id)
        if edge is None:
            return
        if value is None:
            self._did(EditError(f"{letter} is a number"), letter)
            return
        command = SetAffine(edge_id, letter, value, edge_name(network, edge))
        self._did(self._session.do(command), letter)

    def _try_affine(self, message: Message) -> None:
        """Draw the curve as it would be; nothing is changed."""
        session, edge = self._session, self._session.selected_edge()
        letter, value = message.choice("letter", LETTERS), message.number("value")
        if edge is None or value is None or message.text("edge", 100) != session.selection.id:
            return
        curve = edge_curve(session, edge, with_affine(session.network, edge, letter, value))
        self._chart.show(curve.x, curve.fronts, curve.total, curve.inputs)

    def _removable(self) -> str:
        """What can be removed: the selected edge, or a node of a hidden level."""
        network = self._session.network
        edge, node = self._session.selected_edge(), self._session.selected_node()
        if edge is not None:
            on = network.layers[edge.layer].active[edge.subnode, edge.source]
            return "edge" if on else ""
        hidden = node is not None and 0 < node[0] < network.depth
        return "node" if hidden and node and len(network.levels[node[0]]) > 1 else ""

    def _remove(self, message: Message) -> None:
        session, network = self._session, self._session.network
        if message.text("id", 100) != session.selection.id:
            return
        edge, node = session.selected_edge(), session.selected_node()
        command: Command
        if edge is not None:
            command = RemoveEdge(session.selection.id, edge_name(network, edge))
        elif node is not None:
            command = RemoveNode(int(session.selection.id), node_name(network, *node))
        else:
            return
        if session.do(command) is None:
            session.select(Selection())

    def _show_node(self, level: int, index: int) -> None:
        session = self._session
        network = session.network
        node = network.levels[level][index]
        values = level_values(network, session.samples, level)[:, index]
        kind = "Input" if level == 0 else "Mult node" if node.is_mult else "Sum node"
        facts: Facts = [("Kind", kind)]
        if node.is_mult:
            facts.append(("Arity", str(node.arity)))
        if level:
            below = network.layers[level - 1]
            facts += [
                ("Scale", small(below.node_scale[index])),
                ("Bias", small(below.node_bias[index])),
            ]
            ports = [
                (port, position)
                for position, (owner, port) in enumerate(network.subnode_owner(level))
                if owner.node_id == node.node_id
            ]
            for port, position in ports:
                words = f"{small(below.subnode_scale[position])}, "
                words += small(below.subnode_bias[position])
                facts.append((f"Factor {port + 1}: scale, bias" if node.is_mult else
                              "Sum: scale, bias", words))  # fmt: skip
        score = session.measurement.node_scores[level][index]
        sections = [
            {"title": "", "facts": facts},
            {
                "title": "On the data",
                "facts": [
                    ("Value", span(float(values.min()), float(values.max()))),
                    ("Mean", small(float(values.mean()))),
                    ("Deviation", small(float(values.std()))),
                    ("Attribution", small(float(score))),
                ],
            },
        ]
        self.put(
            title=f"Node · {level_title(network, level).lower()}",
            subtitle=node_name(network, level, index),
            selected=True,
            curve=False,
            sections=sections,
        )

    def _show_model(self) -> None:
        session, network = self._session, self._session.network
        parsed, known = session.document.formula, session.insight.compiled
        sections: list[dict[str, Any]] = []
        if parsed is not None:
            notes = [*parsed.notes[:MAX_LINES], *(known.conditions if known else ())]
            lines = latex_lines(parsed)[:MAX_LINES]
            if len(parsed.outputs) > MAX_LINES:
                notes.insert(0, f"The first {MAX_LINES} of {len(parsed.outputs)} outputs.")
            if not lines:
                notes.insert(0, "Too long to be shown.")
            sections.append({"title": "Typed formula", "latex": list(lines), "notes": notes})
        now = session.insight.formula
        sections.append(
            {
                "title": "Formula now",
                "latex": list(now.lines) if now else [],
                "notes": [now.note] if now and now.note else [],
                "facts": []
                if parsed is None
                else [("Max error against the typed", small(self._desk.max_error))],
            }
        )
        sections += [
            {"title": "Size", "costs": True},
            {"text": "Click an edge or a node to inspect it, a level to add to it."},
        ]
        costs = known.rows if known and parsed is not None else []
        # Searched for at another time, under another load, the same layout may cost otherwise.
        strategy, cost = session.document.strategy, compiled_cost(session.history)
        if cost is not None:
            costs = [
                cost_row(strategy, str(row["title"]), cost) if row["key"] == strategy else row
                for row in costs
            ]
        self.put(
            title="Model",
            subtitle="",
            selected=False,
            curve=False,
            sections=sections,
            costs=[cost_row("", "Now", cost_of(network)), *costs],
            strategy=strategy,
        )
