"""The seal of a backup: the digest of all bytes of its file, which lies in the file itself."""

from __future__ import annotations

import hashlib
import mmap
from pathlib import Path

import apsw

from aurite.errors import StoreUnavailableError
from aurite.storage.file_errors import storage_error

SEAL_BYTES = 32
_ZEROS = b"0" * (2 * SEAL_BYTES)
_STEP = 1024 * 1024


def write_seal(path: Path) -> None:
    """Put the seal into a finished file in place of the word that stands where it shall be.

    Raises:
        StorageError: the file cannot be sealed.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    word: str = connection.execute("SELECT digest FROM backup_seal").get
    connection.close()
    seal = seal_of(path, word)
    if seal is None:
        raise StoreUnavailableError(f"the backup {path} cannot be sealed", next_step="Run the command again")
    with path.open("r+b") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            place = content.find(word.encode())
        file.seek(place)
        file.write(seal.encode())


def seal_of(path: Path, word: str) -> str | None:
    """The digest of a file with zeros in place of a word that it holds once; None where it does not."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            place = content.find(word.encode())
            if place < 0 or content.find(word.encode(), place + 1) >= 0:
                return None
            digest = hashlib.blake2b(digest_size=SEAL_BYTES)
            for start in range(0, place, _STEP):
                digest.update(content[start : min(start + _STEP, place)])
            digest.update(_ZEROS)
            for start in range(place + len(_ZEROS), len(content), _STEP):
                digest.update(content[start : start + _STEP])
            return digest.hexdigest()
    except OSError as error:
        raise storage_error(error, path) from error
