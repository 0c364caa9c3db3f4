"""Every component store keeps the contract."""

from __future__ import annotations

from pathlib import Path

from aurite.storage.ports import ComponentStore
from aurite.testing import ComponentStoreContract
from tests.contracts.stores import file_components, sqlite_components


class TestSqlite(ComponentStoreContract):
    def open_store(self, folder: Path) -> ComponentStore:
        return sqlite_components(folder)


class TestFiles(ComponentStoreContract):
    def open_store(self, folder: Path) -> ComponentStore:
        return file_components(folder)
