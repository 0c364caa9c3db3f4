"""Writes what the documentation says about variables, commands, component types and errors, from the code that decides it.

A generated part of a page stands between ``<!-- generated: NAME -->`` and ``<!-- end of generated -->``; the rest of the page is
written by hand and is left as it is. ``make docs`` writes all parts anew; ``--check`` only tells which ones are out of date.
"""

from __future__ import annotations

import argparse
import inspect
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import click

from aurite import errors
from aurite.api.application import application
from aurite.api.errors import status_of
from aurite.app import Aurite
from aurite.cli.errors import exit_status
from aurite.cli.main import aurite
from aurite.errors import AuriteError
from aurite.model.kinds import KINDS, Kind
from aurite.settings import Settings
from aurite.variables import VARIABLES, Variable

ROOT = Path(__file__).parents[1]
NOTE = "This part is generated from the code by `make docs`; do not edit it by hand."

_PART = re.compile(r"(?P<head><!-- generated: (?P<name>[\w ]+) -->\n).*?(?P<foot><!-- end of generated -->)", re.DOTALL)


def main() -> None:
    """Write the generated parts of all pages, or tell which are out of date; exit status 1 where one is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="Only tell which pages are out of date.")
    only_check = parser.parse_args().check
    outdated = [page for page in _pages() if _update(page, write=not only_check)]
    for page in outdated:
        print(f"{page.relative_to(ROOT)}: {'out of date; run make docs' if only_check else 'written'}")  # noqa: T201 - a program
    if only_check and outdated:
        sys.exit(1)


def _pages() -> Iterator[Path]:
    for kind in KINDS.values():
        page = ROOT / "docs" / "reference" / "components" / f"{kind.type}.md"
        if not page.exists():
            page.write_text(_new_page(kind), encoding="utf-8")
    yield from sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def _update(page: Path, *, write: bool) -> bool:
    before = page.read_text(encoding="utf-8")
    after = _PART.sub(lambda part: f"{part['head']}{_part(part['name'])}{part['foot']}", before)
    if write and after != before:
        page.write_text(after, encoding="utf-8")
    return after != before


def _part(name: str) -> str:
    word, _, argument = name.partition(" ")
    make: dict[str, Callable[..., Iterable[str]]] = {
        "variables": variables,
        "commands": commands,
        "errors": error_tables,
        "component": component,
        "components": components,
        "rest": rest,
    }
    text = "\n".join(make[word](*[argument] if argument else []))
    return "\n" + re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n\n"


def _new_page(kind: Kind) -> str:
    return (
        f"# {kind.label[0].upper()}{kind.label[1:]}\n\n{NOTE}\n\n<!-- generated: component {kind.type} -->\n"
        "<!-- end of generated -->\n\n## Example\n\n```json component\n{}\n```\n"
    )


# Variables.


def variables() -> Iterator[str]:
    """One table per section."""
    for section, members in groupby(VARIABLES, key=lambda variable: variable.section):
        yield from (f"### {section}", "", "| variable | what it says | default |", "| --- | --- | --- |")
        yield from map(_variable, members)
        yield ""


def _variable(variable: Variable) -> str:
    default = f"`{variable.default}`" if variable.default is not None else ""
    is_said = variable.kind not in ("whole", "seconds", "choice") or f"`{next(iter(variable.choices), '')}`" in variable.description
    allowed = "" if is_said else f" ({_allowed(variable)})"
    return f"| `{variable.name}` | {variable.description}{allowed} | {default} |"


def _allowed(variable: Variable) -> str:
    if variable.kind == "choice":
        return ", ".join(f"`{word}`" for word in dict.fromkeys(variable.choices.values()))
    return f"{variable.low} to {variable.high}"


# Commands.


def commands() -> Iterator[str]:
    """Every command with its arguments and options."""
    with click.Context(aurite, info_name="aurite", **aurite.context_settings) as ctx:
        yield from _command(aurite, ctx)


def _command(command: click.Command, ctx: click.Context) -> Iterator[str]:
    yield f"## `{ctx.command_path}`"
    yield ""
    yield f"    {ctx.command_path} {' '.join(command.collect_usage_pieces(ctx))}"
    yield ""
    yield inspect.cleandoc(command.help or "")
    yield ""
    is_inner = ctx.parent is not None
    options = [
        row
        for parameter in command.get_params(ctx)
        if isinstance(parameter, click.Option) and not (is_inner and "--help" in parameter.opts)
        if (row := parameter.get_help_record(ctx))
    ]
    if options:
        yield from ("| option | what it does |", "| --- | --- |")
        yield from (f"| {_code(names)} | {_cell(text)} |" for names, text in options)
        yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            if inner is not None:
                yield from _command(inner, click.Context(inner, info_name=name, parent=ctx))


def _code(text: str) -> str:
    return ", ".join(f"`{_cell(name.strip())}`" for name in text.split(", "))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# Errors.


def error_tables() -> Iterator[str]:
    """The codes, by who has to act."""
    groups: dict[str, Callable[[type[AuriteError]], bool]] = {
        "Wrong input": lambda kind: not issubclass(kind, errors.StorageError | errors.RunError),
        "The store": lambda kind: issubclass(kind, errors.StorageError),
        "Running agents": lambda kind: issubclass(kind, errors.RunError),
    }
    for heading, belongs in groups.items():
        yield from (f"## {heading}", "", "| code | class | exit status | HTTP | meaning |", "| --- | --- | --- | --- | --- |")
        yield from (_error(kind) for kind in _error_classes() if belongs(kind))
        yield ""


def _error_classes() -> list[type[AuriteError]]:
    return [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, AuriteError)
    ]  # in the order of the module


def _error(kind: type[AuriteError]) -> str:
    meaning = inspect.cleandoc(kind.__doc__ or "").split("\n\n", maxsplit=1)[0].replace("``", "`")
    return f"| `{kind.code}` | `{kind.__name__}` | {_exit_status(kind)} | {status_of(_made(kind))} | {_cell(meaning)} |"


def _exit_status(kind: type[AuriteError]) -> int:
    """The status that the program ends with when it meets the error."""

    def fail() -> None:
        raise _made(kind)

    with redirect_stderr(io.StringIO()):
        return exit_status(click.Command("failing", callback=fail), [])


def _made(kind: type[AuriteError]) -> AuriteError:
    needed: dict[type[AuriteError], dict[str, Any]] = {
        errors.RevisionConflictError: {"current": None, "revision": None},
        errors.MisfitError: {"reasons": ()},
        errors.VerificationError: {"differences": ()},
    }
    return kind("made for the documentation", **needed.get(kind, {}))


# The service.


def rest() -> Iterator[str]:
    """Every operation of the service by its tag, and the objects that it takes and gives."""
    document = application(Aurite(settings=Settings.from_env(ROOT))).openapi()
    operations = [
        (operation["tags"][0], method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    for tag in dict.fromkeys(tag for tag, *_ in operations):
        yield from (f"## {tag}", "", "| operation | what it does | takes | gives | refuses |", "| --- | --- | --- | --- | --- |")
        yield from (_operation(*facts) for of, *facts in operations if of == tag)
        yield ""
    yield from ("## Objects", "")
    for name, schema in document["components"]["schemas"].items():
        if name not in _UNUSED_SCHEMAS:
            yield from _schema(name, schema)


_UNUSED_SCHEMAS = {"HTTPValidationError", "ValidationError"}
"""FastAPI's own; ours are others."""
_ALWAYS_REFUSED = {"400", "401", "413", "422", "500", "503"}


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    query = [f"`?{parameter['name']}`" for parameter in operation.get("parameters", []) if parameter["in"] == "query"]
    headers = [f"`{parameter['name'].title()}`" for parameter in operation.get("parameters", []) if parameter["in"] == "header"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    taken = ", ".join([*([_shape(body)] if body else []), *query, *headers])
    status, answer = next((status, answer) for status, answer in operation["responses"].items() if status < "3")
    content = answer.get("content", {})
    given = (
        _shape(content["application/json"]["schema"])
        if "application/json" in content
        else ", ".join(content) or f"{status}, nothing"
    )
    refused = ", ".join(sorted(set(operation["responses"]) - _ALWAYS_REFUSED - {status}))
    return f"| `{method} {path}` | {_cell(operation.get('description') or operation['summary'])} | {taken} | {given} | {refused} |"


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield from (
        f"### {name}",
        "",
        _cell(schema.get("description", "")),
        "",
        "| field | type | default | meaning |",
        "| --- | --- | --- | --- |",
    )
    for field, facts in schema.get("properties", {}).items():
        is_required = field in schema.get("required", [])
        default = "required" if is_required else f"`{_json(facts['default'])}`" if facts.get("default") is not None else ""
        yield f"| `{field}` | {_shape(facts)} | {default} | {_cell(facts.get('description', ''))} |"
    yield ""


def _shape(schema: dict[str, Any]) -> str:
    """What a JSON Schema takes, in words."""
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "number": "number", "null": "null"}
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " or ".join(_shape(choice) for choice in schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_shape(schema.get('items', {}))}"
    if kind == "object":
        inside = schema.get("additionalProperties")
        return f"object of {_shape(inside)}" if isinstance(inside, dict) and inside else "object"
    return words.get(str(kind), "anything")


