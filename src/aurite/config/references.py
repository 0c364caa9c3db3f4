"""Which other components a component names, and which of them are not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_RUNNABLE = ("agent", "linear_workflow", "graph_workflow", "custom_workflow")


def missing_references(config: dict[str, Any], exists: Callable[[str, str], bool]) -> tuple[str, ...]:
    """One sentence per named component that is not there.

    Args:
        config: a valid document of any type.
        exists: tells whether a component of a type and name is there.
    """
    return tuple(
        f"{field}: there is no {' or '.join(types) if len(types) < 3 else 'agent or workflow'} {name!r}"
        for field, types, name in _references(config)
        if not any(exists(type_, name) for type_ in types)
    )


def _references(config: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    match config["type"]:
        case "agent":
            if config.get("llm_config_id") is not None:
                yield "llm_config_id", ("llm",), config["llm_config_id"]
            for name in config.get("mcp_servers") or ():
                yield "mcp_servers", ("mcp_server",), name
        case "linear_workflow":
            for step in config["steps"]:
                yield "steps", *_step(step)
        case "graph_workflow":
            for node in config["nodes"]:
                yield "nodes", (node.get("type", "agent"),), node["name"]
        case "evaluation":
            type_ = config.get("component_type")
            for name in config.get("component_refs") or ():
                yield "component_refs", (type_,) if type_ in (*_RUNNABLE, "llm", "mcp_server") else _RUNNABLE, name


def _step(step: str | dict[str, Any]) -> tuple[tuple[str, ...], str]:
    if isinstance(step, str):
        return _RUNNABLE, step
    return (step["type"],) if step.get("type") else _RUNNABLE, step["name"]
