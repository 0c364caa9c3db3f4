"""Graph workflows: nodes that run as soon as all nodes before them are done."""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from pydantic import Field, model_validator

from aurite.model.kinds._base import ComponentModel, Name, Part


class Node(Part):
    """One place where an agent or workflow runs."""

    node_id: Name
    name: Name
    type: Literal["agent", "linear_workflow", "graph_workflow", "custom_workflow"] = "agent"


class Edge(Part):
    """The output of one node goes into another."""

    source: str = Field(alias="from")
    target: str = Field(alias="to")


class Model(ComponentModel):
    """A graph workflow: nodes and edges without a cycle."""

    type: Literal["graph_workflow"] = "graph_workflow"
    nodes: list[Node] = Field(description="What runs, each under an id of its own.")
    edges: list[Edge] = Field(default_factory=list, description="From which node to which node outputs go.")
    include_history: bool | None = Field(None, description="As for agents; holds for all nodes that do not say otherwise.")

    @model_validator(mode="after")
    def _is_a_graph_without_cycles(self) -> Model:
        twice = [node_id for node_id, count in Counter(node.node_id for node in self.nodes).items() if count > 1]
        if twice:
            raise ValueError(f"node_id used twice: {', '.join(map(repr, twice))}")
        known = {node.node_id for node in self.nodes}
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for edge in self.edges:
            for end in (edge.source, edge.target):
                if end not in known:
                    raise ValueError(f"an edge names the node {end!r}, which is not among the nodes")
            sorter.add(edge.target, edge.source)
        try:
            sorter.prepare()
        except CycleError as error:
            raise ValueError(f"the edges form a cycle: {' -> '.join(error.args[1])}") from error
        return self
