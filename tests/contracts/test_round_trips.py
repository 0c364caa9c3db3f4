"""Any JSON value under any allowed name comes back exactly, from every store and through ``ConfigManager``."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurite.config.manager import ConfigManager
from aurite.errors import InvalidValueError
from aurite.model.jsontext import check, decode
from aurite.model.records import Author, NewMessage, NewRun, NewSession
from aurite.storage.ports import ComponentStore, SessionStore
from aurite.testing import component_names, json_values
from tests.contracts.stores import COMPONENT_STORES, SESSION_STORES

AUTHOR = Author("python")

Components = tuple[ComponentStore, ComponentStore]
Sessions = tuple[SessionStore, SessionStore]


@pytest.fixture(scope="module", params=COMPONENT_STORES)
def components(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Components]:
    """Two views of one store, used by all examples of a test: what one leaves behind must not hurt the next."""
    folder = tmp_path_factory.mktemp(request.param)
    views = (COMPONENT_STORES[request.param](folder), COMPONENT_STORES[request.param](folder))
    yield views
    for view in views:
        view.close()


@pytest.fixture(scope="module", params=SESSION_STORES)
def sessions(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sessions]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    views = (SESSION_STORES[request.param](folder), SESSION_STORES[request.param](folder))
    yield views
    for view in views:
        view.close()


def identical(left: Any, right: Any) -> bool:
    """Equal in type, order of keys, and the last bit of each float."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(identical(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(identical, left, right))
    if isinstance(left, float):
        return struct.pack("d", left) == struct.pack("d", right)
    return bool(left == right)


def test_identical_tells_what_equality_does_not() -> None:
    for left, right in ((0.0, -0.0), (1, 1.0), (1, True), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ([[0.0]], [[-0.0]])):
        assert left == right
        assert not identical(left, right)


@pytest.mark.parametrize("text", ["\ud800\udc00", "a\ud83d\ude00b", "\ud800 \ud83d\ude00"])
def test_a_character_in_two_halves_is_refused_because_json_cannot_tell_it_from_the_whole(text: str) -> None:
    for value in (text, [{"a": text}], {text: 1}):
        with pytest.raises(InvalidValueError, match="halves"):
            check(value)
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    assert identical(decode(check(whole)), whole)


@settings(max_examples=60, deadline=None)
@given(type_=st.sampled_from(["llm", "agent", "security"]), name=component_names(), value=json_values(), more=json_values())
def test_a_component_comes_back_as_it_went_in(components: Components, type_: str, name: str, value: Any, more: Any) -> None:
    store, other = components
    needed = {"provider": "offline", "model": "m"} if type_ == "llm" else {}
    config = {"x": value, "type": type_, "name": name, **needed, "y": more}
    here, there = ConfigManager(store, author=AUTHOR), ConfigManager(other, author=AUTHOR)
    created = here.create_component(type_, config)
    try:
        assert created.document == check(config)
        assert identical(there.require_config(type_, name), config)
        assert there.get_component(type_, name) == created
        here.update_component(type_, name, {**config, "x": more, "y": value})
        assert identical(there.require_config(type_, name), {**config, "x": more, "y": value})
        assert list(there.get_all_configs()) == [type_]
    finally:
        there.delete_config(type_, name)
    assert here.components() == there.components() == []


@settings(max_examples=40, deadline=None)
@given(session_id=component_names(), name=component_names(), tag=component_names(), values=st.lists(json_values(), max_size=5))
def test_a_session_comes_back_as_it_went_in(sessions: Sessions, session_id: str, name: str, tag: str, values: list[Any]) -> None:
    store, other = sessions
    made = store.start_run(NewSession(session_id, "workflow", name), NewRun("run"))
    try:
        messages = [NewMessage("user", check(value), native=check([value])) for value in values]
        assert store.append(session_id, messages) == len(values)
        tagged = store.tag(session_id, add=[tag])
        found = other.messages(session_id)
        assert all(identical(decode(each.document), value) for each, value in zip(found, values, strict=True))
        assert [(each.document, each.native) for each in found] == [(each.document, each.native) for each in messages]
        assert (made.session_id, made.name, tagged.tags) == (session_id, name, (tag,))
        assert other.get(session_id) == other.find(session_id) == tagged
    finally:
        assert other.delete([session_id]).messages == len(values)
    assert store.get(session_id) is None
