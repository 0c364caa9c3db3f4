"""The models that a runner asks: one client for each server and key, kept open, so that runs share its connections."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

from aurite.runtime.providers import OFFLINE

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from aurite.runtime.bridge import Bridge
    from aurite.runtime.llm import Llm

_Client = tuple[str, str | None, str | None, str | None, str, int]


class Models:
    """Models by what they are asked with. Belongs to one event loop."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._open: dict[_Client, Model] = {}
        self._opening = asyncio.Lock()

    async def of(self, llm: Llm) -> Model:
        """The model of an llm, opened now where no run has asked for it yet.

        Raises:
            MissingExtraError: the provider's library is not installed.
            ModelError: the provider does not accept what the llm says.
        """
        client: _Client = (llm.provider.name, llm.api_base, llm.api_version, llm.key, llm.model, llm.max_retries)
        async with self._opening:
            model = self._open.get(client)
            if model is None:
                model = await self._bridge.call(_built, llm)
                await model.__aenter__()
                self._open[client] = model
            return model

    async def close(self) -> None:
        """Give the connections back; calling it twice is fine."""
        while self._open:
            _, model = self._open.popitem()
            await model.__aexit__(None, None, None)


def _built(llm: Llm) -> Model:
    import_module("aurite.runtime.conversation")  # a second, spent while the servers start
    from pydantic_ai.exceptions import UserError

    from aurite.runtime.failures import run_error
    from aurite.runtime.retries import RetryingModel

    try:
        model = llm.build()
    except UserError as error:
        failure = run_error(error, llm)
        raise failure from failure.__cause__
    return model if llm.provider.name == OFFLINE else RetryingModel(model, max_retries=llm.max_retries)
