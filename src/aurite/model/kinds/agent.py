"""Agents: an LLM with a prompt, tools and a history."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from aurite.model.kinds._base import ComponentModel, Name


class Model(ComponentModel):
    """An agent: which LLM it asks, what it is told, which tools it has."""

    type: Literal["agent"] = "agent"
    llm_config_id: Name | None = Field(None, description="Name of the llm component to ask.")
    llm: dict[str, Any] | None = Field(
        None, description="Fields that override those of the llm component; with provider and model in it, an LLM of its own."
    )
    model: str | None = Field(None, description="Overrides the model of the llm.")
    temperature: float | None = Field(None, ge=0, description="Overrides the temperature of the llm.")
    max_tokens: int | None = Field(None, gt=0, description="Overrides the token limit of the llm.")
    system_prompt: str | None = Field(None, description="Told to the model before the conversation.")
    mcp_servers: list[Name] = Field(default_factory=list, description="Names of the MCP servers whose tools it may use.")
    mcp_failure: Literal["fail", "continue"] = Field(
        "fail", description="Where an MCP server does not start: `fail` the run, or `continue` without its tools."
    )
    exclude_components: list[str] = Field(
        default_factory=list, description="Names of tools that it may not use, bare or as `server-tool`."
    )
    max_iterations: int = Field(50, gt=0, description="How many times the model is asked before the run stops.")
    include_history: bool | None = Field(
        None,
        description="`true`: the model sees the session so far. Not set: sessions are kept, the model sees the new message alone, "
        "save in a talk on the terminal. `false`: nothing is kept.",
    )
    auto: bool = Field(
        False, description="Let its LLM pick MCP servers for each message, out of all that there are, besides those in mcp_servers."
    )
    config_validation_schema: dict[str, Any] | None = Field(
        None, description="JSON Schema that the final answer must fit (structured output)."
    )
    evaluation: str | None = Field(None, description="Name of an evaluation, or of a file with one.")
