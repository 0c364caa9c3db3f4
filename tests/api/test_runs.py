"""Runs over HTTP: results, streams, sessions, and what becomes of a run when its client goes away or the service stops."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from typing import Any

from tests.api.server import Client, Service


def session_of(api: Client, session_id: str) -> dict[str, Any]:
    """The session as the history lists it."""
    sessions = api.get("/execution/history?limit=100").done()["sessions"]
    return next((session for session in sessions if session["session_id"] == session_id), {})


def wait_for_status(api: Client, session_id: str, status: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while (session := session_of(api, session_id)).get("status") != status:
        assert time.monotonic() < deadline, session
        time.sleep(0.05)
    return session


def test_a_run_returns_what_its_session_keeps(api: Client) -> None:
    result = api.post("/execution/agents/Plain%20Agent/run", {"user_message": "Hello", "session_id": "one"}).done()
    again = api.post("/execution/agents/Plain%20Agent/run", {"user_message": "Again", "session_id": "one"}).done()

    assert result["status"] == "success"
    assert result["session_id"] == again["session_id"] == "agent-one"
    assert [message["role"] for message in again["conversation_history"]] == ["system", "user", "assistant", "user", "assistant"]
    kept = api.get("/execution/history/one").done()
    assert kept["result_type"] == "agent"
    assert kept["execution_result"]["final_response"] == again["final_response"]
    assert kept["execution_result"]["conversation_history"] == again["conversation_history"]
    assert kept["metadata"]["message_count"] == 5
    api.delete("/execution/history/one")


def test_a_workflow_returns_its_steps_and_takes_them_along_when_deleted(api: Client) -> None:
    result = api.post("/execution/workflows/linear/Two%20Steps/run", {"initial_input": "Go", "session_id": "steps"}).done()
    assert result["status"] == "completed"
    assert [step["step_name"] for step in result["step_results"]] == ["Plain Agent", "Plain Agent"]
    graph = api.post("/execution/workflows/graph/Fork/run", {"initial_input": {"a": [1]}, "session_id": "fork"}).done()
    assert set(graph["node_results"]) == {"a", "b"}
    custom = api.post("/execution/workflows/custom/Echo/run", {"initial_input": "Go", "session_id": "echo"}).done()
    assert custom["status"] == "completed"

    listed = api.get("/execution/history?workflow_name=Two%20Steps").done()["sessions"]
    assert [session["session_id"] for session in listed] == ["workflow-steps"]
    assert listed[0]["agents_involved"] == {"workflow-steps-0": "Plain Agent", "workflow-steps-1": "Plain Agent"}
    assert api.get("/execution/history/workflow-steps").done()["execution_result"]["final_output"] == result["final_output"]
    for name in ("workflow-steps", "workflow-fork", "workflow-echo"):
        assert api.delete(f"/execution/history/{name}").status == 204
    assert api.get("/execution/history").done()["total"] == 0


def test_pages_by_cursor_and_by_offset_show_every_session_once(api: Client) -> None:
    for number in range(7):
        api.post("/execution/agents/Plain%20Agent/run", {"user_message": "x", "session_id": f"page-{number}"}).done()
    api.post("/execution/history/page-3/tags", {"add": ["kept", "twice"]}).done()
    assert api.post("/execution/history/page-3/tags", {"remove": ["twice"]}).done()["tags"] == ["kept"]

    by_cursor, after = [], ""
    while after is not None:
        page = api.get(f"/execution/history?limit=3{after and f'&after={after}'}").done()
        by_cursor += [session["session_id"] for session in page["sessions"]]
        after = page["next"]
    by_offset = [
        session["session_id"]
        for offset in range(0, 9, 3)
        for session in api.get(f"/execution/history?limit=3&offset={offset}").done()["sessions"]
    ]
    assert by_cursor == by_offset == [f"agent-page-{number}" for number in reversed(range(7))]
    assert api.get("/execution/history?offset=1000000").done()["sessions"] == []
    assert [session["session_id"] for session in api.get("/execution/history?tag=kept").done()["sessions"]] == ["agent-page-3"]
    api.get("/execution/history?after=nonsense").refused(422, "invalid_value")

    assert api.post("/execution/history/cleanup?days=365&max_sessions=2").done()["deleted"] == 5
    assert api.post("/execution/history/cleanup?days=0&max_sessions=0").done()["deleted"] == 2


def test_a_stream_tells_the_run_in_the_events_that_clients_know(api: Client) -> None:
    with api.stream("/execution/agents/Tool%20Agent/stream", {"user_message": "Weather in Paris?", "session_id": "told"}) as stream:
        assert stream.response.getheader("content-type") == "text/event-stream; charset=utf-8"
        events = list(stream.events())
    assert events[0] == {"type": "session_info", "data": {"session_id": "agent-told"}}
    assert events[-1] == {"type": "llm_response_stop", "data": {"status": "success", "reason": "turn_complete"}}
    kinds = [event["type"] for event in events]
    assert kinds.index("tool_call") < kinds.index("tool_output") < len(kinds) - 1
    answer = "".join(event["data"]["content"] for event in events if event["type"] == "llm_response")
    assert answer == api.get("/execution/history/told").done()["execution_result"]["final_response"]["content"]
    api.delete("/execution/history/told")

    with api.stream("/execution/workflows/linear/Two%20Steps/stream", {"initial_input": "Go", "session_id": "told"}) as stream:
        assert [event["type"] for event in stream.events()][-1] == "workflow_stop"
    api.delete("/execution/history/told")


def test_a_client_that_hangs_up_cancels_its_stream(api: Client) -> None:
    with api.stream("/execution/agents/Slow%20Agent/stream", {"user_message": "Wait", "session_id": "left"}) as stream:
        for event in stream.events():
            if event["type"] == "tool_call":
                break
    session = wait_for_status(api, "agent-left", "cancelled")
    assert session["message_count"] >= 2
    api.delete("/execution/history/left")


def test_a_client_that_hangs_up_cancels_its_run(api: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=60)
    api.send(connection, "POST", "/execution/workflows/custom/Slow/run", {"initial_input": 60, "session_id": "left"})
    wait_for_status(api, "workflow-left", "running")
    connection.close()
    wait_for_status(api, "workflow-left", "cancelled")
    assert api.get("/execution/status").done()["runs_under_way"] == 0
    api.delete("/execution/history/left")


def test_errors_of_runs_are_told_in_both_ways_that_clients_read(api: Client) -> None:
    body = api.post("/execution/agents/Nobody/run", {"user_message": "x"}).refused(404, "component_not_found")
    assert body["error"]["error_type"] == "ComponentNotFoundError"
    assert "Nobody" in body["error"]["message"]
    failed = api.post("/execution/llms/no%20key/test")
    assert failed.status == 500
    assert failed.json()["status"] == "error"
    assert "A_KEY_THAT_IS_NOT_SET" in failed.json()["error"]["message"]
    assert Client(api.port, None).post("/execution/agents/x/run").json()["error"]["error_type"] == "unauthorized"


def test_a_stopped_service_finishes_the_runs_that_end_in_time(start_service: Callable[..., Service]) -> None:
    service = start_service("sqlite", AURITE_API_GRACE="20")
    connection = http.client.HTTPConnection("127.0.0.1", service.client.port, timeout=60)
    service.client.send(connection, "POST", "/execution/workflows/custom/Slow/run", {"initial_input": 1.5, "session_id": "last"})
    wait_for_status(service.client, "workflow-last", "running")
    service.terminate()
    response = connection.getresponse()

    assert response.status == 200
    assert b'"completed"' in response.read()
    connection.close()
    service.ended()
    service.start()
    assert session_of(service.client, "workflow-last")["status"] == "completed"
    service.stop()


def test_a_stopped_service_cancels_what_takes_longer_and_its_session_is_whole(start_service: Callable[..., Service]) -> None:
    service = start_service("sqlite", AURITE_API_GRACE="0")
    connection = http.client.HTTPConnection("127.0.0.1", service.client.port, timeout=60)
    service.client.send(connection, "POST", "/execution/workflows/custom/Slow/run", {"initial_input": 600, "session_id": "long"})
    wait_for_status(service.client, "workflow-long", "running")
    wait_for_status(service.client, "workflow-long-0", "completed")
    service.terminate()
    service.ended(20)
    connection.close()

    assert "Traceback" not in service.log
    service.start()
    assert session_of(service.client, "workflow-long")["status"] == "cancelled"
    step = service.client.get("/execution/history/workflow-long-0").done()
    assert step["execution_result"]["status"] == "success"
    assert step["execution_result"]["final_response"]["role"] == "assistant"
    service.stop()


def test_a_tool_call_is_answered_and_its_errors_are_told(files_api: Client) -> None:
    files_api.post("/tools/register/tools").done()
    answer = files_api.post("/tools/tools-weather/call", {"args": {"city": "Rome"}}).done()
    assert answer["content"][0]["text"] == "It rains in Rome."
    wrong = files_api.post("/tools/tools-weather/call", {"args": {"town": "Rome"}}).done()
    assert wrong["isError"] is True
    assert files_api.get("/tools/tools-weather").done()["inputSchema"]["required"] == ["city"]
    assert files_api.get("/tools/status").done()["tool_count"] == 2
    assert len(files_api.get("/system/monitoring/active").done()) >= 2
    files_api.delete("/tools/servers/tools").done()
    assert files_api.get("/tools/").done() == []
