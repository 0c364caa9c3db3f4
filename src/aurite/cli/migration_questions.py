"""What the wizard asks: everything with defaults from the environment, or only what is missing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aurite.cli.asking import Declined
from aurite.cli.migration_report import held, is_empty
from aurite.cli.output import printable, remark
from aurite.settings import Secret, Settings
from aurite.transfer.plan import ENGINES, Engine, Said, Side, lacks_user, opposite

if TYPE_CHECKING:
    from aurite.transfer.migrate import MoveReport, OnConflict

_TYPES: dict[str, Engine] = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions about both sides, asked on standard error.

    Args:
        about_everything: ask also for what has a default.
    """

    settings: Settings
    about_everything: bool

    def fill(self, source: Said, target: Said) -> tuple[Said, Said]:
        """Both sides with the answers."""
        source = self._side(source, default=self.settings.db_type)
        return source, self._side(target, default=opposite(source.engine or self.settings.db_type), other=source)

    def _side(self, said: Said, *, default: Engine, other: Said | None = None) -> Said:
        if said.engine is None:
            verb = "Move from" if said.side == "source" else "Move to"
            said = replace(said, engine=_ask(f"{verb} SQLite or PostgreSQL? (sqlite, postgresql)", default, _engine))
        if said.engine == "postgresql":
            return self._server(said)
        return replace(said, path=self._path(said.side, other)) if self.about_everything and said.path is None else said

    def _path(self, side: Side, other: Said | None) -> Path:
        known = self.settings.db_path
        taken = other is not None and other.engine == "sqlite" and Path.cwd() / (other.path or known) == known
        default = None if taken else os.path.relpath(known) if known.is_relative_to(Path.cwd()) else str(known)
        path: Path = _ask(f"Path of the {side}'s file", default, _source_path if side == "source" else _target_path)
        return path

    def _server(self, said: Said) -> Said:
        settings, of = self.settings, f"the {said.side}'s"
        if self.about_everything and settings.db_url is None:
            said = replace(said, host=said.host or _ask(f"Host of {of} server", settings.db_host))
            said = replace(said, port=said.port or _ask(f"Port of {of} server", settings.db_port, _port))
            said = replace(said, name=said.name or _ask(f"Name of {of} database", settings.db_name))
            said = replace(said, user=said.user or _ask(f"User of {of} database", settings.db_user))
        elif lacks_user(said, settings):
            said = replace(said, user=_ask(f"User of {of} database", None))
        return said if said.password is not None else replace(said, password=self._password(said))

    def _password(self, said: Said) -> Secret | None:
        """What was typed; None where the one that is known, or none, is to be used."""
        settings = self.settings
        is_known = (
            settings.password_of(said.side) is not None
            or settings.database_password() is not None
            or settings.db_url is not None
            or settings.secret("PGPASSWORD") is not None
        )
        if is_known and not self.about_everything:
            return None
        user = said.user or settings.db_user or "the user"
        question = f"Password of {user} for the {said.side} [{'the one that is set' if is_known else 'none'}]"
        typed: str = click.prompt(printable(question), default="", show_default=False, hide_input=True, err=True)
        return Secret(typed) if typed else None


def agree(look: MoveReport, on_conflict: OnConflict, *, verify: bool) -> OnConflict:
    """Show what will be done, and return how once somebody agreed.

    Raises:
        Declined: the answer was no.
    """
    remark(f"From {look.source}: {held({table.table: table.read for table in look.tables})}.")
    remark(f"To {look.target}: {'empty' if is_empty(look) else held(look.target_rows)}.")
    remark("Every row is compared before anything is kept." if verify else "Nothing is compared.")
    if is_empty(look):
        _require(confirmed=click.confirm("Go ahead?", default=True, err=True))
        return on_conflict
    if on_conflict == "fail":
        on_conflict = _ask("What is in both: skip it, replace it, or stop? (skip, replace, stop)", "stop", _on_conflict)
        _require(confirmed=on_conflict != "fail")
    question = "Replace what is in both?" if on_conflict == "replace" else "Go ahead?"
    _require(confirmed=click.confirm(question, default=on_conflict == "skip", err=True))
    return on_conflict


def _require(*, confirmed: bool) -> None:
    if not confirmed:
        raise Declined


def _ask(question: str, default: Any, read: Callable[[str], Any] = str) -> Any:
    """The answer as read; a wrong one is told, and asked for again."""
    shown = question if default is None else f"{question} [{default}]"
    return click.prompt(printable(shown), default=default, show_default=False, value_proc=lambda text: read(str(text)), err=True)


def _engine(text: str) -> Engine:
    if text.strip().lower() not in _TYPES:
        raise click.BadParameter(f"{text!r} is none of {', '.join(ENGINES)}")
    return _TYPES[text.strip().lower()]


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= 65535):
        raise click.BadParameter(f"{text!r} is not a whole number from 1 to 65535")
    return int(text)


def _source_path(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_file():
        raise click.BadParameter(f"there is no database at {printable(text)}")
    return path


def _target_path(text: str) -> Path:
    path = Path(text).expanduser()
    if path.is_dir():
        raise click.BadParameter(f"{printable(text)} is a folder")
    return path


def _on_conflict(text: str) -> OnConflict:
    answers: dict[str, OnConflict] = {"skip": "skip", "replace": "replace", "stop": "fail"}
    if text.strip().lower() not in answers:
        raise click.BadParameter(f"{text!r} is none of {', '.join(answers)}")
    return answers[text.strip().lower()]