# Component types.


def components() -> Iterator[str]:
    """A list of the types, with links to their pages."""
    yield from ("| type | plural | what it is |", "| --- | --- | --- |")
    for kind in KINDS.values():
        yield f"| [{kind.type}](components/{kind.type}.md) | {kind.plural} | {_cell(kind.model.__doc__ or '')} |"


def component(type_: str) -> Iterator[str]:
    """The fields of a type, and of the objects inside it."""
    kind = KINDS[type_]
    model = kind.model
    yield from (inspect.cleandoc(model.__doc__ or ""), "")
    yield from (*_fields(model), "")
    extra = model.extra_fields_are
    yield f"Other fields are {extra}, and are kept." if extra else "Other fields are kept, and `aurite validate` warns about them."
    for part in _parts(model):
        yield from ("", f"## {part.__name__}", "", inspect.cleandoc(part.__doc__ or ""), "")
        yield from _fields(part)


def _fields(model: Any) -> Iterator[str]:
    yield from ("| field | type | default | meaning |", "| --- | --- | --- | --- |")
    for name, field in model.model_fields.items():
        shown = field.alias or name
        if field.is_required():
            default = "required"
        elif field.default_factory is not None:
            default = f"`{_json(field.default_factory())}`"
        else:
            default = "" if field.default is None else f"`{_json(field.default)}`"
        limits = "".join(f", {text}" for text in map(_limit, field.metadata) if text)
        yield f"| `{shown}` | {_cell(_type(field.annotation))}{limits} | {default} | {_meaning(name, field)} |"


