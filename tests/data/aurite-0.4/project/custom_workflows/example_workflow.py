"""A custom workflow as users of 0.4 have written them."""

import logging
from typing import Any, Optional

from aurite import AgentRunResult, AuriteEngine, BaseCustomWorkflow

logger = logging.getLogger(__name__)


class ExampleCustomWorkflow(BaseCustomWorkflow):
    """Asks the Weather Agent about a city."""

    async def run(self, initial_input: Any, executor: "AuriteEngine", session_id: Optional[str] = None) -> Any:  # noqa: UP045 - as of then
        city = initial_input.get("city", "London") if isinstance(initial_input, dict) else str(initial_input)
        logger.info("asking about %s", city)
        result: AgentRunResult = await executor.run_agent(
            agent_name="Weather Agent", user_message=f"What is the weather in {city}?", session_id=session_id
        )
        return {"city": city, "weather": result.message_content}

    def get_input_type(self) -> Any:
        return dict

    def get_output_type(self) -> Any:
        return dict
