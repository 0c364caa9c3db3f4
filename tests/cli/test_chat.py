"""``aurite run`` without a message: a person talks with an agent, in sessions that are kept and can be gone on with."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.cli.program import Program, Terminal
from tests.cli.test_list_and_show import add, agent
from tests.cli.test_run import SLOW_SERVER, sessions
from tests.runtime.provider import Answer, Provider

ASKED = "\x1b[?2004h"
"""What a terminal is told when a line begins to be read: that pasted text shall be marked."""
PASTED = "\x1b[200~{}\x1b[201~"
ALT_ENTER = "\x1b\r"
NO_KEY = "sk-none"


@pytest.fixture
def quiet(project: Program) -> Program:
    """A project on a terminal that does not tell where its cursor is."""
    return project.with_variables(PROMPT_TOOLKIT_NO_CPR="1", TEST_KEY=NO_KEY)


@pytest.fixture
def provider(quiet: Program) -> Iterator[Provider]:
    """What the agent ``Helper`` of the project asks; it does not say whether its model sees the session so far."""
    with Provider() as server:
        llm = {"type": "llm", "name": "http", "provider": "openai", "model": "m", "api_base": server.base, "max_retries": 0}
        add(quiet, "http.json", [{**llm, "api_key_env_var": "TEST_KEY"}, agent("Helper", llm_config_id="http")])
        yield server


@pytest.fixture(params=["files", "sqlite"])
def store(request: pytest.FixtureRequest, quiet: Program, provider: Provider) -> Program:
    """The project with its components and sessions in files, and in SQLite."""
    if request.param == "files":
        return quiet
    program = quiet.with_variables(AURITE_ENABLE_DB="true")
    program("export").done()
    return program


def talk(program: Program, *arguments: str) -> Terminal:
    """A person who is asked for the first message."""
    person = program.terminal("run", *arguments, columns=200)
    person.sees(ASKED)
    return person


def says(person: Terminal, text: str, answer: str) -> str:
    """What is shown when the person has sent a text, once the answer came and the next line is asked for."""
    before = person.shown
    person.types(f"{text}\r")
    person.sees(answer)
    person.sees(ASKED)
    return before


def leaves(person: Terminal) -> str:
    """What is shown when the person ends the talk, which goes well."""
    person.types("/quit\r")
    status, shown = person.ends()
    assert status == 0
    assert "Traceback" not in shown
    return shown


def asked(provider: Provider) -> list[list[str]]:
    """What the model was told with each request: the messages of the user, and its own before them."""
    return [[message["content"] for message in request.body["messages"]] for request in provider.requests]


def runs(program: Program, session_id: str) -> list[str]:
    """The statuses of the runs of a session."""
    shown = program("sessions", "show", session_id, "--json").done().json()
    return [run["status"] for run in shown["runs"]]


def test_the_model_sees_the_talk_so_far_and_all_of_it_is_one_session(store: Program, provider: Provider) -> None:
    provider.says("Nice to meet you.", "You are Ada.")
    with talk(store, "Helper") as person:
        person.types("I am Ada\r")
        person.sees("Nice to meet you.")
        person.sees("Session: agent-")
        person.sees(ASKED)
        says(person, "Who am I?", "You are Ada.")
        shown = leaves(person)

    assert asked(provider)[1] == ["I am Ada", "Nice to meet you. ", "Who am I?"]
    (session,) = sessions(store)
    assert (session["message_count"], session["name"]) == (4, "Helper")
    assert f"To go on: aurite run Helper -id {session['session_id']}" in shown


def test_an_agent_that_keeps_nothing_is_asked_each_message_alone(quiet: Program, provider: Provider) -> None:
    add(quiet, "alone.json", agent("Alone", llm_config_id="http", include_history=False))
    provider.says("First.", "Second.")
    with quiet.terminal("run", "Alone", columns=200) as person:
        person.sees("include_history is false")
        person.sees(ASKED)
        says(person, "One", "First.")
        says(person, "Two", "Second.")
        says(person, "/switch x", "Error: ")
        assert "To go on" not in leaves(person)

    assert asked(provider) == [["One"], ["Two"]]
    assert sessions(quiet) == []


def test_ctrl_c_stops_an_answer_which_is_kept_as_cancelled_and_the_talk_goes_on(store: Program, provider: Provider) -> None:
    provider.says(Answer("alpha beta gamma delta", stops_after=2), "Well then.")
    with talk(store, "Helper") as person:
        person.types("Count\r")
        person.sees("beta")
        person.types("\x03")
        person.sees("Stopped.")
        person.sees(ASKED)
        says(person, "Go on", "Well then.")
        leaves(person)

    (session,) = sessions(store)
    assert runs(store, session["session_id"]) == ["cancelled", "completed"]
    assert asked(provider)[1] == ["Count", "alpha beta ", "Go on"]


def test_ctrl_c_stops_a_tool(quiet: Program, provider: Provider) -> None:
    (quiet.folder / "mcp_servers" / "slow_server.py").write_text(SLOW_SERVER)
    server = {"type": "mcp_server", "name": "slow", "server_path": "mcp_servers/slow_server.py", "timeout": 120}
    add(quiet, "slow.json", [server, agent("Slow", llm_config_id="http", mcp_servers=["slow"])])
    provider.says(Answer(calls=[("slow-wait", {})]), "Never mind.")
    with talk(quiet, "Slow") as person:
        person.types("Wait\r")
        person.sees("-> slow-wait({})")
        person.types("\x03\x03\x03")  # impatient
        person.sees("Stopped.")
        person.sees(ASKED)
        says(person, "Leave it", "Never mind.")
        leaves(person)

    (session,) = sessions(quiet)
    assert runs(quiet, session["session_id"]) == ["cancelled", "completed"]
    assert "interrupted" in str(provider.requests[1].body["messages"])


def test_ctrl_c_throws_away_what_was_typed_and_ends_nothing(quiet: Program, provider: Provider) -> None:
    provider.says("Yes.")
    with talk(quiet, "Helper") as person:
        person.types("a mistake")
        person.sees("mistake")
        person.types("\x03")
        person.sees(ASKED)
        person.types("\x03")
        person.sees("/quit or Ctrl-D ends it.")
        person.sees(ASKED)
        says(person, "right", "Yes.")
        leaves(person)

    assert asked(provider) == [["right"]]


def test_a_signal_from_elsewhere_does_what_ctrl_c_does(quiet: Program, provider: Provider) -> None:
    with talk(quiet, "Helper") as person:
        os.kill(person._pid, signal.SIGINT)
        person.sees("/quit or Ctrl-D ends it.")
        person.sees(ASKED)
        os.kill(person._pid, signal.SIGTERM)
        status, shown = person.ends()

    assert status == 143
    assert "Traceback" not in shown


def test_several_lines_are_one_message(quiet: Program, provider: Provider) -> None:
    provider.says("Two.", "Three.", "A path.")
    with talk(quiet, "Helper") as person:
        says(person, f"first{ALT_ENTER}second", "Two.")
        says(person, PASTED.format("a\r  b\rc"), "Three.")
        says(person, " /etc/hosts is a file", "A path.")
        leaves(person)

    assert [told[-1] for told in asked(provider)] == ["first\nsecond", "a\n  b\nc", "/etc/hosts is a file"]


def test_sessions_can_be_begun_listed_and_switched(store: Program, provider: Provider) -> None:
    store("run", "Packing Agent", "It rains", "-id", "other").done()
    provider.says("Of rain.", "Of snow.", "Of rain again.")
    with talk(store, "Helper", "-id", "rain") as person:
        says(person, "Tell of rain", "Of rain.")
        says(person, "/new", "begins a new session")
        says(person, "Tell of snow", "Of snow.")
        person.types("/sessions\r")
        person.sees("agent-rain")
        person.sees("Tell of rain")
        person.sees(ASKED)
        says(person, "/switch other", "belongs to the agent 'Packing Agent'")
        person.types("/sw\t")
        person.sees("itch")
        person.types(" ra\t")
        person.sees("agent-rain")
        person.types("\r")
        person.sees("Session: agent-rain, with 2 messages")
        person.sees("Of rain.")
        person.sees(ASKED)
        says(person, "More", "Of rain again.")
        leaves(person)

    assert asked(provider)[1:] == [["Tell of snow"], ["Tell of rain", "Of rain. ", "More"]]
    counts = {session["session_id"]: session["message_count"] for session in sessions(store) if session["name"] == "Helper"}
    assert counts.pop("agent-rain") == 4
    assert list(counts.values()) == [2]


def test_a_talk_begins_in_the_session_that_is_named(quiet: Program, provider: Provider) -> None:
    quiet("run", "Packing Agent", "It rains", "-id", "umbrella").done()
    with quiet.terminal("run", "Packing Agent", "-id", "umbrella", columns=200) as person:
        person.sees("Session: agent-umbrella")
        person.sees("It rains")
        person.sees(ASKED)
        leaves(person)

    with quiet.terminal("run", "Helper", "-id", "umbrella", columns=200) as person:
        status, shown = person.ends()
    assert status == 1
    assert "belongs to the agent 'Packing Agent'" in shown


def test_the_tools_of_the_agent_are_told(quiet: Program) -> None:
    add(quiet, "lost.json", {"type": "mcp_server", "name": "lost", "server_path": "mcp_servers/none.py"})
    add(quiet, "with.json", agent("Partly", mcp_servers=["weather_server", "lost"], mcp_failure="continue"))
    add(quiet, "none.json", agent("Without", mcp_servers=["weather_server"], exclude_components=["weather_lookup"]))
    with talk(quiet, "Partly") as person:
        person.types("/tools\r")
        person.sees("weather_server-weather_lookup")
        person.sees("Problem: MCP server 'lost'")
        person.sees(ASKED)
        leaves(person)

    with talk(quiet, "Without") as person:
        says(person, "/tools", "Without has no tools.")
        assert "weather_lookup" not in leaves(person)


def test_what_goes_wrong_is_told_and_the_talk_goes_on(quiet: Program, provider: Provider) -> None:
    provider.says(Answer(status=400, error="too much"), "Better.")
    with talk(quiet, "Helper") as person:
        says(person, "Fail", "too much")
        says(person, "/nonsense", "Error: there is no command /nonsense")
        says(person, "/new thing", "Error: /new takes nothing behind it")
        says(person, "/switch", "Error: /switch needs the id behind it")
        says(person, "/switch nowhere", "nowhere")
        os.write(person._screen, b"caf\xe9\r")
        person.sees("Error: what was typed is not UTF-8 text")
        person.sees(ASKED)
        says(person, "/help", "/switch ID")
        says(person, "Again", "Better.")
        person.types("\x04")
        status, _ = person.ends()

    assert status == 0
    assert [told[-1] for told in asked(provider)] == ["Fail", "Again"]


def test_debug_shows_the_events_and_short_the_answer_alone(quiet: Program) -> None:
    with talk(quiet, "Weather Agent", "--debug") as person:
        person.types("And London?\r")
        person.sees('{"type":"session_info"')
        person.sees('{"type":"tool_call"')
        person.sees(ASKED)
        leaves(person)

    with talk(quiet, "Weather Agent", "--short") as person:
        person.types("And London?\r")
        person.sees("rainy")
        shown = leaves(person)
        assert "->" not in shown
        assert "Session:" not in shown


@pytest.mark.parametrize(
    ("variables", "env_file", "colored"), [({}, "", True), ({"NO_COLOR": "1"}, "", False), ({}, "NO_COLOR=1\n", False)]
)
def test_the_prompt_is_coloured_where_colours_are_wanted(
    quiet: Program, variables: dict[str, str], env_file: str, *, colored: bool
) -> None:
    (quiet.folder / ".env").write_text(env_file)
    with quiet.with_variables(**variables).terminal("run", "Packing Agent") as person:
        person.sees(ASKED)
        shown = leaves(person)

    assert ("36" in shown) is colored


def test_nothing_begins_where_nobody_can_talk(quiet: Program, provider: Provider) -> None:
    quiet("run", "Helper").refused("message", status=2)
    for program, name, status, words in (
        (quiet.with_variables(TEST_KEY=""), "Helper", 1, "TEST_KEY"),
        (quiet, "Weather And Packing", 2, "workflow"),
        (quiet, "Helpr", 1, "Helpr"),
    ):
        with program.terminal("run", name, columns=200) as person:
            ended, shown = person.ends()
        assert ended == status
        assert words in shown
        assert ASKED not in shown


def test_a_run_does_not_show_history_unasked_outside_of_a_talk(quiet: Program, provider: Provider) -> None:
    provider.says("One.", "Two.")
    for message in ("First", "Second"):
        quiet("run", "Helper", message, "-id", "same").done()

    assert asked(provider) == [["First"], ["Second"]]
