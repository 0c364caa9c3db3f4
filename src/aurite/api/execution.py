"""``/execution``: runs of agents and workflows."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from aurite.api.connected import EventStream, while_connected
from aurite.api.errors import status_of
from aurite.api.json import ExactRoute, Json
from aurite.api.models import AgentResult, AgentRun, LlmTest, Ok, WorkflowResult, WorkflowRun
from aurite.api.names import Name
from aurite.api.refusals import refusals
from aurite.api.service import Served
from aurite.errors import RunError
from aurite.runtime.results import Event

router = APIRouter(prefix="/execution", tags=["Execution Facade"], route_class=ExactRoute)

WorkflowKind = Literal["linear", "graph", "custom"]
_REFUSED = refusals(404, 409, of_a_run=True)
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}, "description": "The events of the run"}}


@router.get("/status", response_model=Ok, responses=refusals())
async def status(service: Served) -> Response:
    """Say that runs are taken, and how many are under way in this process."""
    return Json({"status": "active", "runs_under_way": service.runs_under_way})


@router.post("/agents/{agent_name:name}/run", response_model=AgentResult, responses=_REFUSED)
async def run_agent(agent_name: Name, body: AgentRun, service: Served, request: Request) -> Response:
    """Run an agent; it is cancelled where the client goes away."""

    async def work() -> dict[str, Any]:
        async with service.run("agent"):
            result = await service.aurite.run_agent(
                agent_name, body.user_message, system_prompt=body.system_prompt, session_id=body.session_id
            )
            return result.to_dict()

    return Json(await while_connected(request, work()))


@router.post("/agents/{agent_name:name}/stream", response_class=Response, responses={**_REFUSED, **_STREAM})
async def stream_agent(agent_name: Name, body: AgentRun, service: Served) -> Response:
    """Run an agent and tell what happens as server-sent events; it is cancelled where the client goes away."""

    async def events() -> AsyncGenerator[Event, None]:
        async with service.run("agent"):
            stream = service.aurite.stream_agent(
                agent_name, body.user_message, system_prompt=body.system_prompt, session_id=body.session_id
            )
            async with aclosing(stream) as told:
                async for event in told:
                    yield event

    return await _streamed(events())


@router.post("/agents/{agent_name:name}/test", response_model=Ok, responses=_REFUSED)
async def test_agent(agent_name: Name, service: Served, request: Request) -> Response:
    """Look whether an agent could run: its llm, the llm's key, and its servers, which are started for a moment."""

    async def work() -> dict[str, Any]:
        plan = await (await service.trials()).agent(agent_name)
        servers = [server.name for server in plan.servers]
        return {"status": "ok", "agent_name": agent_name, "llm": plan.llm.name, "mcp_servers": servers}

    return Json(await while_connected(request, work()))


@router.post("/llms/{llm_config_id:name}/test", response_model=LlmTest, responses=_REFUSED)
async def test_llm(llm_config_id: Name, service: Served, request: Request) -> Response:
    """Ask an llm for a short answer."""

    async def work() -> dict[str, Any]:
        llm = await (await service.trials()).llm(llm_config_id)
        asked = {field: llm.settings[field] for field in ("temperature", "max_tokens") if field in llm.settings}
        metadata = {"provider": llm.provider.name, "model": llm.model, **asked}
        return {"status": "success", "llm_config_id": llm_config_id, "metadata": metadata}

    try:
        return Json(await while_connected(request, work()))
    except RunError as error:
        return _llm_failed(error, llm_config_id)


@router.post("/workflows/{kind}/{workflow_name:name}/run", response_model=WorkflowResult, responses=_REFUSED)
async def run_workflow(kind: WorkflowKind, workflow_name: Name, body: WorkflowRun, service: Served, request: Request) -> Response:
    """Run a workflow; it is cancelled where the client goes away."""

    async def work() -> dict[str, Any]:
        async with service.run("workflow"):
            result = await service.aurite.run_workflow(
                workflow_name, body.initial_input, type=f"{kind}_workflow", session_id=body.session_id
            )
            return result.to_dict()

    return Json(await while_connected(request, work()))


@router.post("/workflows/{kind}/{workflow_name:name}/stream", response_class=Response, responses={**_REFUSED, **_STREAM})
async def stream_workflow(kind: WorkflowKind, workflow_name: Name, body: WorkflowRun, service: Served) -> Response:
    """Run a workflow and tell what happens as server-sent events, those of its agents with their `step`."""

    async def events() -> AsyncGenerator[Event, None]:
        async with service.run("workflow"):
            stream = service.aurite.stream_workflow(
                workflow_name, body.initial_input, type=f"{kind}_workflow", session_id=body.session_id
            )
            async with aclosing(stream) as told:
                async for event in told:
                    yield event

    return await _streamed(events())


@router.post("/workflows/{kind}/{workflow_name:name}/test", response_model=Ok, responses=_REFUSED)
@router.post("/workflows/{kind}/{workflow_name:name}/validate", response_model=Ok, responses=_REFUSED)
async def check_workflow(kind: WorkflowKind, workflow_name: Name, service: Served) -> Response:
    """Look whether a workflow could run: its steps and theirs, and the class of a custom one."""
    plan = await (await service.trials()).workflow(f"{kind}_workflow", workflow_name)
    return Json({"status": "ok", "workflow_name": plan.name, "type": plan.type})


async def _streamed(events: AsyncGenerator[Event, None]) -> Response:
    """The stream, once the run has begun; until then a refusal can still be told by its status."""
    first = await anext(events, None)
    if first is None:
        raise RunError("the run ended before it had begun")
    return EventStream(first, events)


def _llm_failed(error: RunError, llm_config_id: str) -> Response:
    return Json(
        {
            "status": "error",
            "llm_config_id": llm_config_id,
            "error": {"message": error.message, "error_type": type(error).__name__, "details": {}},
            "detail": str(error),
            "code": error.code,
        },
        status_of(error),
    )
