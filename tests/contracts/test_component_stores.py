"""Every component store keeps the contract."""

from __future__ import annotations

from pathlib import Path

from aurite.storage.ports import ComponentStore
from aurite.testing import ComponentStoreContract
from aurite.testing.components import component, create, put, update, write
from tests.contracts.stores import file_components, sqlite_components


class TestSqlite(ComponentStoreContract):
    def open_store(self, folder: Path) -> ComponentStore:
        return sqlite_components(folder)

    def test_an_update_keeps_the_instant_of_creation(self, store: ComponentStore) -> None:
        write(store, create("a", v=1))
        first = component(store, "a")
        write(store, update("a", v=2))
        assert component(store, "a").created_at == first.created_at

    def test_the_counter_is_the_revision_of_all_that_a_write_changed(self, store: ComponentStore) -> None:
        for expected in (1, 2, 3):
            assert write(store, put("a", v=expected), put("b", v=expected)).version == store.version() == expected
            assert {component(store, name).revision for name in ("a", "b")} == {expected}


class TestFiles(ComponentStoreContract):
    def open_store(self, folder: Path) -> ComponentStore:
        return file_components(folder)
