"""Aurite: AI agents from configuration, with components and sessions in files, SQLite or PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aurite.app import Aurite
    from aurite.config.manager import ConfigManager
    from aurite.errors import AuriteError
    from aurite.settings import Settings

__all__ = ["Aurite", "AuriteError", "ConfigManager", "Settings", "__version__"]

_HOMES = {"Aurite": "app", "AuriteError": "errors", "ConfigManager": "config.manager", "Settings": "settings"}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: a command line that only wants --help must not wait for the stores.
    from importlib import import_module

    if name == "__version__":
        return import_module("importlib.metadata").version("aurite")
    if name in _HOMES:
        return getattr(import_module(f"aurite.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'aurite' has no attribute {name!r}")
