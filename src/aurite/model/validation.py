"""Whether a document fits its component type, told field by field."""

from __future__ import annotations

from dataclasses import dataclass

from aurite.errors import InvalidComponentError, InvalidValueError
from aurite.model.jsontext import JsonValue
from aurite.model.kinds import KINDS, Kind, kind_of
from aurite.model.names import check_name


@dataclass(frozen=True, slots=True)
class Findings:
    """What validation says about one component. No value of it is repeated: a value may be a secret."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        return not self.errors


def examine(type_: str, document: JsonValue) -> Findings:
    """Errors and warnings of a document that claims to be a component of a type.

    Raises:
        UnknownTypeError: there is no such type.
    """
    from pydantic import ValidationError  # takes longer to import than a listing takes

    kind = kind_of(type_)
    if not isinstance(document, dict):
        return Findings(errors=(f"is {_json_name(document)}, not an object",))
    written = document.get("type", kind.type)
    if written != kind.type:
        return Findings(errors=(f"type: says {written!r}, but belongs to {kind.type!r}",))
    try:
        component = kind.model.model_validate(document)
    except ValidationError as error:
        return Findings(
            errors=tuple(
                f"{'.'.join(map(str, detail['loc'])) or 'component'}: {_sentence(detail['msg'])}"
                for detail in error.errors(include_input=False, include_url=False, include_context=False)
            )
        )
    warnings: list[str] = []
    if component.extra_fields_are is None:
        warnings += [f"{field}: not a field of {kind.type}; kept, not used" for field in component.extra_fields()]
    if kind.type == "llm" and "api_key" in document:
        warnings.append("api_key: a key in a component is readable by everyone; name a variable in api_key_env_var")
    return Findings(warnings=tuple(warnings))


def require_valid(type_: str, name: str, document: JsonValue) -> Findings:
    """The findings of a document without errors.

    Raises:
        InvalidComponentError: with the reasons.
        UnknownTypeError: there is no such type.
    """
    findings = examine(type_, document)
    if findings.errors:
        raise InvalidComponentError(
            f"{kind_of(type_).label} {name!r} is not valid: {'; '.join(findings.errors)}", reasons=findings.errors
        )
    return findings


def identify(document: JsonValue) -> tuple[Kind, str]:
    """Type and name of a document as it stands in a file.

    Raises:
        InvalidComponentError: no object, or type or name missing or not allowed; the message has no trailing stop.
    """
    if not isinstance(document, dict):
        raise InvalidComponentError(f"a component must be an object, not {_json_name(document)}")
    for field in ("type", "name"):
        if field not in document:
            raise InvalidComponentError(f"a component needs the field {field!r}")
    type_ = document["type"]
    kind = KINDS.get(type_) if isinstance(type_, str) else None
    if kind is None:
        shown = repr(type_)[:60]
        raise InvalidComponentError(f"{shown} is no component type; the types are {', '.join(KINDS)}")
    try:
        return kind, check_name(document["name"], "component name")
    except InvalidValueError as error:
        raise InvalidComponentError(error.message) from error


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")


def _json_name(value: JsonValue) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
