"""A session as clients of 0.4 know it: the document of ``GET /execution/history/{session_id}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aurite.model.jsontext import JsonValue, decode
from aurite.model.messages import Document, calls_of
from aurite.model.records import Message, Run, Session

LEGACY_VERSION = "0.4"
"""Under the key ``recorded_by`` of a run's result: the run was taken over from 0.4, and the result is a legacy result."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AGENT_STATUS = {"completed": "success", "max_iterations_reached": "max_iterations_reached"}


@dataclass(frozen=True, slots=True)
class Step:
    """A session that ran as a step of a workflow, with its messages and runs, both oldest first."""

    session: Session
    messages: Sequence[Message]
    runs: Sequence[Run]


def history_document(session: Session, messages: Sequence[Message], runs: Sequence[Run], steps: Sequence[Step] = ()) -> Document:
    """``result_type``, ``execution_result`` and ``metadata`` of a session.

    A session that was taken over from 0.4 gives back the document that 0.4 kept, until it is continued.

    Args:
        messages: all of the session, oldest first.
        runs: the same.
        steps: where it is a workflow, the sessions below it, those of workflows inside it included, in the order of their making.
    """
    last = runs[-1] if runs else None
    legacy = _legacy_result(last)
    if legacy is None:
        result = _workflow_result(session, last, steps) if session.kind == "workflow" else _agent_result(session, messages, last)
        return {"result_type": session.kind, "execution_result": result, "metadata": _metadata(session, messages, steps)}
    metadata = _metadata(session, messages, steps)
    metadata |= {key: legacy[key] for key in ("message_count", "agents_involved", "is_workflow", "base_session_id")}
    return {
        "result_type": legacy["result_type"],
        "execution_result": with_conversation(legacy["execution_result"], messages),
        "metadata": metadata,
    }


def with_conversation(result: JsonValue, messages: Sequence[Message]) -> JsonValue:
    """A result of 0.4 with the messages that were taken out of it put back in their place."""
    if isinstance(result, dict) and result.get("conversation_history") == []:
        return result | {"conversation_history": [decode(message.document) for message in messages]}
    return result


def written_by_0_4(instant: int) -> str:
    """An instant as 0.4 writes it: UTC, without saying so."""
    return (_EPOCH + timedelta(microseconds=instant)).replace(tzinfo=None).isoformat()


def _legacy_result(run: Run | None) -> dict[str, JsonValue] | None:
    result = decode(run.result) if run and run.result else None
    return result if isinstance(result, dict) and result.get("recorded_by") == LEGACY_VERSION else None


def _metadata(session: Session, messages: Sequence[Message], steps: Sequence[Step]) -> Document:
    return {
        "session_id": session.session_id,
        "name": session.name,
        "created_at": written_by_0_4(session.created_at),
        "last_updated": written_by_0_4(session.active_at),
        "message_count": len(messages) + sum(len(step.messages) for step in steps),
        "is_workflow": session.kind == "workflow",
        "agents_involved": {step.session.session_id: step.session.name for step in steps if step.session.kind == "agent"} or None,
        "base_session_id": session.base_session_id,
    }


def _agent_result(session: Session, messages: Sequence[Message], run: Run | None) -> Document:
    history: list[Document] = [decode(message.document) for message in messages]
    final = history[-1] if history and history[-1].get("role") == "assistant" and not calls_of(history[-1]) else None
    return {
        "status": _AGENT_STATUS.get(session.status, "error"),
        "final_response": final,
        "conversation_history": history,
        "error_message": run.error if run else None,
        "session_id": session.session_id,
        "agent_name": session.name,
    }


def _workflow_result(session: Session, run: Run | None, steps: Sequence[Step]) -> Document:
    known = decode(run.result) if run and run.result else None
    document: Document = {
        "workflow_name": session.name,
        "status": "completed" if session.status == "completed" else "failed",
    }
    document |= _step_results(session, known if isinstance(known, dict) else {}, steps)
    return document | {
        "final_output": known.get("final_output") if isinstance(known, dict) else None,
        "error": run.error if run else None,
        "session_id": session.session_id,
    }


def _step_results(session: Session, known: Document, steps: Sequence[Step]) -> Document:
    """The results of a workflow's steps by what its run noted of them; of all its steps where it came to no end."""
    by_id = {step.session.session_id: step for step in steps}
    noted = known.get("node_results")
    if isinstance(noted, dict):
        results: Document = {
            node_id: {"name": node.get("name"), "type": node.get("type"), "result": _result_of(node, by_id, steps)}
            for node_id, node in noted.items()
            if isinstance(node, dict)
        }
        return {"node_results": results}
    noted = known.get("step_results")
    if not isinstance(noted, list):
        noted = [
            {"step_name": step.session.name, "step_type": step.session.kind, "session_id": step.session.session_id}
            for step in steps
            if step.session.parent_session_id == session.session_id
        ]
    told: list[JsonValue] = [
        {
            "step_name": step.get("step_name"),
            "step_type": step.get("step_type"),
            "result": _result_of(step, by_id, steps),
        }
        for step in noted
        if isinstance(step, dict)
    ]
    return {"step_results": told}


def _result_of(noted: Document, by_id: Mapping[str, Step], steps: Sequence[Step]) -> JsonValue:
    """What a step gave back, out of its own session; None where that was not kept, or is deleted."""
    step = by_id.get(str(noted.get("session_id")))
    if step is None:
        return None
    last = step.runs[-1] if step.runs else None
    if step.session.kind == "workflow":
        return _workflow_result(step.session, last, steps)
    return _agent_result(step.session, step.messages, last)
