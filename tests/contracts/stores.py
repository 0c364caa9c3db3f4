"""How the stores of these tests are opened, once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aurite.config.workspace import discover
from aurite.storage.components import SqlComponentStore
from aurite.storage.files.store import FileComponentStore
from aurite.storage.ports import ComponentStore, SessionStore
from aurite.storage.session_files.store import FileSessionStore
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase

Clock = Callable[[], int]


def sqlite_components(folder: Path) -> ComponentStore:
    return SqlComponentStore(SqliteDatabase(folder / "aurite.db"))


def file_components(folder: Path) -> ComponentStore:
    (folder / ".aurite").write_text('[aurite]\ntype = "project"\ninclude_configs = ["config"]\n', encoding="utf-8")
    return FileComponentStore(discover(folder, home=None).sources, always_scan=True)  # a slow look is else not repeated at once


def sqlite_sessions(folder: Path, clock: Clock | None = None) -> SessionStore:
    path = folder / "aurite.db"
    return SqlSessionStore(SqliteDatabase(path) if clock is None else SqliteDatabase(path, clock=clock))


def file_sessions(folder: Path, clock: Clock | None = None) -> SessionStore:
    path = folder / ".aurite_cache"
    return FileSessionStore(path) if clock is None else FileSessionStore(path, clock=clock)


COMPONENT_STORES = {"sqlite": sqlite_components, "files": file_components}
SESSION_STORES = {"sqlite": sqlite_sessions, "files": file_sessions}
