"""``aurite show``: components in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from aurite.cli.commands.list import component_document, remark_on
from aurite.cli.context import open_app
from aurite.cli.output import on_one_line, printable, problem_document, say, say_json, say_json_text, say_lines, tell_problems
from aurite.errors import AmbiguousNameError, ComponentNotFoundError, UnknownTypeError, UsageError
from aurite.model.kinds import kind_of

if TYPE_CHECKING:
    from aurite.config.manager import ConfigManager
    from aurite.model.records import Component

_SECRET_FIELDS = frozenset({"api_key", "apikey", "password", "secret", "token", "authorization", "x-api-key"})


@click.command
@click.argument("name_or_type", required=False)
@click.option("-t", "--type", "type_", help="The type, where several components share the name; alone, all of that type.")
@click.option("-f", "--full", is_flag=True, help="The whole document as JSON, exactly as it is kept.")
@click.option("-s", "--short", is_flag=True, help="One line for each.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with revision and source.")
def show(name_or_type: str | None, type_: str | None, *, full: bool, short: bool, as_json: bool) -> None:
    """Show the component of a name, or all components of a type."""
    if full + short + as_json > 1:
        raise UsageError("--full, --short and --json exclude each other")
    if name_or_type is None and type_ is None:
        raise UsageError("what to show is missing", next_step="Give the name of a component, or a type.")
    with open_app() as app:
        components = _find(app.config, name_or_type, type_)
        problems = app.config.problems()
        if not components:
            remark_on(app, components, [kind_of(type_ or name_or_type or "").type])
    if as_json:
        shown = [{**component_document(component), "config": component.config()} for component in components]
        say_json({"components": shown, "problems": [problem_document(problem) for problem in problems]})
    else:
        _say(components, full=full, short=short)
    tell_problems(problems)


def _find(config: ConfigManager, word: str | None, type_: str | None) -> Sequence[Component]:
    if word is None:
        return config.components(type_)
    if type_ is not None:
        return [config.require_component(type_, word)]
    everything = config.components()
    found = [component for component in everything if component.name == word]
    if len(found) > 1:
        types = ", ".join(component.type for component in found)
        raise AmbiguousNameError(
            f"{word!r} is the name of several components: {types}", next_step=f"Give --type, as in --type {found[0].type}."
        )
    return found or _all_of_type(word, everything)


def _all_of_type(word: str, everything: Sequence[Component]) -> Sequence[Component]:
    try:
        kind = kind_of(word)
    except UnknownTypeError as error:
        raise ComponentNotFoundError(
            f"there is no component {word!r}", next_step=_suggestion(word, [component.name for component in everything])
        ) from error
    return [component for component in everything if component.type == kind.type]


def _suggestion(word: str, names: Sequence[str]) -> str:
    from difflib import get_close_matches

    plain = {name.casefold(): name for name in names}
    close = [plain[match] for match in get_close_matches(word.casefold(), list(plain), n=3, cutoff=0.6)]
    if close:
        return f"Did you mean {' or '.join(map(repr, close))}?"
    return "'aurite list' shows what there is."


def _say(components: Sequence[Component], *, full: bool, short: bool) -> None:
    if full:
        documents = [component.document for component in components]
        say_json_text(documents[0] if len(documents) == 1 else f"[{','.join(documents)}]")
        return
    for position, component in enumerate(components):
        if short:
            say(printable(on_one_line(f"{component.type} {component.name}: {component.config().get('description') or '-'}")))
            continue
        if position:
            say()
        _say_fields(component)


def _say_fields(component: Component) -> None:
    say(f"{component.type}  {printable(component.name)}")
    for field, value in component.config().items():
        if field not in ("type", "name"):
            say_lines(f"  {field}: {_shown(_masked(field, value))}")
    listed = component_document(component)
    if listed["source_file"]:
        say_lines(f"  (from {listed['source_file']})")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value.replace("\n", "\n    ")
    from aurite.model.jsontext import encode

    return encode(value)


def _masked(field: str, value: Any) -> Any:
    """The value, keys and passwords in it hidden: this view is for looking, and somebody may look over the shoulder."""
    if field.casefold() in _SECRET_FIELDS:
        return "********"
    if isinstance(value, dict):
        return {key: _masked(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked("", item) for item in value]
    return value
