"""A database of Aurite 0.4 upgraded where it is: its rows taken over into today's tables and proven like those of any move."""

from __future__ import annotations

from aurite.storage.moving import Takeover
from aurite.transfer.migrate import Progress, TableReport, take_over


def upgrade_in_place(database: Takeover, *, progress: Progress = lambda *_: None) -> list[TableReport] | None:
    """What became of each table of today; None where the database is none of 0.4.

    All in one transaction: whatever happens before its end leaves the database as it was. The old tables are kept by other names.

    Raises:
        MisfitError: rows that today's tables cannot hold; ``reasons`` lists them.
        VerificationError: what was written is not what was read.
        StorageError: the database failed.
    """
    with database.conversion() as sides:
        if sides is None:
            return None
        origin, destination = sides
        reports = take_over(origin, destination, progress=progress)
        destination.commit(version=origin.config_version())
        return reports
