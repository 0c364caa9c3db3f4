"""Aurite: AI agents from configuration, with components and sessions in files, SQLite or PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aurite.app import Aurite
    from aurite.config.manager import ConfigManager
    from aurite.errors import AuriteError
    from aurite.runtime.custom import BaseCustomWorkflow
    from aurite.runtime.executor import AuriteEngine
    from aurite.runtime.results import AgentRunResult, WorkflowRunResult
    from aurite.settings import Settings

__all__ = [
    "AgentRunResult",
    "Aurite",
    "AuriteEngine",
    "AuriteError",
    "BaseCustomWorkflow",
    "ConfigManager",
    "Settings",
    "WorkflowRunResult",
    "__version__",
]

_HOMES = {
    "AgentRunResult": "runtime.results",
    "Aurite": "app",
    "AuriteEngine": "runtime.executor",
    "AuriteError": "errors",
    "BaseCustomWorkflow": "runtime.custom",
    "ConfigManager": "config.manager",
    "Settings": "settings",
    "WorkflowRunResult": "runtime.results",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: a command line that only wants --help must not wait for the stores.
    from importlib import import_module

    if name == "__version__":
        return import_module("importlib.metadata").version("aurite")
    if name in _HOMES:
        return getattr(import_module(f"aurite.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'aurite' has no attribute {name!r}")
