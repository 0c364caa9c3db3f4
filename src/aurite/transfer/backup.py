"""Backup and restore: a database as one file that proves itself, and back into any database."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version

from aurite.errors import InvalidValueError, StorageError, VerificationError
from aurite.storage.backup.file import BackupFile, OpenBackup, Proof
from aurite.storage.backup.manifest import SHORT_DIGEST, Block, Manifest, TableManifest
from aurite.storage.copytext import key_of
from aurite.storage.moving import Movable
from aurite.storage.tables import TABLES, Table
from aurite.transfer.migrate import MoveReport, OnConflict, Progress, migrate
from aurite.transfer.verify import Difference, Tally, sorts_before

_BLOCK = 1000
_REPORT_EVERY = 500
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup holds."""

    file: str
    bytes: int
    manifest: Manifest
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a look at a backup found."""

    file: str
    bytes: int
    manifest: Manifest
    differences: tuple[str, ...]
    """A line for each, with the table, and the row where it could be found; empty where the backup is as it was made."""
    seconds: float


def back_up(
    source: Movable, file: BackupFile, *, engine: str, overwrite: bool = False, progress: Progress = lambda *_: None
) -> BackupReport:
    """Copy a database into a file, in one consistent look while others write on; the file is there whole or not at all.

    Args:
        engine: what the source is: ``sqlite`` or ``postgresql``.
        overwrite: the file may take the place of another one.

    Raises:
        VerificationError: what was written is not what was read; nothing was kept.
        StorageError: the source cannot be read or the file not be written; nothing was kept.
    """
    started = time.monotonic()
    with file.draft(overwrite=overwrite, source=source.location) as draft:
        moved = migrate(source, draft.movable, verify=False, progress=progress)
        expected = {report.table: report for report in moved.tables}
        with draft.proving() as proof:
            tables = []
            for table in TABLES.values():
                found = _proven(proof, table, expected[table.name].read, progress)
                if (found.rows, found.digest) != (expected[table.name].read, expected[table.name].digest):
                    raise _not_the_source(table)
                tables.append(found)
            manifest = Manifest(
                made_at=time.time_ns() // 1000,
                made_by=version("aurite"),
                engine=engine,
                location=source.location,
                schema_version=proof.schema_version(),
                tables=tuple(tables),
            )
            proof.note(manifest)
        draft.seal()
    return BackupReport(str(file.path), file.path.stat().st_size, manifest, time.monotonic() - started)


def check_backup(file: BackupFile, *, progress: Progress = lambda *_: None) -> CheckReport:
    """Compare a backup with its own manifest: every byte, every row, and whether it is sound as a database.

    Raises:
        NotAuriteDatabaseError: it is no backup.
        StorageError: it is not there, or cannot be read at all.
    """
    started = time.monotonic()
    changed = file.changed_bytes()
    with file.opened() as backup:
        differences = _differences(backup, progress)
        manifest = backup.manifest
    if changed and not differences:
        differences = ["the file has other bytes than when it was made, outside of its rows"]
    return CheckReport(str(file.path), file.path.stat().st_size, manifest, tuple(differences), time.monotonic() - started)


def restore(
    file: BackupFile,
    target: Movable,
    *,
    on_conflict: OnConflict = "fail",
    dry_run: bool = False,
    progress: Progress = lambda *_: None,
) -> MoveReport:
    """Move a backup into a database, once it was found to be as it was made; see :func:`aurite.transfer.migrate.migrate`.

    Raises:
        VerificationError: the backup is damaged, or the target's rows are not those of the backup; the target is as it was.
        StorageError: as for ``migrate``.
    """
    checked = check_backup(file, progress=progress)
    if checked.differences:
        count = len(checked.differences)
        more = f" (and {count - 1} more)" if count > 1 else ""
        raise VerificationError(
            f"the backup {file.path} is not as it was made: {checked.differences[0]}{more}; nothing was restored",
            differences=checked.differences,
            next_step=f"Use another backup; what can still be read of this one moves with aurite migrate --source-path {file.path}",
        )
    with file.movable(checked.manifest.schema_version) as source:
        moved = migrate(source, target, on_conflict=on_conflict, dry_run=dry_run, progress=progress)
    return replace(moved, source=str(file.path))


def _proven(proof: Proof, table: Table, total: int, progress: Progress) -> TableManifest:
    tally = Tally()
    proof.note_rows(table, _blocks(_told(proof.lines(table), table, total, progress), tally))
    return TableManifest(table, tally.rows, tally.digest)


def _blocks(lines: Iterable[bytes], tally: Tally) -> Iterator[Block]:
    first, digests = b"", bytearray()
    for line in tally.watching(lines):
        if not digests:
            first = line
        digests += short_digest(line)
        if len(digests) == _BLOCK * SHORT_DIGEST:
            yield Block(first, bytes(digests))
            digests.clear()
    if digests:
        yield Block(first, bytes(digests))


def short_digest(line: bytes) -> bytes:
    """A few bytes that tell one row from another."""
    return hashlib.blake2b(line, digest_size=SHORT_DIGEST).digest()


def _differences(backup: OpenBackup, progress: Progress) -> list[str]:
    """What is not as it was: rows where they can be found, else their table, and what is wrong with the file as a database."""
    found: list[str] = []
    for entry in backup.manifest.tables:
        name = entry.table.name
        try:
            if not _is_proven(backup, entry, progress):
                found += [*map(str, _damaged_rows(backup, entry.table))] or [f"{name} has other rows than when it was made"]
        except InvalidValueError as error:
            found.append(f"{name} has a damaged row: {error.message}")
        except (StorageError, ValueError):
            found.append(f"{name} is damaged; not all of its rows can be read")
    return [*found, *(f"the file is damaged: {text}" for text in backup.damage())][:_MOST_SHOWN]


def _is_proven(backup: OpenBackup, entry: TableManifest, progress: Progress) -> bool:
    tally = Tally().take(_told(backup.lines(entry.table), entry.table, entry.rows, progress))
    return (tally.rows, tally.digest) == (entry.rows, entry.digest)


def _damaged_rows(backup: OpenBackup, table: Table) -> list[Difference]:
    """The rows that are not as they were, by the digests of each block; a row that is gone is known by its block alone."""
    blocks = backup.blocks(table)
    found: list[Difference] = []
    lines = iter(backup.lines(table))
    line = next(lines, None)
    for number, block in enumerate(blocks):
        end = key_of(blocks[number + 1].first, table) if number + 1 < len(blocks) else None
        expected = Counter(block.digests[at : at + SHORT_DIGEST] for at in range(0, len(block.digests), SHORT_DIGEST))
        changed = []
        while line is not None and (end is None or sorts_before(key_of(line, table), end)):
            digest = short_digest(line)
            if expected[digest]:
                expected[digest] -= 1
            else:
                changed.append(Difference(table.name, key_of(line, table), "changed"))
            line = next(lines, None)
        found += changed
        missing = sum(expected.values()) - len(changed)
        if missing > 0:
            what = f"the first of up to {_BLOCK:,}, of which {missing:,} {'is' if missing == 1 else 'are'} missing"
            found.append(Difference(table.name, key_of(block.first, table), what))
    return found


def _told(lines: Iterable[bytes], table: Table, total: int, progress: Progress) -> Iterator[bytes]:
    done = 0
    for line in lines:
        yield line
        done += 1
        if done % _REPORT_EVERY == 0:
            progress("verify", table.name, done, total)
    progress("verify", table.name, done, total)


def _not_the_source(table: Table) -> VerificationError:
    return VerificationError(
        f"the rows of {table.name} in the backup are not the source's; nothing was kept",
        differences=(f"{table.name} is changed",),
        next_step="Check the disk, then run the command again",
    )
