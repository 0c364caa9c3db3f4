"""What a ConfigManager takes and gives: whole documents, never the ones it keeps, and a plain word where it gets none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurite.config.manager import ConfigManager
from aurite.errors import InvalidComponentError, InvalidValueError
from aurite.model.records import Author
from aurite.model.sources import Source
from aurite.storage.components import SqlComponentStore
from aurite.storage.files.store import FileComponentStore
from aurite.storage.ports import ComponentStore
from aurite.storage.sqlite.database import SqliteDatabase

LLM = {"type": "llm", "name": "L", "provider": "offline", "model": "m", "stop": ["a"]}


@pytest.fixture(params=["files", "sqlite"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ConfigManager]:
    store: ComponentStore
    if request.param == "files":
        store = FileComponentStore([Source("project", tmp_path, (tmp_path / "config",), tmp_path.name)], always_scan=True)
    else:
        store = SqlComponentStore(SqliteDatabase(tmp_path / "aurite.db"))
    yield ConfigManager(store, author=Author("python"), root=tmp_path)
    store.close()


def test_what_a_reader_does_to_a_document_stays_with_the_reader(manager: ConfigManager) -> None:
    manager.create_component("llm", LLM)
    for document in (manager.require_config("llm", "L"), manager.list_configs("llm")[0], manager.get_all_configs()["llm"]["L"]):
        document["stop"].append("b")
        document["name"] = "other"
    assert manager.get_config("llm", "L") == LLM


def test_an_update_replaces_the_whole_document(manager: ConfigManager) -> None:
    manager.create_component("llm", LLM)
    manager.update_component("llm", "L", {"provider": "offline", "model": "n"})
    assert manager.get_config("llm", "L") == {"type": "llm", "name": "L", "provider": "offline", "model": "n"}
    with pytest.raises(InvalidComponentError, match="create it under the new name"):
        manager.update_component("llm", "L", {**LLM, "name": "M"})


@pytest.mark.parametrize("given", [None, [LLM], "L"])
def test_a_document_that_is_no_dict_is_refused_by_its_type(manager: ConfigManager, given: Any) -> None:
    manager.create_component("llm", LLM)
    for refused in (
        lambda: manager.create_component("llm", given),
        lambda: manager.update_component("llm", "L", given),
        lambda: manager.register_component_in_memory("llm", given),
        lambda: manager.put_components([given]),
    ):
        with pytest.raises(InvalidValueError, match=f"must be a dict, not {type(given).__name__}"):
            refused()


def test_the_place_of_a_component_is_its_file_or_its_database(manager: ConfigManager, tmp_path: Path) -> None:
    component = manager.create_component("llm", LLM)
    assert manager.place_of(component) in {str(tmp_path / "config" / "llms" / "llms.json"), str(tmp_path / "aurite.db")}
    assert manager.validate_all_components()[0].where == manager.place_of(component)
