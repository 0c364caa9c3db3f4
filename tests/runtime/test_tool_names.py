"""The names under which models see tools are accepted by providers and lead back to exactly one tool."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from aurite.runtime.toolnames import ToolNames

ACCEPTED = re.compile(r"[a-zA-Z0-9_-]{1,64}")

part = st.text(min_size=1, max_size=80) | st.text("ab-_.", min_size=1, max_size=4)
tools = st.lists(st.tuples(part, part), max_size=12)


@given(tools)
def test_every_tool_has_an_accepted_name_of_its_own_that_leads_back(keys: list[tuple[str, str]]) -> None:
    names = ToolNames(keys)
    given_names = {key: names.name(key) for key in keys}
    assert all(ACCEPTED.fullmatch(name) for name in given_names.values())
    assert all(names.key(name) == key for key, name in given_names.items())
    assert len(set(given_names.values())) == len(set(keys))


@given(tools)
def test_what_people_read_leads_back_too(keys: list[tuple[str, str]]) -> None:
    names = ToolNames(keys)
    shown = {names.shown(names.name(key)) for key in keys}
    assert len(shown) == len(set(keys))
    assert all(names.called(names.shown(names.name(key))) == names.name(key) for key in keys)


@given(tools)
def test_the_same_tools_have_the_same_names_everywhere(keys: list[tuple[str, str]]) -> None:
    one, other = ToolNames(keys), ToolNames(list(keys))
    assert [one.name(key) for key in keys] == [other.name(key) for key in keys]


def test_an_ordinary_tool_is_called_by_server_and_name() -> None:
    names = ToolNames([("weather_server", "weather_lookup")])
    assert names.name(("weather_server", "weather_lookup")) == "weather_server-weather_lookup"


def test_two_tools_that_would_read_the_same_are_told_apart() -> None:
    names = ToolNames([("a-b", "c"), ("a", "b-c")])
    assert names.name(("a-b", "c")) == "a-b-c"
    other = names.name(("a", "b-c"))
    assert other != "a-b-c"
    assert names.key(other) == ("a", "b-c")


def test_a_name_beyond_the_limit_stays_recognisable() -> None:
    name = ToolNames([("server", "x" * 100)]).name(("server", "x" * 100))
    assert name.startswith("server-xxxx")
    assert len(name) == 64


def test_an_escaped_name_that_another_tool_has_already_is_avoided() -> None:
    escaped = ToolNames([("s", "a.b")]).name(("s", "a.b"))
    server, _, tool = escaped.partition("-")
    names = ToolNames([("s", "a.b"), (server, tool)])
    assert names.name((server, tool)) == escaped
    assert names.name(("s", "a.b")) != escaped
