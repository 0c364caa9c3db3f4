"""A session is told to clients of 0.4 as they know it, whoever recorded it."""

from __future__ import annotations

import json
from typing import Any

from aurite.model.history import history_document, written_by_0_4
from aurite.model.records import Message, Run, Session

NOON = 1_748_779_200_123_456


def session(**fields: Any) -> Session:
    known: dict[str, Any] = {
        "session_id": "agent-x",
        "base_session_id": "agent-x",
        "parent_session_id": None,
        "kind": "agent",
        "name": "Weather Agent",
        "status": "completed",
        "title": None,
        "message_count": 2,
        "created_at": NOON,
        "active_at": NOON + 1,
    }
    return Session(**{**known, **fields})


def run(run_id: str, *, status: str = "completed", error: str | None = None, result: str | None = None) -> Run:
    return Run(run_id, "agent-x", status, NOON, NOON, error, result, None, None)


def messages(*documents: Any) -> list[Message]:
    return [
        Message("agent-x", seq, document["role"], json.dumps(document), None, None, None, NOON)
        for seq, document in enumerate(documents, start=1)
    ]


ASKED = {"role": "user", "content": "Rain?"}
CALLED = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "w"}}]}
SAID = {"role": "assistant", "content": "Yes"}
OF_0_4 = {
    "recorded_by": "0.4",
    "result_type": "agent",
    "is_workflow": False,
    "message_count": 9,
    "agents_involved": None,
    "base_session_id": None,
    "execution_result": {"status": "success", "conversation_history": [], "final_response": {"refusal": None}, "exception": None},
}


def test_a_session_of_an_agent_is_told_from_its_messages() -> None:
    assert history_document(session(), messages(ASKED, SAID), [run("one")]) == {
        "result_type": "agent",
        "execution_result": {
            "status": "success",
            "final_response": SAID,
            "conversation_history": [ASKED, SAID],
            "error_message": None,
            "session_id": "agent-x",
            "agent_name": "Weather Agent",
        },
        "metadata": {
            "session_id": "agent-x",
            "name": "Weather Agent",
            "created_at": "2025-06-01T12:00:00.123456",
            "last_updated": "2025-06-01T12:00:00.123457",
            "message_count": 2,
            "is_workflow": False,
            "agents_involved": None,
            "base_session_id": "agent-x",
        },
    }


def test_a_run_that_failed_says_why_and_has_no_final_response() -> None:
    failed = run("one", status="failed", error="429")
    told = history_document(session(status="failed"), messages(ASKED, CALLED), [failed])["execution_result"]
    assert (told["status"], told["error_message"], told["final_response"]) == ("error", "429", None)


def test_a_session_that_was_taken_over_gives_back_its_document_until_it_is_continued() -> None:
    old = run("agent-x", result=json.dumps(OF_0_4))
    told = history_document(session(), messages(ASKED, SAID), [old])
    assert list(told["execution_result"].items()) == [
        ("status", "success"),
        ("conversation_history", [ASKED, SAID]),
        ("final_response", {"refusal": None}),
        ("exception", None),
    ]
    assert (told["metadata"]["message_count"], told["metadata"]["base_session_id"]) == (9, None)
    told = history_document(session(), messages(ASKED, SAID, ASKED, SAID), [old, run("two")])
    assert told["execution_result"]["conversation_history"] == [ASKED, SAID, ASKED, SAID]
    assert "exception" not in told["execution_result"]
    assert told["metadata"]["message_count"] == 4


def test_instants_are_written_in_utc_as_0_4_did() -> None:
    assert written_by_0_4(NOON) == "2025-06-01T12:00:00.123456"
    assert written_by_0_4(1_748_779_200_000_000) == "2025-06-01T12:00:00"
