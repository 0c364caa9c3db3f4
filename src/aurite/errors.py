"""Every error that Aurite raises on purpose, on one page.

An error says what failed, which thing it was, and what to try next. ``code`` is stable: scripts and HTTP clients read it, and the
exit status and the HTTP status are mapped from the class in one place each (``cli/errors.py``, ``api/errors.py``).
"""

from __future__ import annotations


class AuriteError(Exception):
    """Something that was asked for could not be done."""

    code = "failed"

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message}. {self.next_step}" if self.next_step else self.message


# Wrong input: the caller has to change what was asked.


class UsageError(AuriteError):
    """The command or call lacks a value, or has one too many."""

    code = "usage"


class SettingsError(AuriteError):
    """A variable of the environment or of ``.env`` has a value that cannot be used."""

    code = "settings"


class InvalidValueError(AuriteError):
    """A value is not JSON, breaks a limit, or a name is not allowed; the message holds the path of the field."""

    code = "invalid_value"


class InvalidDocumentError(AuriteError):
    """A file cannot be read as components; the message holds file and line."""

    code = "invalid_document"


class InvalidComponentError(AuriteError):
    """A component does not fit its type; ``reasons`` has one line per field."""

    code = "invalid_component"

    def __init__(self, message: str, *, reasons: tuple[str, ...] = (), next_step: str | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.reasons = reasons


class UnknownTypeError(AuriteError):
    """There is no component type of that name."""

    code = "unknown_type"


class ComponentNotFoundError(AuriteError):
    """No component has that type and name."""

    code = "component_not_found"


class ComponentExistsError(AuriteError):
    """A component with that type and name is there already."""

    code = "component_exists"


class AmbiguousNameError(AuriteError):
    """A name or reference fits more than one thing; the message lists the candidates."""

    code = "ambiguous"


class RevisionConflictError(AuriteError):
    """The component changed since the caller read it.

    Attributes:
        current: its document now, or None where it is gone.
        revision: its revision now.
        diff: from what is there now to what was to be written, line by line.
    """

    code = "revision_conflict"

    def __init__(
        self, message: str, *, current: str | None, revision: int | None, diff: str = "", next_step: str | None = None
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.current = current
        self.revision = revision
        self.diff = diff


class SessionNotFoundError(AuriteError):
    """No session has that id; it may have been deleted meanwhile."""

    code = "session_not_found"


class SessionExistsError(AuriteError):
    """A session with that id is there already, of another agent or workflow."""

    code = "session_exists"


class NoProjectError(AuriteError):
    """There is no ``.aurite`` here or in any folder above."""

    code = "no_project"


class NotSupportedError(AuriteError):
    """This store cannot do that faithfully, so it refuses."""

    code = "not_supported"


# The store: the operator has to act.


class StorageError(AuriteError):
    """A store failed; what was in it before is still there."""

    code = "storage"


class StoreUnavailableError(StorageError):
    """The store cannot be reached or opened."""

    code = "store_unavailable"


class StoreReadOnlyError(StorageError):
    """The store, or the place where it lies, cannot be written."""

    code = "store_read_only"


class StoreFullError(StorageError):
    """The disk or a quota is full; nothing of the write was kept."""

    code = "store_full"


class StoreBusyError(StorageError):
    """A foreign program held the store for longer than the time-out."""

    code = "store_busy"


class NotAuriteDatabaseError(StorageError):
    """The file or database belongs to something else, or is damaged."""

    code = "not_aurite_database"


class SchemaTooNewError(StorageError):
    """A newer version of Aurite wrote this database."""

    code = "schema_too_new"


class SchemaOutdatedError(StorageError):
    """The database has an older schema that is not upgraded unasked; a database of Aurite 0.4 is one of them."""

    code = "schema_outdated"


class OutcomeUnknownError(StorageError):
    """The connection broke after the commit was sent: the write may or may not be there. Repeating it is safe."""

    code = "outcome_unknown"


# Moving.


class SameStoreError(UsageError):
    """Source and target are one database."""

    code = "same_store"


class TargetNotEmptyError(StorageError):
    """The target of a move holds something already, and nobody said what to do with it."""

    code = "target_not_empty"


class MisfitError(StorageError):
    """Rows of a source cannot be held by the target; ``reasons`` has a line for each, with table and key."""

    code = "misfit"

    def __init__(self, message: str, *, reasons: tuple[str, ...], next_step: str | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.reasons = reasons


class VerificationError(StorageError):
    """The proof of a move failed and nothing was kept; ``differences`` has a line for each row, with table and key."""

    code = "verification_failed"

    def __init__(self, message: str, *, differences: tuple[str, ...], next_step: str | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.differences = differences


# Running agents.


class RunError(AuriteError):
    """A run could not be carried out."""

    code = "run_failed"


class ModelError(RunError):
    """The model's provider refused or failed; the message names provider and model."""

    code = "model_failed"


class MissingKeyError(RunError):
    """The environment lacks the variable that holds the provider's key."""

    code = "missing_key"


class UnknownProviderError(RunError):
    """An llm names a provider that nobody knows; the message lists the known ones."""

    code = "unknown_provider"


class MissingExtraError(RunError):
    """A provider's library is not installed; the message has the ``pip install`` line."""

    code = "missing_extra"


class McpServerError(RunError):
    """An MCP server did not start, or died, or did not answer in time."""

    code = "mcp_server_failed"


class ToolFailedError(RunError):
    """A tool that was called over HTTP did not answer."""

    code = "tool_failed"


class ToolTimeoutError(ToolFailedError):
    """A tool that was called over HTTP did not answer in time."""

    code = "tool_timeout"


# The service.


class NotThereError(AuriteError):
    """Something that is neither a component nor a session is not there: a tool, a file, a project."""

    code = "not_found"


class TakenError(AuriteError):
    """Something that is neither a component nor a session is there already: a file, a project."""

    code = "exists"


class ClientGoneError(AuriteError):
    """The client went away, so what it asked for was cancelled."""

    code = "client_gone"
