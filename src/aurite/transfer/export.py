"""Export: the components of one store, put into another as one write."""

from __future__ import annotations

from dataclasses import dataclass

from aurite.errors import InvalidComponentError
from aurite.model.records import Author, Change, Component, Delete, Key, Problem, Put
from aurite.storage.ports import ComponentStore


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export did, or would do."""

    source: str
    target: str
    dry_run: bool
    new: tuple[Key, ...]
    changed: tuple[Key, ...]
    same: tuple[Key, ...]
    extra: tuple[Key, ...]
    """In the target alone; deleted where ``pruned``."""
    pruned: bool
    shadowed: tuple[Component, ...]
    """In files, but another file with a higher place wins; not exported."""
    problems: tuple[Problem, ...]
    """Not exported, because they cannot be read or are not valid."""


def export(
    source: ComponentStore,
    target: ComponentStore,
    *,
    author: Author,
    dry_run: bool = False,
    prune: bool = False,
    skip_invalid: bool = False,
) -> ExportReport:
    """Make the target hold the source's components, in one write: all or nothing. Equal ones stay untouched.

    Args:
        dry_run: write nothing, tell what would be written.
        prune: delete what only the target holds.
        skip_invalid: leave out what is not valid; without it, one bad entry means that nothing is written.

    Raises:
        InvalidComponentError: the source has problems, and they may not be skipped; ``reasons`` has a line for each.
        StorageError: a store failed; the target is as it was.
    """
    found = source.load()
    if found.problems and (not dry_run or (prune and skip_invalid)):
        _refuse_problems(found.problems, prune=prune, skip_invalid=skip_invalid)
    there = target.load()
    broken = {(problem.type, problem.name) for problem in there.problems}
    components = found.components
    keys = sorted(components)
    new = [key for key in keys if key not in there.components and key not in broken]
    same = [key for key in keys if key in there.components and there.components[key].document == components[key].document]
    settled = {*new, *same}
    changed = [key for key in keys if key not in settled]
    extra = [key for key in sorted(there.components) if key not in components]
    if not dry_run:
        changes: list[Change] = [
            Put(*key, document=components[key].document, provenance=components[key].provenance) for key in new + changed
        ]
        changes += [Delete(*key) for key in extra if prune]
        if changes:
            target.write(changes, author=author)
    return ExportReport(
        source=source.location,
        target=target.location,
        dry_run=dry_run,
        new=tuple(new),
        changed=tuple(changed),
        same=tuple(same),
        extra=tuple(extra),
        pruned=prune and not dry_run,
        shadowed=found.shadowed,
        problems=found.problems,
    )


def _refuse_problems(problems: tuple[Problem, ...], *, prune: bool, skip_invalid: bool) -> None:
    if skip_invalid and not prune:
        return
    what = f"{len(problems)} {'entry is' if len(problems) == 1 else 'entries are'} not valid, nothing was exported"
    raise InvalidComponentError(
        f"{what}; the first: {problems[0]}",
        reasons=tuple(map(str, problems)),
        next_step="Mend them; pruning beside unreadable files could delete what they hold"
        if prune
        else "Mend them, or leave them out with --skip-invalid",
    )
