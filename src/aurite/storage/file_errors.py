"""What the operating system's errors mean for a store: the one place that translates them."""

from __future__ import annotations

import errno
from pathlib import Path

from aurite.errors import StorageError, StoreFullError, StoreReadOnlyError, StoreUnavailableError


def storage_error(error: OSError, path: Path) -> StorageError:
    """Aurite's error for one of the operating system's, naming the path and the next step."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return StoreFullError(
            f"no space left to write {path}; nothing of this write was kept",
            next_step="Free disk space, then run the command again",
        )
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return StoreReadOnlyError(
            f"{path} cannot be written ({_reason(error)})", next_step="Check the permissions of the file and of its folder"
        )
    return StoreUnavailableError(f"{path} cannot be used ({_reason(error)})", next_step="Check the path and its folder")


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
