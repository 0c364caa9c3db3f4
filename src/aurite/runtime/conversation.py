"""One run: the user's message, the model's answers and the tools' results, until the model is done.

pydantic-ai asks the model and calls the tools; here each message is stored when it is complete and told to whoever listens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pydantic_ai
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.agent import AgentRun, CallToolsNode, ModelRequestNode
from pydantic_ai.exceptions import AgentRunError, UsageLimitExceeded, UserError
from pydantic_ai.messages import (
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelMessage,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    RetryFeedbackPart,
    TextPart,
    TextPartDelta,
)
from pydantic_ai.models import Model
from pydantic_ai.usage import RunUsage, UsageLimits

from aurite.errors import AuriteError, InvalidValueError, McpServerError
from aurite.model import messages as documents
from aurite.model.jsontext import JsonValue, decode
from aurite.model.records import Message
from aurite.runtime import results, transcript
from aurite.runtime.failures import run_error
from aurite.runtime.plan import Plan
from aurite.runtime.recorder import Recorder
from aurite.runtime.results import AgentRunResult, AgentStatus, Event
from aurite.runtime.stream import Emit
from aurite.runtime.structured import MisfitError, fitting_answer, instruction
from aurite.runtime.toolset import McpToolset

pydantic_ai.BANNER_ENABLED = False

_RETRIES = 3
"""How often a model may correct a call or an answer that cannot be used."""

_REASONS: Mapping[AgentStatus, str] = {"success": "turn_complete", "max_iterations_reached": "max_iterations"}
"""Why the stream of a run stops, in 0.4's words."""


