"""Every component store keeps the contract."""

from __future__ import annotations

from pathlib import Path

from aurite.storage.components import SqlComponentStore
from aurite.storage.ports import ComponentStore
from aurite.storage.sqlite import SqliteDatabase
from aurite.testing import ComponentStoreContract


class TestSqlite(ComponentStoreContract):
    def open_store(self, folder: Path) -> ComponentStore:
        return SqlComponentStore(SqliteDatabase(folder / "aurite.db"))
