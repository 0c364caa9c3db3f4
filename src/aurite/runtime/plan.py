"""What a run of an agent needs, all of it looked up and checked before anything is started or stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aurite.errors import ComponentNotFoundError, InvalidComponentError, McpServerError
from aurite.model.jsontext import JsonValue
from aurite.runtime.llm import Llm, agent_of, resolve
from aurite.runtime.servers import Server, describe

if TYPE_CHECKING:
    from aurite.config.manager import ConfigManager
    from aurite.model.kinds import agent as agent_kind
    from aurite.settings import Settings


@dataclass(frozen=True, slots=True)
class Choice:
    """A server that an LLM may pick."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One agent, ready to run."""

    agent: agent_kind.Model
    llm: Llm
    servers: tuple[Server, ...]
    system_prompt: str | None
    include_history: bool | None = None
    """The agent's own, or that of the workflow it is a step of."""
    failures: tuple[McpServerError, ...] = ()
    """Servers that cannot be started as described, and that the run goes on without."""
    choices: tuple[Choice, ...] = ()
    """Servers that the LLM may pick besides."""

    @property
    def goes_on_without_servers(self) -> bool:
        """Whether a server that does not start leaves the run to do without its tools."""
        return self.agent.mcp_failure == "continue"

    @property
    def name(self) -> str:
        return self.agent.name

    @property
    def is_kept(self) -> bool:
        """Whether runs are stored in a session."""
        return self.include_history is not False

    @property
    def sees_history(self) -> bool:
        """Whether the model is shown the session so far."""
        return self.include_history is True


def make_plan(
    config: ConfigManager,
    settings: Settings,
    agent_name: str,
    *,
    system_prompt: str | None = None,
    include_history: bool | None = None,
) -> Plan:
    """The plan for a run.

    Args:
        config: where the agent and what it names are looked up.
        settings: where keys come from.
        agent_name: which agent.
        system_prompt: replaces the agent's own.
        include_history: holds where the agent does not say otherwise.

    Raises:
        ComponentNotFoundError: the agent, its llm or one of its servers is not there.
        InvalidComponentError: one of them does not fit its type.
        RunError: the llm's provider is unknown or its key is missing, or a server cannot be started as described.
    """
    agent = agent_of(config.require_config("agent", agent_name))
    _check_answer_schema(agent)
    llm = resolve(agent, _llm_document(config, agent), settings)
    servers, failures = servers_of(config, settings, agent, tuple(dict.fromkeys(agent.mcp_servers)))
    return Plan(
        agent=agent,
        llm=llm,
        servers=servers,
        system_prompt=next((text for text in (system_prompt, agent.system_prompt, llm.default_system_prompt) if text), None),
        include_history=include_history if agent.include_history is None else agent.include_history,
        failures=failures,
        choices=_choices(config, agent) if agent.auto else (),
    )


def servers_of(
    config: ConfigManager, settings: Settings, agent: agent_kind.Model, names: Sequence[str]
) -> tuple[tuple[Server, ...], tuple[McpServerError, ...]]:
    """How the servers of these names are reached, and what keeps others from it where the agent goes on without them.

    Raises:
        ComponentNotFoundError, InvalidComponentError, McpServerError.
    """
    servers: list[Server] = []
    failures: list[McpServerError] = []
    for name in names:
        try:
            servers.append(_server(config, settings, agent.name, name))
        except McpServerError as error:
            if agent.mcp_failure == "fail":
                raise
            failures.append(error)
    return tuple(servers), tuple(failures)


def _choices(config: ConfigManager, agent: agent_kind.Model) -> tuple[Choice, ...]:
    return tuple(
        Choice(component.name, str(component.config().get("description") or ""))
        for component in config.components("mcp_server")
        if component.name not in agent.mcp_servers
    )


def _check_answer_schema(agent: agent_kind.Model) -> None:
    from aurite.runtime.schemas import fault

    schema = agent.config_validation_schema
    if schema is not None and (reason := fault(schema)):
        raise InvalidComponentError(
            f"agent {agent.name!r} has a config_validation_schema that is no JSON Schema: {reason}", next_step="Correct the schema."
        )


def _llm_document(config: ConfigManager, agent: agent_kind.Model) -> dict[str, JsonValue] | None:
    if agent.llm_config_id is None:
        if {"provider", "model"} <= (agent.llm or {}).keys():
            return None
        raise InvalidComponentError(
            f"agent {agent.name!r} names no llm", next_step="Set llm_config_id, or llm with a provider and a model."
        )
    document: dict[str, JsonValue] | None = config.get_config("llm", agent.llm_config_id)
    if document is None:
        raise ComponentNotFoundError(
            f"agent {agent.name!r} names the llm {agent.llm_config_id!r}, which is not there", next_step="See: aurite list llms"
        )
    return document


def _server(config: ConfigManager, settings: Settings, agent: str, name: str) -> Server:
    component = config.get_component("mcp_server", name)
    if component is None:
        raise ComponentNotFoundError(
            f"agent {agent!r} names the MCP server {name!r}, which is not there", next_step="See: aurite list mcp_servers"
        )
    return describe(component, settings, config.base_folder)
