"""Asking a model again where it is only the moment that is bad: too many requests, a server's own failure, no connection."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from pydantic_ai.exceptions import ModelAPIError, ModelConnectionError, ModelHTTPError, ModelQuotaExceededError, ModelTimeoutError
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import RunContext

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 10.0
"""Seconds between two attempts where the provider does not say how long; doubled each time, with up to half of it on top."""
_PATIENCE = 90.0
"""Seconds that all waits of one request may take together. A provider that asks for more is not asked again."""
_TOO_MANY = 429


class RetryingModel(WrapperModel):
    """A model whose requests are repeated, with longer and longer waits, or as long as the provider asks (``Retry-After``).

    An answer that has begun to arrive is never asked for again, and neither is one that did not come in time.
    """

    def __init__(self, wrapped: Model, *, max_retries: int) -> None:
        super().__init__(wrapped)
        self._max_retries = max_retries

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        attempts = _Attempts(self._max_retries)
        while True:
            try:
                return await self.wrapped.request(messages, _asked_once(model_settings), model_request_parameters)
            except ModelAPIError as error:
                await attempts.wait_or_raise(error)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        attempts = _Attempts(self._max_retries)
        async with AsyncExitStack() as opened:
            while True:
                try:
                    stream = await opened.enter_async_context(
                        self.wrapped.request_stream(messages, _asked_once(model_settings), model_request_parameters, run_context)
                    )
                    break
                except ModelAPIError as error:
                    await attempts.wait_or_raise(error)
            yield stream


class _Attempts:
    """The attempts at one request."""

    def __init__(self, max_retries: int) -> None:
        self._left = max_retries
        self._wait = _FIRST_WAIT
        self._until = time.monotonic() + _PATIENCE

    async def wait_or_raise(self, error: ModelAPIError) -> None:
        """Return when it is time for the next attempt.

        Raises:
            ModelAPIError: the error itself, where it would not go away, or there were enough attempts.
        """
        seconds = self._wait * (1 + secrets.randbelow(1000) / 2000) if error.retry_after is None else error.retry_after
        if not _may_go_away(error) or self._left == 0 or time.monotonic() + seconds > self._until:
            raise error
        self._left -= 1
        self._wait = min(self._wait * 2, _LONGEST_WAIT)
        await asyncio.sleep(seconds)


def _may_go_away(error: ModelAPIError) -> bool:
    if isinstance(error, (ModelQuotaExceededError, ModelTimeoutError)):
        return False
    if isinstance(error, ModelHTTPError):
        return error.status_code == _TOO_MANY or error.status_code >= 500
    return isinstance(error, ModelConnectionError)


def _asked_once(settings: ModelSettings | None) -> ModelSettings:
    """The settings with the retries of the provider's own library turned off: they are counted here."""
    asked: ModelSettings = {"max_retries": 0}
    return {**settings, **asked} if settings else asked
