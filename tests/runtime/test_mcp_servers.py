"""MCP servers are started when needed, kept, started anew when they died, and named with their reason when they do not start."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aurite.app import Aurite
from aurite.errors import McpServerError
from tests.runtime.conftest import SERVERS, Project, until
from tests.runtime.provider import Answer, Provider

ONE_RUN = """
import asyncio
import sys
from aurite.app import Aurite

async def main():
    async with Aurite(sys.argv[1]) as aurite:
        print((await aurite.run_agent("A", "What is the weather in London?")).text)

asyncio.run(main())
"""


def content(result: Any) -> str:
    """The first tool result of a run."""
    told = next(message for message in result.conversation_history if message["role"] == "tool")
    return str(told["content"])


def asks(project: Project, *tools: str, servers: tuple[str, ...] = ("weather",)) -> None:
    """An offline agent that has these tools of the weather server alone."""
    every = {"weather_lookup", "current_time", "fail", "process", "secret_of_environment"}
    project.has("agent", "A", llm_config_id="offline", mcp_servers=list(servers), exclude_components=sorted(every - set(tools)))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_is_kept_between_runs_and_ends_with_the_runner(project: Project) -> None:
    asks(project, "process")

    async def twice(aurite: Aurite) -> list[str]:
        return [content(await aurite.run_agent("A", "which?")) for _ in range(2)]

    first, second = project.alone(twice)
    assert first == second
    assert not is_running(int(first))


def test_a_killed_server_is_started_anew_by_the_next_run(project: Project) -> None:
    asks(project, "process")

    async def kill_in_between(aurite: Aurite) -> tuple[str, str]:
        first = content(await aurite.run_agent("A", "which?"))
        os.kill(int(first), signal.SIGKILL)
        await until(lambda: not is_running(int(first)))
        return first, content(await aurite.run_agent("A", "which?"))

    first, second = project.alone(kill_in_between)
    assert int(first) != int(second)


def test_a_server_that_dies_in_mid_call_is_told_to_the_model_and_started_anew_by_the_next_call(
    project: Project, provider: Provider
) -> None:
    project.has("mcp_server", "odd", server_path=str(SERVERS / "odd_server.py"))
    project.has("agent", "A", llm_config_id="http", mcp_servers=["odd"])
    provider.says(Answer(calls=[("odd-die", {})]), Answer(calls=[("odd-slow", {"seconds": 0})]), "Fine again.")
    result = project.run("A", "go")
    assert result["final_response"]["content"] == "Fine again."
    told = [message["content"] for message in result["conversation_history"] if message["role"] == "tool"]
    assert "was lost during the call" in told[0]
    assert told[1] == "at last"


def test_a_server_that_does_not_start_is_named_with_the_end_of_its_stderr(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    project.has("mcp_server", "broken", server_path=str(SERVERS / "broken_server.py"))
    asks(project, servers=("broken",))
    with pytest.raises(McpServerError, match="MCP server 'broken' did not start: no licence found"):
        project.run("A", "hi", session_id="x")
    assert project.aurite.sessions.get("agent-x") is None
    assert capfd.readouterr().err == ""


def test_a_key_that_a_server_writes_to_stderr_is_not_shown(project: Project) -> None:
    (project.folder / ".env").write_text("LICENCE_KEY=qx-4711-zz-0815\n")
    project.has("mcp_server", "broken", server_path=str(SERVERS / "broken_server.py"))
    asks(project, servers=("broken",))
    with pytest.raises(McpServerError, match=r"no licence found \*\*\*"):
        project.run("A", "hi")


def test_a_key_in_the_url_of_a_server_is_not_shown(project: Project, provider: Provider) -> None:
    project.has("mcp_server", "far", http_endpoint=f"{provider.base}?key=my-licence-key-4711")
    asks(project, servers=("far",))
    with pytest.raises(McpServerError, match="'far' did not start") as caught:
        project.run("A", "hi")
    assert "my-lic" not in str(caught.value)


def test_what_a_server_writes_to_stderr_does_not_reach_the_terminal(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    asks(project, "weather_lookup")
    project.run("A", "Weather in London?")
    assert capfd.readouterr() == ("", "")


def test_a_server_that_stays_silent_fails_after_its_registration_timeout(project: Project) -> None:
    project.has("mcp_server", "silent", server_path=str(SERVERS / "silent_server.py"), registration_timeout=0.5)
    asks(project, servers=("silent",))
    started = time.monotonic()
    with pytest.raises(
        McpServerError, match=r"MCP server 'silent' did not start: it did not answer within 0\.5 s; it wrote: waiting for the moon"
    ):
        project.run("A", "hi")
    assert time.monotonic() - started < 10


def test_a_file_that_is_not_there_and_a_program_that_is_not_there_are_named(project: Project) -> None:
    project.has("mcp_server", "gone", server_path="nowhere/server.py")
    asks(project, servers=("gone",))
    with pytest.raises(McpServerError, match=f"there is no file {project.folder}/nowhere/server.py"):
        project.run("A", "hi")
    project.has("mcp_server", "gone", command="no-such-program-anywhere")
    with pytest.raises(McpServerError, match="no-such-program-anywhere"):
        project.run("A", "hi")


def test_a_local_server_is_started_by_its_command_in_the_project(project: Project) -> None:
    (project.folder / "tools").mkdir()
    (project.folder / "tools" / "server.py").write_text((SERVERS / "weather_server.py").read_text())
    project.has("mcp_server", "weather", command=sys.executable, args=["tools/server.py"])
    asks(project, "weather_lookup")
    assert "21 degrees" in project.run("A", "London?")["final_response"]["content"]


def test_a_relative_server_path_starts_at_the_folder_of_the_aurite_file(project: Project) -> None:
    (project.folder / "tools").mkdir()
    (project.folder / "tools" / "server.py").write_text((SERVERS / "weather_server.py").read_text())
    project.has("mcp_server", "weather", server_path="tools/server.py")
    asks(project, "weather_lookup")
    assert "21 degrees" in project.run("A", "London?")["final_response"]["content"]


def test_variables_of_the_dotenv_file_reach_servers(project: Project) -> None:
    (project.folder / ".env").write_text("WEATHER_KEY=from-dotenv\n")
    asks(project, "secret_of_environment")
    assert "answered: from-dotenv" in project.run("A", "hi")["final_response"]["content"]


def test_a_server_whose_component_changed_is_started_anew(project: Project) -> None:
    asks(project, "process")

    async def change_in_between(aurite: Aurite) -> None:
        first = content(await aurite.run_agent("A", "which?"))
        project.has("mcp_server", "weather", server_path=str(SERVERS / "weather_server.py"), timeout=99)
        second = content(await aurite.run_agent("A", "which?"))
        assert int(first) != int(second)
        assert not is_running(int(first))
        assert is_running(int(second))

    project.alone(change_in_between)


def test_eight_runs_at_once_share_one_server(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = project.folder / "marker"
    monkeypatch.setenv("STARTED_MARKER", str(marker))
    asks(project, "process")

    async def together(aurite: Aurite) -> set[str]:
        return {content(result) for result in await asyncio.gather(*(aurite.run_agent("A", "which?") for _ in range(8)))}

    assert len(project.alone(together)) == 1
    assert marker.read_text() == "started\n"


def test_a_call_that_takes_longer_than_the_timeout_is_told_to_the_model(project: Project, provider: Provider) -> None:
    project.has("mcp_server", "odd", server_path=str(SERVERS / "odd_server.py"), timeout=0.3)
    project.has("agent", "A", llm_config_id="http", mcp_servers=["odd"])
    provider.says(Answer(calls=[("odd-slow", {"seconds": 5})]), "Too slow.")
    project.run("A", "go")
    assert "did not answer within 0.3 s" in provider.requests[1].body["messages"][-1]["content"]


def test_tools_that_the_server_excludes_are_not_offered(project: Project, provider: Provider) -> None:
    project.has("mcp_server", "weather", server_path=str(SERVERS / "weather_server.py"), exclude=["fail", "weather-process"])
    project.has("agent", "A", llm_config_id="http", mcp_servers=["weather"])
    provider.says("ok")
    project.run("A", "hi")
    offered = {tool["function"]["name"] for tool in provider.requests[0].body["tools"]}
    assert offered == {"weather-weather_lookup", "weather-current_time", "weather-secret_of_environment"}


def test_a_name_that_providers_refuse_is_escaped_on_the_wire_and_readable_in_the_session(
    project: Project, provider: Provider
) -> None:
    project.has("mcp_server", "odd one", server_path=str(SERVERS / "odd_server.py"))
    project.has("agent", "A", llm_config_id="http", mcp_servers=["odd one"])
    provider.says("first")
    project.run("A", "hi")
    (name,) = (tool["function"]["name"] for tool in provider.requests[0].body["tools"] if "what_is" in tool["function"]["name"])
    provider.says(Answer(calls=[(name, {"city": "Rome"})]), "ok")
    result = project.run("A", "hi", session_id="x")
    told = next(message for message in result["conversation_history"] if message["role"] == "tool")
    assert told["content"] == "odd weather in Rome"
    assert told["name"] == "odd one-what.is/the weather today?"


def test_a_server_is_told_its_roots(project: Project, provider: Provider) -> None:
    roots = [{"uri": "file:///data", "name": "data"}]
    project.has("mcp_server", "odd", server_path=str(SERVERS / "odd_server.py"), roots=roots)
    project.has("agent", "A", llm_config_id="http", mcp_servers=["odd"])
    provider.says(Answer(calls=[("odd-roots", {})]), "ok")
    result = project.run("A", "which?")
    assert [message["content"] for message in result["conversation_history"] if message["role"] == "tool"] == [
        "data at file:///data"
    ]


def test_a_picture_is_named_in_the_session(project: Project, provider: Provider) -> None:
    project.has("mcp_server", "odd", server_path=str(SERVERS / "odd_server.py"))
    project.has("agent", "A", llm_config_id="http", mcp_servers=["odd"])
    provider.says(Answer(calls=[("odd-picture", {})]), "Pretty.")
    assert project.run("A", "show", session_id="x")["final_response"]["content"] == "Pretty."
    told = next(document for document in project.documents("agent-x") if document["role"] == "tool")
    assert told["content"].startswith("[image/png, ")


def test_what_a_server_writes_beside_mcp_does_not_disturb_and_does_not_reach_the_terminal(project: Project) -> None:
    server = (SERVERS / "weather_server.py").read_text().replace("from __future__ import annotations", "print('not MCP')")
    (project.folder / "chatty.py").write_text(server)
    project.has("mcp_server", "weather", server_path="chatty.py")
    asks(project, "weather_lookup")
    # In a process of its own: pytest's log handlers would hide that the SDK's log goes to the terminal.
    program = [sys.executable, "-c", ONE_RUN, str(project.folder)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert "21 degrees" in done.stdout
    assert done.stderr == ""


def test_a_run_that_is_cancelled_while_its_server_starts_ends_at_once(project: Project) -> None:
    project.has("mcp_server", "silent", server_path=str(SERVERS / "silent_server.py"))
    asks(project, servers=("silent",))

    async def cancel(aurite: Aurite) -> None:
        task = asyncio.ensure_future(aurite.run_agent("A", "hi"))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    started = time.monotonic()
    project.alone(cancel)
    assert time.monotonic() - started < 15


@contextmanager
def at_a_url(folder: Path, port: str | None = None) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server over streamable HTTP, with its URL."""
    if port is None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
    with (folder / "http.log").open("a") as log:
        program = subprocess.Popen([sys.executable, str(SERVERS / "odd_server.py"), port], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                    break
            time.sleep(0.05)
        yield program, f"http://127.0.0.1:{port}/mcp"
        program.kill()
        program.wait(10)


def test_a_server_at_a_url_is_asked_over_http(project: Project, provider: Provider, tmp_path: Path) -> None:
    project.has("agent", "A", llm_config_id="http", mcp_servers=["odd"])
    provider.says(Answer(calls=[("odd-slow", {"seconds": 0})]), "Done.")
    with at_a_url(tmp_path) as (_, url):
        project.has("mcp_server", "odd", http_endpoint=url)
        result = project.run("A", "go")
    assert [message["content"] for message in result["conversation_history"] if message["role"] == "tool"] == ["at last"]


def test_a_server_at_a_url_that_came_back_is_used_again(project: Project, provider: Provider, tmp_path: Path) -> None:
    with at_a_url(tmp_path) as (program, url):
        project.has("mcp_server", "odd", http_endpoint=url)
        project.has("agent", "A", llm_config_id="http", mcp_servers=["odd"])
        for _ in range(3):
            provider.says(Answer(calls=[("odd-slow", {"seconds": 0})]), "Done.")

        async def through_its_death(aurite: Aurite) -> list[str]:
            told = [content(await aurite.run_agent("A", "go"))]
            program.kill()
            program.wait(10)
            told.append(content(await aurite.run_agent("A", "go")))
            with at_a_url(tmp_path, port=url.split(":")[2].split("/")[0]):
                told.append(content(await aurite.run_agent("A", "go")))
            return told

        first, second, third = project.alone(through_its_death)
    assert (first, third) == ("at last", "at last")
    assert "was lost during the call" in second


def test_headers_are_filled_from_the_environment(project: Project, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEATHER_TOKEN", "token-of-ours-123")
    project.has(
        "mcp_server",
        "far",
        http_endpoint=provider.base,
        headers={"Authorization": "Bearer ${WEATHER_TOKEN}", "X-Other": "{WEATHER_TOKEN}"},
        registration_timeout=5,
    )
    asks(project, servers=("far",))
    with pytest.raises(McpServerError, match="'far' did not start") as caught:
        project.run("A", "hi")
    headers = provider.requests[0].headers
    assert headers["authorization"] == "Bearer token-of-ours-123"
    assert headers["x-other"] == "token-of-ours-123"
    assert "token-of-ours" not in str(caught.value)


def test_a_header_whose_variable_is_not_set_names_it(project: Project) -> None:
    project.has("mcp_server", "far", http_endpoint="http://127.0.0.1:1/mcp", headers={"Authorization": "Bearer {NOT_SET}"})
    asks(project, servers=("far",))
    with pytest.raises(McpServerError, match="needs the variable NOT_SET for its header Authorization"):
        project.run("A", "hi")


def test_a_url_where_nobody_is_fails_with_its_server_named(project: Project) -> None:
    project.has("mcp_server", "far", http_endpoint="http://127.0.0.1:1/mcp")
    asks(project, servers=("far",))
    with pytest.raises(McpServerError, match="MCP server 'far' did not start"):
        project.run("A", "hi")


def test_arguments_go_to_the_server_as_the_model_wrote_them(project: Project, provider: Provider) -> None:
    asks(project)
    project.has("agent", "A", llm_config_id="http", mcp_servers=["weather"])
    provider.says(Answer(calls=[("weather-weather_lookup", {"city": "Zürich \U0001f600", "units": "fahrenheit"})]), "ok")
    project.run("A", "go", session_id="x")
    documents = project.documents("agent-x")
    call = next(document for document in documents if document.get("tool_calls"))["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == {"city": "Zürich \U0001f600", "units": "fahrenheit"}
    assert "Weather in Zürich \U0001f600: 21 degrees fahrenheit" in [document["content"] for document in documents]


# Going on without a server.


def test_an_agent_may_go_on_without_a_server_that_does_not_start(project: Project, provider: Provider) -> None:
    project.has("mcp_server", "broken", server_path=str(SERVERS / "broken_server.py"))
    project.has("mcp_server", "gone", server_path="nowhere/server.py")
    project.has("agent", "A", llm_config_id="http", mcp_servers=["broken", "weather", "gone"], mcp_failure="continue")
    provider.says("Without them.")
    events = project.stream("A", "hi", session_id="x")
    told = [event["data"]["message"] for event in events if event["type"] == "server_failed"]
    assert len(told) == 2
    assert any("no licence found" in message for message in told)
    assert any("nowhere/server.py" in message for message in told)
    assert {tool["function"]["name"].partition("-")[0] for tool in provider.requests[0].body["tools"]} == {"weather"}
    (run,) = project.aurite.sessions.runs("agent-x")
    assert run.status == "completed"
    assert json.loads(run.result or "{}")["failed_servers"] == told


def test_an_agent_that_goes_on_is_told_of_a_server_that_does_not_start_again(project: Project, provider: Provider) -> None:
    server = (SERVERS / "odd_server.py").read_text()
    file = project.folder / "odd.py"
    file.write_text(server.replace("os.kill(os.getpid()", "os.unlink(__file__); os.kill(os.getpid()"))
    project.has("mcp_server", "odd", server_path="odd.py")
    project.has("agent", "A", llm_config_id="http", mcp_servers=["odd"], mcp_failure="continue")
    provider.says(Answer(calls=[("odd-die", {})]), Answer(calls=[("odd-slow", {"seconds": 0})]), "I give up.")
    result = project.run("A", "go")
    assert result["final_response"]["content"] == "I give up."
    told = [message["content"] for message in result["conversation_history"] if message["role"] == "tool"]
    assert "was lost during the call" in told[0]
    assert "MCP server 'odd' did not start" in told[1]


def test_else_a_server_that_does_not_start_again_fails_the_run(project: Project, provider: Provider) -> None:
    server = (SERVERS / "odd_server.py").read_text()
    (project.folder / "odd.py").write_text(server.replace("os.kill(os.getpid()", "os.unlink(__file__); os.kill(os.getpid()"))
    project.has("mcp_server", "odd", server_path="odd.py")
    project.has("agent", "A", llm_config_id="http", mcp_servers=["odd"])
    provider.says(Answer(calls=[("odd-die", {})]), Answer(calls=[("odd-slow", {"seconds": 0})]), "never")
    with pytest.raises(McpServerError, match="'odd' did not start"):
        project.run("A", "go", session_id="x")
    assert project.run_status("agent-x") == ["failed"]
