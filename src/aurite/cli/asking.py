"""Questions before something is overwritten or deleted, and what is done where nobody can answer."""

from __future__ import annotations

import click

from aurite.cli.output import asking_is_possible, printable
from aurite.errors import UsageError

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


def require_consent(question: str, *, yes: bool) -> None:
    """Returns once somebody agreed, by ``--yes`` or by an answer.

    Raises:
        UsageError: nobody agreed beforehand, and there is no terminal to ask on.
        Declined: the answer was no.
    """
    if yes:
        return
    if not asking_is_possible():
        raise UsageError(
            "this deletes or replaces, and there is no terminal to ask on",
            next_step="Give --yes to go ahead, or --dry-run to look first.",
        )
    if not click.confirm(printable(question), err=True):
        raise Declined


class Declined(click.ClickException):
    """The answer was no."""

    def __init__(self) -> None:
        super().__init__("nothing was changed, as you said")
