"""Every session store keeps the contract."""

from __future__ import annotations

from pathlib import Path

from aurite.storage.ports import SessionStore
from aurite.testing import SessionStoreContract
from tests.contracts.stores import file_sessions, sqlite_sessions


class TestSqlite(SessionStoreContract):
    def open_store(self, folder: Path) -> SessionStore:
        return sqlite_sessions(folder)


class TestFiles(SessionStoreContract):
    def open_store(self, folder: Path) -> SessionStore:
        return file_sessions(folder)
