"""Every session store keeps the contract."""

from __future__ import annotations

from pathlib import Path

from aurite.storage.ports import SessionStore
from aurite.storage.session_files import FileSessionStore
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite import SqliteDatabase
from aurite.testing import SessionStoreContract


class TestSqlite(SessionStoreContract):
    def open_store(self, folder: Path) -> SessionStore:
        return SqlSessionStore(SqliteDatabase(folder / "aurite.db"))


class TestFiles(SessionStoreContract):
    def open_store(self, folder: Path) -> SessionStore:
        return FileSessionStore(folder / ".aurite_cache")
