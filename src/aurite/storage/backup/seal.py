"""The seal of a backup: the digest of all bytes of its file, which lies in the file itself."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

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
        (place,) = _places(file, word.encode())
        file.seek(place)
        file.write(seal.encode())


def seal_of(path: Path, word: str) -> str | None:
    """The digest of a file with zeros in place of a word that it holds once; None where it does not."""
    try:
        with path.open("rb") as file:
            places = _places(file, word.encode())
            return _digest(file, places[0]) if len(places) == 1 else None
    except OSError as error:
        raise storage_error(error, path) from error


def _places(file: BinaryIO, word: bytes) -> list[int]:
    """Where a word stands in a file, which is read piece by piece; each piece begins with the end of the one before."""
    places: list[int] = []
    file.seek(0)
    start, piece = 0, b""
    while block := file.read(_STEP):
        piece += block
        at = piece.find(word)
        while at >= 0:
            places.append(start + at)
            at = piece.find(word, at + 1)
        kept = min(len(piece), len(word) - 1)
        start += len(piece) - kept
        piece = piece[len(piece) - kept :]
    return places


def _digest(file: BinaryIO, place: int) -> str:
    """The digest of a file with zeros from a place on, as many as a seal has characters."""
    digest = hashlib.blake2b(digest_size=SEAL_BYTES)
    file.seek(0)
    left = place
    while left and (block := file.read(min(_STEP, left))):
        digest.update(block)
        left -= len(block)
    digest.update(_ZEROS)
    file.seek(place + len(_ZEROS))
    while block := file.read(_STEP):
        digest.update(block)
    return digest.hexdigest()
