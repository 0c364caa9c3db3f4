"""Aurite itself: the one place that puts settings, stores, configuration and runtime together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aurite.config.manager import ConfigManager
from aurite.config.workspace import Context, discover
from aurite.errors import NotSupportedError
from aurite.model.records import Author
from aurite.settings import Settings
from aurite.storage.ports import ComponentStore, SessionStore

if TYPE_CHECKING:
    from aurite.runtime.results import AgentRunResult
    from aurite.runtime.runner import Runner
    from aurite.storage.engine import Database
    from aurite.storage.entries import Parsed
    from aurite.storage.files import FileComponentStore
    from aurite.storage.postgres.database import PostgresDatabase
    from aurite.storage.postgres.provision import Creation
    from aurite.storage.sqlite import SqliteDatabase
    from aurite.transfer.export import ExportReport


class Registration:
    """A registration that has been done; it may be awaited, as users of 0.4 do."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


class Aurite:
    """Agents from configuration: its components, its sessions, and the means to run them.

    Stores are opened when they are first used. Use it as an async context manager, or call :meth:`close`, so that MCP servers end
    and files are given back::

        async with Aurite() as aurite:
            result = await aurite.run_agent("Weather Agent", "What is the weather in London?")

    Args:
        start_dir: where to look for the ``.aurite`` of the project, upwards; the current folder where None.
        settings: instead of reading the environment and ``.env``.
        writer: recorded as the origin of changes: ``python``, ``cli``, ``api``.
        home: the folder whose ``.aurite`` comes last among the sources; the user's where None.

    Raises:
        SettingsError: a variable has a value that cannot be used.
    """

    def __init__(
        self,
        start_dir: Path | str | None = None,
        *,
        settings: Settings | None = None,
        writer: str = "python",
        home: Path | None = None,
    ) -> None:
        self.start_dir = Path(start_dir or Path.cwd()).absolute()
        self.settings = settings or Settings.from_env(self.start_dir)
        self.author = Author(writer, self.settings.user)
        self._home = home
        self._closing: list[Callable[[], None]] = []

    # What it is made of.

    @cached_property
    def context(self) -> Context:
        """The project and workspace around the start folder, and the sources of components in their order."""
        return discover(self.start_dir, home=self._home or Path.home())

    @cached_property
    def files(self) -> FileComponentStore:
        """The components in files, whichever mode is on."""
        from aurite.storage.files import FileComponentStore

        return self._closed_later(
            FileComponentStore(self.context.sources, problems=self.context.problems, always_scan=self.settings.force_refresh)
        )

    def database(self) -> Database:
        """The database that the settings name, whichever mode is on; made with the current schema where it is empty.

        Raises:
            StorageError: it cannot be opened or is not one of ours.
        """
        return self._database

    def database_as_it_is(self) -> Database:
        """The database that the settings name, its schema left alone: for looking at it. The caller closes it."""
        return self._postgres(as_it_is=True) if self.settings.db_type == "postgresql" else self._sqlite()

    def upgrade_database(self) -> list[str]:
        """Bring the schema of the database to this version's; the names of the steps that it took.

        Raises:
            StorageError: it cannot be upgraded; it is as before.
        """
        if self.settings.db_type == "sqlite":
            database = self._sqlite()
            database.close()
            return database.steps_taken
        from aurite.storage.postgres.schema import upgrade

        server = self._postgres(as_it_is=True)
        try:
            return [f"{step.version:04d}_{step.name}" for step in upgrade(server)]
        finally:
            server.close()

    def pending_sql(self) -> str:
        """The SQL that would bring the schema of a PostgreSQL database to this version's; empty where nothing is pending.

        Raises:
            NotSupportedError: the database is SQLite, which upgrades by itself.
        """
        if self.settings.db_type == "sqlite":
            raise NotSupportedError(
                "a SQLite database upgrades itself when it is opened, after a backup beside it",
                next_step="Set AURITE_DB_TYPE=postgresql to see the steps for a server",
            )
        from aurite.storage.postgres.schema import pending_script

        database = self._postgres(as_it_is=True)
        try:
            return pending_script(database)
        finally:
            database.close()

    def create_postgres(self, *, admin_user: str, admin_password: str | None, admin_database: str, dry_run: bool) -> Creation:
        """Make the role and the database that the settings name; see ``create_role_and_database``."""
        from aurite.settings import Secret
        from aurite.storage.postgres.provision import create_role_and_database
        from aurite.storage.postgres.target import target_from_settings

        target = target_from_settings(self.settings)
        password = Secret(admin_password) if admin_password else None
        administrator = replace(target, user=admin_user, password=password, dbname=admin_database, schema=None)
        return create_role_and_database(target, administrator, dry_run=dry_run)

    @cached_property
    def components(self) -> ComponentStore:
        """Where components are kept in this mode."""
        return self.database_components if self.settings.enable_db else self.files

    @cached_property
    def database_components(self) -> ComponentStore:
        """The components in the database, whichever mode is on."""
        from aurite.storage.components import SqlComponentStore

        return SqlComponentStore(self.database())

    @cached_property
    def sessions(self) -> SessionStore:
        """Where sessions are kept in this mode."""
        if self.settings.enable_db:
            from aurite.storage.sessions import SqlSessionStore

            return SqlSessionStore(self.database())
        from aurite.storage.session_files import FileSessionStore

        return FileSessionStore(self.settings.root / ".aurite_cache")

    @cached_property
    def config(self) -> ConfigManager:
        """The components in memory.

        Raises:
            StorageError, NoProjectError: they could not be loaded.
        """
        return ConfigManager(self.components, author=self.author, root=self.settings.root)

    @property
    def store_description(self) -> str:
        """Which store components come from, for people: ``files of /path``, ``SQLite database /path``, ..."""
        if not self.settings.enable_db:
            return f"files of {self.files.location}"
        engine = "SQLite" if self.settings.db_type == "sqlite" else "PostgreSQL"
        return f"{engine} database {self.components.location}"

    # Configuration.

    def register_agent(self, config: Mapping[str, Any]) -> Registration:
        """Have an agent for the life of this object; it wins over the store's.

        Raises:
            InvalidComponentError, InvalidValueError.
        """
        return self._register("agent", config)

    def register_llm(self, config: Mapping[str, Any]) -> Registration:
        """Have an llm for the life of this object; see :meth:`register_agent`."""
        return self._register("llm", config)

    def register_mcp_server(self, config: Mapping[str, Any]) -> Registration:
        """Have an MCP server for the life of this object; see :meth:`register_agent`."""
        return self._register("mcp_server", config)

    @staticmethod
    def parse_components(raw: bytes, suffix: str) -> Parsed:
        """The components of a document that lies outside the store; see :func:`aurite.storage.documents.parse_document`."""
        from aurite.storage.documents import parse_document

        return parse_document(raw, suffix, places=True)

    def export(self, *, dry_run: bool = False, prune: bool = False, skip_invalid: bool = False) -> ExportReport:
        """Put the components of files into the database; see :func:`aurite.transfer.export.export`."""
        from aurite.transfer.export import export

        author = Author("export", self.author.user)
        return export(self.files, self.database_components, author=author, dry_run=dry_run, prune=prune, skip_invalid=skip_invalid)

    # Running.

    async def run_agent(
        self, agent_name: str, user_message: str, *, system_prompt: str | None = None, session_id: str | None = None
    ) -> AgentRunResult:
        """The result of one run of an agent; see :meth:`aurite.runtime.runner.Runner.run_agent`."""
        return await self._runner.run_agent(agent_name, user_message, system_prompt=system_prompt, session_id=session_id)

    def stream_agent(
        self, agent_name: str, user_message: str, *, system_prompt: str | None = None, session_id: str | None = None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The events of one run of an agent as they happen; see :meth:`aurite.runtime.runner.Runner.stream_agent`."""
        return self._runner.stream_agent(agent_name, user_message, system_prompt=system_prompt, session_id=session_id)

    # Ending.

    def close(self) -> None:
        """Give back files and connections. Where agents ran, leave the async context or await :meth:`aclose` before."""
        while self._closing:
            self._closing.pop()()

    async def aclose(self) -> None:
        """End the MCP servers, then give back files and connections."""
        if "_runner" in self.__dict__:
            await self._runner.__aexit__(None, None, None)
            del self.__dict__["_runner"]
        self.close()

    async def __aenter__(self) -> Aurite:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # Inside.

    @cached_property
    def _database(self) -> Database:
        database: Database = self._sqlite() if self.settings.db_type == "sqlite" else self._postgres()
        self._closing.append(database.close)
        return database

    def _sqlite(self) -> SqliteDatabase:
        from aurite.storage.sqlite import SqliteDatabase

        return SqliteDatabase(self.settings.db_path, synchronous=self.settings.db_synchronous)

    def _postgres(self, *, as_it_is: bool = False) -> PostgresDatabase:
        from aurite.storage.postgres.database import PostgresDatabase
        from aurite.storage.postgres.target import target_from_settings

        target = target_from_settings(self.settings)
        return PostgresDatabase(
            target,
            force_refresh=self.settings.force_refresh,
            watch=self.author.writer != "cli",  # a command ends before it could hear of anything
            auto_upgrade=self.settings.db_auto_upgrade,
            replica=target.at(self.settings.db_replica_host) if self.settings.db_replica_host else None,
            as_it_is=as_it_is,
        )

    @cached_property
    def _runner(self) -> Runner:
        from aurite.runtime.runner import Runner

        return Runner(self.config, self.sessions, self.settings)

    def _register(self, type_: str, config: Mapping[str, Any]) -> Registration:
        self.config.register_component_in_memory(type_, dict(config))
        return Registration()

    def _closed_later(self, store: FileComponentStore) -> FileComponentStore:
        self._closing.append(store.close)
        return store