class Conversation:
    """One run of an agent, from the user's message on."""

    def __init__(
        self,
        plan: Plan,
        model: Model,
        toolset: McpToolset,
        recorder: Recorder,
        emit: Emit | None,
        *,
        failures: Sequence[McpServerError] = (),
        spent: RunUsage | None = None,
    ) -> None:
        self._plan = plan
        self._failures = failures
        self._spent = spent or RunUsage()
        self._toolset = toolset
        self._recorder = recorder
        self._emit = emit
        self._model = model
        self._agent = _agent(plan, model, toolset)
        self._answering: Callable[[], ModelResponse] | None = None
        self._usage = RunUsage()

    async def run(self, message: str) -> AgentRunResult:
        """The result, once all of it is stored.

        Raises:
            ModelError: the provider refused or failed.
            McpServerError: a server died and did not start again.
            StorageError: a message could not be stored.
        """
        stored = await self._stored()
        known = [item for item in stored if item.role != "system"] if self._plan.sees_history else []
        shown = transcript.replay(known, self._plan.llm.native_provider, self._toolset.names)
        async with self._recorder.running(self._opening(stored, message)):
            self._tell(results.session_info(self._recorder.session_id))
            self._tell_failures()
            try:
                status, text = await self._recorded(message, shown)
            except AuriteError as error:
                self._tell(results.error(str(error)))
                raise
        self._tell(results.llm_response_stop(status, _REASONS[status]))
        said = [document for document in self._recorder.documents if document["role"] != "system"]
        last = next((item for item in reversed(said) if item["role"] == "assistant"), None)
        return AgentRunResult(
            agent_name=self._plan.agent.name,
            status=status,
            final_response=documents.assistant(text) if text is not None else last,
            conversation_history=(*self._told_first(), *(decode(item.document) for item in known), *said),
            session_id=self._recorder.session_id,
            error_message=None if status == "success" else f"stopped after {self._plan.agent.max_iterations} requests to the model",
        )

    async def _stored(self) -> list[Message]:
        """What of the session this run needs to know."""
        if self._plan.sees_history:
            return await self._recorder.stored()
        return [] if self._plan.system_prompt is None else await self._recorder.edges()

    async def _recorded(self, message: str, shown: list[ModelMessage]) -> tuple[AgentStatus, str | None]:
        try:
            return await self._converse(message, shown)
        except (AgentRunError, UserError) as error:
            failure = run_error(error, self._plan.llm)
            raise failure from failure.__cause__
        finally:
            self._recorder.used(_usage_document(self._spent + self._usage))
            await self._keep_cut_off_text()

    def _tell_failures(self) -> None:
        """Which servers the run does without: told, and kept with it."""
        for failure in self._failures:
            self._tell(results.server_failed(str(failure)))
        if self._failures:
            self._recorder.returned({"failed_servers": [str(failure) for failure in self._failures]})

    def _opening(self, stored: list[Message], message: str) -> list[transcript.Entry]:
        """What the run begins with: the system prompt where the session does not have it yet, and the user's message."""
        told = next((documents.text_of(decode(item.document)) for item in reversed(stored) if item.role == "system"), None)
        prompt = self._plan.system_prompt
        entries = [] if prompt is None or prompt == told else [transcript.system_entry(prompt)]
        return [*entries, transcript.user_entry(message)]

    def _told_first(self) -> list[documents.Document]:
        return [] if self._plan.system_prompt is None else [documents.system(self._plan.system_prompt)]

    async def _converse(self, message: str, shown: list[ModelMessage]) -> tuple[AgentStatus, str | None]:
        limits = UsageLimits(request_limit=self._plan.agent.max_iterations)
        try:
            async with (
                self._model,  # gives its connections back
                self._agent.iter(message, message_history=shown, usage_limits=limits, usage=self._usage) as run,
            ):
                async for node in run:
                    if isinstance(node, ModelRequestNode):
                        await self._ask(node, run)
                    elif isinstance(node, CallToolsNode):
                        await self._use_tools(node, run)
        except UsageLimitExceeded:
            self._recorder.ended("max_iterations_reached")
            return "max_iterations_reached", None
        return "success", run.result.output if run.result is not None else None

    async def _ask(self, node: ModelRequestNode[object, str], run: AgentRun[object, str]) -> None:
        for part in node.request.parts:
            if isinstance(part, RetryFeedbackPart):
                await self._recorder.add(transcript.feedback_entry(part))
        if self._emit is None:
            return  # the loop asks by itself, without streaming
        self._tell(results.llm_response_start())
        async with node.stream(run.ctx) as stream:
            self._answering = lambda: stream.response
            async for event in stream:
                match event:
                    case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)) if (
                        text
                    ):
                        self._tell(results.llm_response(text))
                    case _:
                        pass
        self._answering = None

    async def _use_tools(self, node: CallToolsNode[object, str], run: AgentRun[object, str]) -> None:
        if node.model_response.parts:
            await self._recorder.add(transcript.assistant_entry(node.model_response, self._toolset.names))
        async with node.stream(run.ctx) as events:
            async for event in events:
                if isinstance(event, FunctionToolCallEvent):
                    shown = self._toolset.names.shown(event.part.tool_name)
                    self._tell(results.tool_call(shown, _arguments(event.part.args)))
                elif isinstance(event, FunctionToolResultEvent):
                    await self._recorder.add(transcript.tool_entry(event.part, self._toolset.names))
                    shown = self._toolset.names.shown(event.part.tool_name)
                    self._tell(results.tool_output(shown, transcript.told(event.part)))

    async def _keep_cut_off_text(self) -> None:
        if self._answering is not None:
            entry = transcript.interrupted_entry(self._answering())
            if entry is not None:
                await self._recorder.add(entry)

    def _tell(self, event: Event) -> None:
        if self._emit is not None:
            self._emit(event)


def _agent(plan: Plan, model: Model, toolset: McpToolset) -> Agent[object, str]:
    schema = plan.agent.config_validation_schema
    told = [plan.system_prompt, instruction(schema) if schema is not None else None]
    agent: Agent[object, str] = Agent(
        model,
        name=plan.agent.name,
        instructions=[text for text in told if text],
        model_settings=plan.llm.model_settings(),
        toolsets=[toolset],
        retries=_RETRIES,
    )
    if schema is not None:

        @agent.output_validator
        def fits(answer: str) -> str:
            try:
                return fitting_answer(answer, schema)
            except MisfitError as error:
                raise ModelRetry(str(error)) from error

    return agent


def _arguments(args: str | dict[str, Any] | None) -> JsonValue:
    """A call's arguments as a value; the text itself where the model wrote something that is not JSON."""
    if not isinstance(args, str):
        return args or {}
    try:
        return decode(args or "{}")
    except InvalidValueError:
        return args


def _usage_document(usage: RunUsage) -> dict[str, JsonValue]:
    return {
        "requests": usage.requests,
        "tool_calls": usage.tool_calls,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
    }
