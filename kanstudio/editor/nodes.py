"""Edits of one node: its removal."""

from __future__ import annotations

from dataclasses import dataclass

from kanstudio.editor.commands import edited
from kanstudio.editor.document import Document
from kanstudio.errors import EditError
from kanstudio.network.network import Network
from kanstudio.network.prune import drop_node


@dataclass(frozen=True)
class RemoveNode:
    """Take a hidden node away, with its edges; what it adds on average goes into biases.

    node_id: `Node.node_id`. name: the node as people call it.
    """

    node_id: int
    name: str = ""

    @property
    def label(self) -> str:
        return f"remove {self.name or f'node {self.node_id}'}"

    def applied_to(self, document: Document) -> Document:
        def edit(network: Network) -> Network:
            at = network.find_node(self.node_id)
            if at is None:
                raise EditError(f"there is no node {self.node_id}")
            return drop_node(network, *at, document.dataset.train_x)

        return edited(document, edit)
