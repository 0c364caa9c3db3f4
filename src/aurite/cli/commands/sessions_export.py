"""``aurite sessions export``: conversations for other programs, and for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from aurite.cli.asking import require_consent, yes_option
from aurite.cli.context import open_app
from aurite.cli.output import counted, in_output_encoding, remark, write
from aurite.errors import UsageError

if TYPE_CHECKING:
    from aurite.model.records import Session
    from aurite.storage.ports import SessionStore

Format = Literal["jsonl", "markdown"]


@click.command
@click.argument("session", nargs=-1, required=True)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["jsonl", "markdown"]),
    default="jsonl",
    show_default=True,
    help="One JSON object on each line, or Markdown to read.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write this file; without it, or with -, to standard output.")
@click.option("--steps", is_flag=True, help="Take the sessions of a workflow's steps along.")
@click.option("--overwrite", is_flag=True, help="Replace the file where it is there already.")
@yes_option
def export(session: tuple[str, ...], *, format_: Format, output: Path | None, steps: bool, overwrite: bool, yes: bool) -> None:
    """Write whole conversations, for other programs or for people.

    A file is there whole or not at all, and readable by its owner alone.
    """
    if output == Path("-"):
        output = None
    if overwrite and output is None:
        raise UsageError("--overwrite is about a file", next_step="Name it with --output.")
    if output is not None and overwrite and output.exists():
        require_consent(f"Replace {output}?", yes=yes)
    with open_app() as app:
        chosen = _chosen(app.sessions, session, steps=steps)
        with _destination(output, overwrite=overwrite) as put:
            for part in _parts(app.sessions, chosen, format_):
                put(f"{part}\n")
    if output is not None:
        messages = sum(one.message_count for one in chosen)
        remark(f"Wrote {counted(len(chosen), 'session')} with {counted(messages, 'message')} to {output}.")


def _chosen(store: SessionStore, references: Sequence[str], *, steps: bool) -> list[Session]:
    """The sessions that are meant, each once, in the order in which they were named; steps behind their workflow."""
    from aurite.runtime.history import steps_below

    chosen: dict[str, Session] = {}
    for reference in references:
        found = store.find(reference)
        for session in (found, *(steps_below(store, found) if steps else ())):
            chosen.setdefault(session.session_id, session)
    return list(chosen.values())


def _parts(store: SessionStore, sessions: Iterable[Session], format_: Format) -> Iterator[str]:
    from aurite.cli.session_export import as_json_lines, as_markdown

    for session in sessions:
        yield from (as_json_lines if format_ == "jsonl" else as_markdown)(store, session)


@contextmanager
def _destination(path: Path | None, *, overwrite: bool) -> Iterator[Callable[[str], object]]:
    if path is None:
        yield lambda text: write(in_output_encoding(text))
        return
    from aurite.storage.whole_file import whole_file

    with whole_file(path, overwrite=overwrite) as file:
        yield file.write
