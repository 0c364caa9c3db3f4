"""Picking the MCP servers of a run by asking the model which of them the message needs."""

from __future__ import annotations

import json

from pydantic_ai import Agent, ModelRetry
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.models import Model
from pydantic_ai.usage import RunUsage

from aurite.model.jsontext import JsonValue, decode
from aurite.runtime.failures import run_error
from aurite.runtime.plan import Plan
from aurite.runtime.structured import MisfitError, fitting_answer, instruction

_TASK = (
    "You choose the servers whose tools are needed to answer the user's message. Choose none where no tool is needed, and no more "
    "than are needed. The servers, with what they say of themselves:\n"
)
_RETRIES = 2


async def pick_servers(plan: Plan, model: Model, message: str) -> tuple[tuple[str, ...], RunUsage]:
    """The names that the model picked out of the plan's choices, in their order, and what the question cost.

    Raises:
        ModelError: the provider failed, or the model named servers that there are not, again and again.
    """
    usage = RunUsage()
    schema = _schema(plan)
    listing = "\n".join(f"- {json.dumps(choice.name)}: {choice.description or '(nothing)'}" for choice in plan.choices)
    agent: Agent[object, str] = Agent(
        model,
        name=plan.name,
        instructions=[_TASK + listing, instruction(schema)],
        model_settings=plan.llm.model_settings(),
        retries=_RETRIES,
    )

    @agent.output_validator
    def fits(answer: str) -> str:
        try:
            return fitting_answer(answer, schema)
        except MisfitError as error:
            raise ModelRetry(str(error)) from error

    try:
        result = await agent.run(message, usage=usage)
    except (AgentRunError, UserError) as error:
        failure = run_error(error, plan.llm)
        raise failure from failure.__cause__
    picked = decode(result.output)["servers"]
    return tuple(choice.name for choice in plan.choices if choice.name in picked), usage


def _schema(plan: Plan) -> JsonValue:
    names: JsonValue = [choice.name for choice in plan.choices]
    return {
        "type": "object",
        "properties": {"servers": {"type": "array", "items": {"enum": names}}},
        "required": ["servers"],
        "additionalProperties": False,
    }
