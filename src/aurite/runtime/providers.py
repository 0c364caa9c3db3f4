"""Who serves models: one row per provider, by the names that 0.4's users write, and how to reach each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from aurite.errors import InvalidComponentError, MissingExtraError

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from aurite.runtime.llm import Llm

OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider."""

    name: str
    build: Callable[[Llm], Model]
    key_variables: tuple[str, ...] = ()
    """Where its key is usually kept; the first one set is used."""
    base_variables: tuple[str, ...] = ()
    """Where the address of its server is usually kept."""
    version_variable: str | None = None
    default_base: str | None = None
    needs_key: bool = True
    takes_body: bool = True
    """Whether parameters that pydantic-ai has no name for can be put into the body of a request as they are."""

    def base_from(self, environment: Mapping[str, str]) -> str | None:
        """The address of the server that a variable names."""
        return next((environment[name] for name in self.base_variables if environment.get(name)), None)

    def version_from(self, environment: Mapping[str, str]) -> str | None:
        """The version of the API that a variable names."""
        return environment.get(self.version_variable) or None if self.version_variable else None


def compatible_with_openai(name: str, base: str | None = None, variable: str | None = None) -> Provider:
    """A provider whose servers speak OpenAI's chat completions."""
    variables = (variable,) if variable else (f"{name.upper().replace('-', '_')}_API_KEY",)
    return Provider(name, _openai, key_variables=variables, default_base=base, needs_key=base is not None)


def _openai(llm: Llm) -> Model:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    base = llm.api_base or llm.provider.default_base
    if base is None:
        raise InvalidComponentError(f"llm {llm.name!r} needs an api_base: {llm.provider.name} has no usual address")
    # A server that asks for no key gets a word that is not one, because the library insists on sending something.
    return OpenAIChatModel(llm.model, provider=OpenAIProvider(base_url=base, api_key=llm.key or "no-key"))


def _azure(llm: Llm) -> Model:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.azure import AzureProvider

    if llm.api_base is None or llm.api_version is None:
        raise InvalidComponentError(f"llm {llm.name!r} needs api_base and api_version: azure has no usual ones")
    provider = AzureProvider(azure_endpoint=llm.api_base, api_version=llm.api_version, api_key=llm.key)
    return OpenAIChatModel(llm.model, provider=provider)


def _anthropic(llm: Llm) -> Model:
    try:
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider
    except ImportError as error:
        raise _missing_extra("anthropic") from error
    base = llm.api_base or "https://api.anthropic.com"
    return AnthropicModel(llm.model, provider=AnthropicProvider(api_key=llm.key or "no-key", base_url=base))


def _google(llm: Llm) -> Model:
    try:
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider
    except ImportError as error:
        raise _missing_extra("google") from error
    return GoogleModel(llm.model, provider=GoogleProvider(api_key=llm.key or "no-key", base_url=llm.api_base))


def _groq(llm: Llm) -> Model:
    try:
        from pydantic_ai.models.groq import GroqModel
        from pydantic_ai.providers.groq import GroqProvider
    except ImportError as error:
        raise _missing_extra("groq") from error
    base = llm.api_base or "https://api.groq.com"
    return GroqModel(llm.model, provider=GroqProvider(api_key=llm.key or "no-key", base_url=base))


def _mistral(llm: Llm) -> Model:
    try:
        from pydantic_ai.models.mistral import MistralModel
        from pydantic_ai.providers.mistral import MistralProvider
    except ImportError as error:
        raise _missing_extra("mistral") from error
    return MistralModel(llm.model, provider=MistralProvider(api_key=llm.key or "no-key", base_url=llm.api_base))


def _offline(llm: Llm) -> Model:
    from aurite.runtime.offline import offline_model

    return offline_model(llm.model)


def _missing_extra(extra: str) -> MissingExtraError:
    return MissingExtraError(
        f"the library of the provider {extra} is not installed", next_step=f"Install it: pip install 'aurite[{extra}]'"
    )


_GOOGLE = Provider("google", _google, ("GEMINI_API_KEY", "GOOGLE_API_KEY"), takes_body=False)
_OLLAMA = Provider("ollama", _openai, ("OLLAMA_API_KEY",), default_base="http://localhost:11434/v1", needs_key=False)
_TOGETHER = compatible_with_openai("together_ai", "https://api.together.xyz/v1", "TOGETHERAI_API_KEY")

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        OFFLINE: Provider(OFFLINE, _offline, needs_key=False),
        "openai": Provider(
            "openai",
            _openai,
            ("OPENAI_API_KEY",),
            ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
            default_base="https://api.openai.com/v1",
        ),
        "anthropic": Provider("anthropic", _anthropic, ("ANTHROPIC_API_KEY",)),
        "gemini": _GOOGLE,
        "google": _GOOGLE,
        "groq": Provider("groq", _groq, ("GROQ_API_KEY",)),
        "mistral": Provider("mistral", _mistral, ("MISTRAL_API_KEY",), takes_body=False),
        "ollama": _OLLAMA,
        "ollama_chat": _OLLAMA,
        "azure": Provider(
            "azure",
            _azure,
            ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
            ("AZURE_API_BASE", "AZURE_OPENAI_ENDPOINT"),
            version_variable="AZURE_API_VERSION",
        ),
        "openrouter": compatible_with_openai("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        "deepseek": compatible_with_openai("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
        "fireworks_ai": compatible_with_openai("fireworks_ai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_AI_API_KEY"),
        "together_ai": _TOGETHER,
        "xai": compatible_with_openai("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
    }
)
"""By the names that an llm's ``provider`` may have."""