def _meaning(name: str, field: Any) -> str:
    if field.description:
        return _cell(field.description)
    if name == "type" and get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
        return "Says what kind of component this is."
    return ""


def _json(value: object) -> str:
    import json

    return json.dumps(value)


_NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null", Any: "anything"}


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _NAMES:
        shown = _NAMES[annotation]
    elif origin is Literal:
        shown = " or ".join(f"`{_json(word)}`" for word in arguments)
    elif origin is list:
        shown = f"list of {_type(arguments[0])}"
    elif origin is dict:
        shown = "object" if arguments[1] is Any else f"object of {_type(arguments[1])}"
    elif origin is Annotated:
        shown = _type(arguments[0])
    elif arguments:  # a union
        shown = " or ".join(_type(argument) for argument in arguments if argument is not type(None))
    else:
        shown = f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return shown


def _limit(constraint: object) -> str:
    words = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
    found = [f"{words[name]} {getattr(constraint, name)}" for name in words if getattr(constraint, name, None) is not None]
    if getattr(constraint, "min_length", None):
        found.append("not empty")
    return ", ".join(found)


def _parts(model: Any) -> list[Any]:
    found: dict[Any, None] = {}

    def look(annotation: Any) -> None:
        if hasattr(annotation, "model_fields"):
            found[annotation] = None
        for argument in get_args(annotation):
            look(argument)

    for field in model.model_fields.values():
        look(field.annotation)
    return list(found)


if __name__ == "__main__":
    main()
