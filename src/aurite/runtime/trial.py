"""Trying what is configured without keeping anything: an llm is asked once, an agent's servers are started, plans are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aurite.errors import ModelError
from aurite.model.kinds import kind_of
from aurite.runtime.llm import Llm, resolve
from aurite.runtime.mcp import Connections
from aurite.runtime.plan import Plan, make_plan
from aurite.runtime.workflow_plan import Planner, WorkflowPlan

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from aurite.config.manager import ConfigManager
    from aurite.model.kinds import agent as agent_kind
    from aurite.runtime.bridge import Bridge
    from aurite.settings import Settings
    from aurite.storage.ports import SessionStore

_MESSAGE = "Say hello."


class Trials:
    """Tries components of a configuration."""

    def __init__(self, config: ConfigManager, sessions: SessionStore, settings: Settings, bridge: Bridge) -> None:
        self._config = config
        self._sessions = sessions
        self._settings = settings
        self._bridge = bridge

    async def llm(self, name: str) -> Llm:
        """The llm of a name, after it has answered a short message.

        Raises:
            ComponentNotFoundError, InvalidComponentError, UnknownProviderError, MissingKeyError, MissingExtraError: it cannot be
                asked.
            ModelError: it refused or failed.
        """
        plan, model = await self._bridge.call(self._built, name)
        from aurite.runtime.conversation import Conversation
        from aurite.runtime.recorder import Recorder
        from aurite.runtime.toolset import McpToolset

        toolset = McpToolset(Connections(), (), ())
        recorder = Recorder(self._sessions, self._bridge, None, provider=plan.llm.native_provider)
        result = await Conversation(plan, model, toolset, recorder, None).run(_MESSAGE)
        if result.status != "success":
            raise ModelError(f"llm {name!r} did not come to an answer", next_step="Look at its settings.")
        return plan.llm

    async def agent(self, name: str) -> Plan:
        """The plan of an agent, after its servers have started and told their tools; they are ended again.

        Raises:
            What running the agent raises before its model is asked.
        """
        plan = await self._bridge.call(make_plan, self._config, self._settings, name)
        connections = Connections()
        try:
            async with connections.use(plan.servers):
                return plan
        finally:
            await connections.close()

    async def workflow(self, type_: str, name: str) -> WorkflowPlan:
        """The plan of a workflow, its steps and its class included.

        Raises:
            What running the workflow raises before its first step.
        """
        return await self._bridge.call(Planner(self._config, self._settings).plan_workflow, type_, name)

    def _built(self, name: str) -> tuple[Plan, Model]:
        document = self._config.require_config("llm", name)
        asking = kind_of("agent").model.model_validate({"type": "agent", "name": name, "llm_config_id": name, "max_iterations": 3})
        agent = cast("agent_kind.Model", asking)
        llm = resolve(agent, document, self._settings)
        return Plan(agent, llm, (), llm.default_system_prompt, include_history=False), llm.build()
