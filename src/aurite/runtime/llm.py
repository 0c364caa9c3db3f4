"""Which LLM a run asks: the llm component with the agent's overrides, its key, and the settings of each request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from aurite.errors import InvalidComponentError, MissingKeyError, UnknownProviderError
from aurite.model.jsontext import JsonValue
from aurite.model.kinds import kind_of
from aurite.model.validation import require_valid
from aurite.runtime.providers import PROVIDERS, Provider, compatible_with_openai
from aurite.runtime.secrets import secret_values

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings

    from aurite.model.kinds import agent as agent_kind
    from aurite.model.kinds import llm as llm_kind
    from aurite.settings import Settings

_OURS = frozenset({"messages", "tools", "tool_choice", "stream", "stream_options"})
"""Fields of a request that the runtime sets itself."""
_RETRIES = 3
"""How often a request is repeated where the llm does not say."""
_NOT_FOR_THE_BODY = frozenset({"api_key", "max_retries", "num_retries", "extra_headers"})


@dataclass(frozen=True, slots=True)
class Llm:
    """An LLM as a run uses it."""

    name: str
    """Of the component, or of the agent that brings its own."""
    provider: Provider
    model: str
    api_base: str | None
    api_version: str | None
    key: str | None = field(repr=False)
    settings: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """What goes along with each request, in pydantic-ai's names; extra headers may hold secrets."""
    default_system_prompt: str | None = None
    key_variables: tuple[str, ...] = ()
    """Where the key is looked for."""
    max_retries: int = 0
    """How often a request is repeated, see ``runtime/retries.py``."""

    @property
    def native_provider(self) -> str:
        """To whom the native form of a message belongs: the provider, and the server where it is not the usual one."""
        if self.api_base is None:
            return self.provider.name
        return f"{self.provider.name}@{urlsplit(self.api_base).netloc.rpartition('@')[2]}"

    @property
    def address(self) -> str:
        """Where it is asked, for people: without what may be a secret in a URL."""
        if self.api_base is None:
            return self.provider.default_base or f"the servers of {self.provider.name}"
        parts = urlsplit(self.api_base)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in any text."""
        headers = cast("Mapping[str, str]", self.settings.get("extra_headers") or {})
        parts = urlsplit(self.api_base or "")
        return tuple(value for value in (self.key, parts.password, parts.query, *secret_values(headers)) if value)

    def build(self) -> Model:
        """The model to ask; imports the provider's library.

        Raises:
            MissingExtraError: that library is not installed.
        """
        return self.provider.build(self)

    def model_settings(self) -> ModelSettings:
        return cast("ModelSettings", dict(self.settings))


def resolve(agent: agent_kind.Model, component: Mapping[str, JsonValue] | None, settings: Settings) -> Llm:
    """The LLM of an agent.

    Args:
        agent: the agent, with its overrides.
        component: the document of the llm that it names; None where it names none.
        settings: where keys come from.

    Raises:
        InvalidComponentError: the fields do not make an llm.
        UnknownProviderError: nobody knows the provider.
        MissingKeyError: the provider asks for a key, and its variable is not set.
    """
    llm = _merged(agent, component)
    provider = _provider(llm)
    return Llm(
        name=llm.name,
        provider=provider,
        model=llm.model,
        api_base=llm.api_base or provider.base_from(settings.environment),
        api_version=llm.api_version or provider.version_from(settings.environment),
        key=_key(llm, provider, settings),
        key_variables=_key_variables(llm, provider),
        settings=MappingProxyType(_request_settings(llm, provider)),
        default_system_prompt=llm.default_system_prompt,
        max_retries=_max_retries(llm),
    )


def _merged(agent: agent_kind.Model, component: Mapping[str, JsonValue] | None) -> llm_kind.Model:
    document: dict[str, JsonValue] = {"name": agent.name, **(component or {})}
    document |= agent.llm or {}
    overrides = {"model": agent.model, "temperature": agent.temperature, "max_tokens": agent.max_tokens}
    document |= {field: value for field, value in overrides.items() if value is not None}
    document |= {"type": "llm"}
    require_valid("llm", str(document["name"]), document)
    return cast("llm_kind.Model", kind_of("llm").model.model_validate(document))


def _provider(llm: llm_kind.Model) -> Provider:
    known = PROVIDERS.get(llm.provider.strip().lower())
    if known is not None:
        return known
    if llm.api_base is not None:
        return compatible_with_openai(llm.provider)
    raise UnknownProviderError(
        f"llm {llm.name!r} names the provider {llm.provider!r}, which is not known",
        next_step=f"Known are {', '.join(sorted(PROVIDERS))}; any other server that speaks OpenAI's protocol needs an api_base.",
    )


def _key(llm: llm_kind.Model, provider: Provider, settings: Settings) -> str | None:
    variables = _key_variables(llm, provider)
    for variable in variables:
        if key := settings.secret(variable):
            return key
    written = llm.extra_fields().get("api_key")
    if isinstance(written, str) and written:
        return written
    if llm.api_key_env_var is None and (not provider.needs_key or llm.api_base is not None):
        return None
    raise MissingKeyError(
        f"llm {llm.name!r} needs the key of {provider.name}, and {' or '.join(variables)} is not set",
        next_step=f"Set {variables[0]} in the environment or in the .env of the project.",
    )


def _key_variables(llm: llm_kind.Model, provider: Provider) -> tuple[str, ...]:
    return (llm.api_key_env_var,) if llm.api_key_env_var else provider.key_variables


def _request_settings(llm: llm_kind.Model, provider: Provider) -> dict[str, JsonValue]:
    extra = llm.extra_fields()
    if ours := sorted(_OURS & extra.keys()):
        raise InvalidComponentError(
            f"llm {llm.name!r} sets {', '.join(ours)}, which each request sets itself", next_step="Remove it from the component."
        )
    named = {"temperature": llm.temperature, "max_tokens": llm.max_tokens, "timeout": llm.timeout}
    settings: dict[str, JsonValue] = {name: value for name, value in named.items() if value is not None}
    if headers := extra.get("extra_headers"):
        settings["extra_headers"] = headers
    body = {name: value for name, value in extra.items() if name not in _NOT_FOR_THE_BODY}
    if provider.takes_body:
        return settings | ({"extra_body": body} if body else {})
    return settings | body


def _max_retries(llm: llm_kind.Model) -> int:
    extra = llm.extra_fields()
    given = extra.get("max_retries", extra.get("num_retries", _RETRIES))
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise InvalidComponentError(f"llm {llm.name!r} has max_retries {given!r}", next_step="Give a whole number, 0 or more.")
    return given


def agent_of(document: dict[str, Any]) -> agent_kind.Model:
    """The agent that a document describes.

    Raises:
        InvalidComponentError: it does not fit.
    """
    require_valid("agent", str(document.get("name")), document)
    return cast("agent_kind.Model", kind_of("agent").model.model_validate(document))
