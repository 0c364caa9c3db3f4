"""What pydantic-ai raises, said in our words: which provider and model, what it answered, what to do. Never with a key."""

from __future__ import annotations

from pydantic_ai.exceptions import AgentRunError, ModelAPIError, ModelHTTPError, ModelTimeoutError, UserError

from aurite.errors import ModelError, RunError
from aurite.model.jsontext import JsonValue
from aurite.runtime.llm import Llm
from aurite.runtime.secrets import scrub

_LONGEST = 600


def run_error(error: AgentRunError | UserError, llm: Llm) -> RunError:
    """The error to raise instead; it has the original as its cause, unless that holds a secret and would tell it in a traceback."""
    asked = f"{llm.provider.name} model {llm.model!r} (llm {llm.name!r})"
    if isinstance(error, ModelHTTPError):
        made = _refusal(error, llm, asked)
    elif isinstance(error, ModelTimeoutError):
        made = ModelError(f"{asked} did not answer in time", next_step="Raise the timeout of the llm, or try again.")
    elif isinstance(error, ModelAPIError):
        reason = _shortened(scrub(error.message, llm.secrets))
        made = ModelError(f"{asked} could not be asked at {llm.address}: {reason}", next_step="See that the server can be reached.")
    else:
        reason = _shortened(scrub(str(error), llm.secrets))
        made = ModelError(f"the run with {asked} failed: {reason}", next_step="The session shows what was said until then.")
    if scrub(str(error), llm.secrets) == str(error):
        made.__cause__ = error
    return made


def _refusal(error: ModelHTTPError, llm: Llm, asked: str) -> ModelError:
    status = error.status_code
    if status in (401, 403):
        # The provider's text is left out: it likes to quote the key.
        return ModelError(f"{asked}: the provider refused the key (HTTP {status})", next_step=_about_the_key(llm))
    text = _shortened(scrub(_message_of(error.body), llm.secrets))
    next_step = {
        404: "See that the model's name and the api_base are right.",
        429: "Wait, or raise the limit with the provider.",
    }.get(status, "Try again later." if status >= 500 else "Change what the llm or the agent sends.")
    return ModelError(f"{asked} answered HTTP {status}" + (f": {text}" if text else ""), next_step=next_step)


def _about_the_key(llm: Llm) -> str:
    if not llm.key_variables:
        return "Check the key of the llm."
    return f"Check the key in {' or '.join(llm.key_variables)}."


def _message_of(body: JsonValue) -> str:
    """The provider's own words, out of the ways in which providers wrap them."""
    if isinstance(body, dict):
        inner = body.get("error", body)
        message = inner.get("message") if isinstance(inner, dict) else inner
        return str(message) if message is not None else str(body)
    return "" if body is None else str(body)


def _shortened(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "..."
