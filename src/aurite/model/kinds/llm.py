"""LLMs: which provider and model to ask, and with which parameters."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from aurite.model.kinds._base import ComponentModel


class Model(ComponentModel):
    """A language model at a provider; fields not named here are parameters for the provider, passed on as they are."""

    extra_fields_are: ClassVar[str | None] = "parameters of the provider"

    type: Literal["llm"] = "llm"
    provider: str = Field(
        min_length=1, description="Who serves the model: openai, anthropic, ..., or `offline` for runs without a network."
    )
    model: str = Field(min_length=1, description="The provider's name of the model.")
    temperature: float | None = Field(None, ge=0, description="How much the answers vary.")
    max_tokens: int | None = Field(None, gt=0, description="Upper limit of tokens per answer.")
    default_system_prompt: str | None = Field(None, description="Used for agents that have no system_prompt.")
    api_base: str | None = Field(None, description="URL of a server that speaks the provider's protocol.")
    api_key_env_var: str | None = Field(
        None, description="Environment variable that holds the key; the provider's usual one where not set."
    )
    api_version: str | None = Field(None, description="Version of the API, where the provider asks for one.")
    timeout: float | None = Field(None, gt=0, description="Seconds to wait for one answer.")
