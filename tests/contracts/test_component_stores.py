"""Every component store keeps the contract."""

from __future__ import annotations

from pathlib import Path

from aurite.config.workspace import discover
from aurite.storage.components import SqlComponentStore
from aurite.storage.files import FileComponentStore
from aurite.storage.ports import ComponentStore
from aurite.storage.sqlite import SqliteDatabase
from aurite.testing import ComponentStoreContract


class TestSqlite(ComponentStoreContract):
    def open_store(self, folder: Path) -> ComponentStore:
        return SqlComponentStore(SqliteDatabase(folder / "aurite.db"))


class TestFiles(ComponentStoreContract):
    def open_store(self, folder: Path) -> ComponentStore:
        (folder / ".aurite").write_text('[aurite]\ntype = "project"\ninclude_configs = ["config"]\n', encoding="utf-8")
        return FileComponentStore(discover(folder, home=None).sources)
