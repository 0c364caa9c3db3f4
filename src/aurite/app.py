"""Aurite itself: the one place that puts settings, stores, configuration and runtime together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aurite.config.manager import ConfigManager
from aurite.config.workspace import Context, discover
from aurite.errors import InvalidValueError
from aurite.model.records import Author
from aurite.settings import Settings
from aurite.storage.ports import ComponentStore, SessionStore
from aurite.stores import open_database

if TYPE_CHECKING:
    from aurite.runtime.plan import Plan
    from aurite.runtime.results import AgentRunResult, WorkflowRunResult
    from aurite.runtime.runner import Runner
    from aurite.runtime.tools import ToolListing, ToolOutput
    from aurite.storage.engine import Database
    from aurite.storage.files.entries import Parsed
    from aurite.storage.files.store import FileComponentStore
    from aurite.transfer.export import ExportReport
    from aurite.transfer.imports import Format, ImportReport


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
        from aurite.storage.files.store import FileComponentStore

        return self._closed_later(
            FileComponentStore(self.context.sources, problems=self.context.problems, always_scan=self.settings.force_refresh)
        )

    def database(self) -> Database:
        """The database that the settings name, whichever mode is on; made with the current schema where it is empty.

        Raises:
            StorageError: it cannot be opened or is not one of ours.
        """
        return self._database

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
        """Where sessions are kept in this mode; a run whose process died is ``interrupted`` at the next look."""
        from aurite.runtime.owner import is_abandoned
        from aurite.storage.watched_sessions import watched

        if self.settings.enable_db:
            from aurite.storage.sessions import SqlSessionStore

            return watched(SqlSessionStore(self.database()), is_abandoned)
        from aurite.storage.session_files.store import FileSessionStore

        return watched(FileSessionStore(self.settings.root / ".aurite_cache"), is_abandoned)

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
        """The components of a document that lies outside the store; see :func:`aurite.storage.files.documents.parse_document`."""
        from aurite.storage.files.documents import parse_document

        return parse_document(raw, suffix, places=True)

    def export(self, *, dry_run: bool = False, prune: bool = False, skip_invalid: bool = False) -> ExportReport:
        """Put the components of files into the database; see :func:`aurite.transfer.export.export`."""
        from aurite.transfer.export import export

        author = Author("export", self.author.user)
        return export(self.files, self.database_components, author=author, dry_run=dry_run, prune=prune, skip_invalid=skip_invalid)

    def import_(self, folder: Path, *, format: Format = "json", skip_invalid: bool = False) -> ImportReport:
        """Write the components of the database as files; see :func:`aurite.transfer.imports.import_components`."""
        from aurite.storage.files.project_folder import ProjectFolder
        from aurite.transfer.imports import import_components

        place = ProjectFolder(self.start_dir / folder)
        return import_components(self.database_components, place, format=format, skip_invalid=skip_invalid)

    # Running.

    async def run_agent(
        self, agent_name: str, user_message: str, *, system_prompt: str | None = None, session_id: str | None = None
    ) -> AgentRunResult:
        """The result of one run of an agent; see :meth:`aurite.runtime.runner.Runner.run_agent`."""
        return await self._runner.run_agent(agent_name, user_message, system_prompt=system_prompt, session_id=session_id)

    def stream_agent(
        self,
        agent_name: str,
        user_message: str,
        *,
        system_prompt: str | None = None,
        session_id: str | None = None,
        shows_history: bool = False,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The events of one run of an agent as they happen; see :meth:`aurite.runtime.runner.Runner.stream_agent`."""
        return self._runner.stream_agent(
            agent_name, user_message, system_prompt=system_prompt, session_id=session_id, shows_history=shows_history
        )

    async def plan_agent(self, agent_name: str, *, system_prompt: str | None = None) -> Plan:
        """What a run of an agent would work with; see :meth:`aurite.runtime.runner.Runner.plan_agent`."""
        return await self._runner.plan_agent(agent_name, system_prompt=system_prompt)

    async def run_linear_workflow(
        self, workflow_name: str, initial_input: Any, *, session_id: str | None = None
    ) -> WorkflowRunResult:
        """The result of one run of a linear workflow; see :meth:`aurite.runtime.runner.Runner.run_workflow`."""
        return await self.run_workflow(workflow_name, initial_input, type="linear_workflow", session_id=session_id)

    async def run_graph_workflow(
        self, workflow_name: str, initial_input: Any, *, session_id: str | None = None
    ) -> WorkflowRunResult:
        """The result of one run of a graph workflow; see :meth:`aurite.runtime.runner.Runner.run_workflow`."""
        return await self.run_workflow(workflow_name, initial_input, type="graph_workflow", session_id=session_id)

    async def run_custom_workflow(
        self, workflow_name: str, initial_input: Any, *, session_id: str | None = None
    ) -> WorkflowRunResult:
        """The result of one run of a custom workflow; see :meth:`aurite.runtime.runner.Runner.run_workflow`."""
        return await self.run_workflow(workflow_name, initial_input, type="custom_workflow", session_id=session_id)

    async def run_workflow(
        self, workflow_name: str, initial_input: Any, *, type: str | None = None, session_id: str | None = None
    ) -> WorkflowRunResult:
        """The result of one run of a workflow of any type; see :meth:`aurite.runtime.runner.Runner.run_workflow`."""
        return await self._runner.run_workflow(workflow_name, initial_input, type=type, session_id=session_id)

    def stream_workflow(
        self, workflow_name: str, initial_input: Any, *, type: str | None = None, session_id: str | None = None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The events of one run of a workflow; see :meth:`aurite.runtime.runner.Runner.stream_workflow`."""
        return self._runner.stream_workflow(workflow_name, initial_input, type=type, session_id=session_id)

    async def list_tools(self, *servers: str) -> ToolListing:
        """The tools of these MCP servers, or of all; see :meth:`aurite.runtime.tools.Tools.of`."""
        return await self._runner.tools.of(servers or None)

    async def call_tool(self, name: str, arguments: Mapping[str, Any] | None = None) -> ToolOutput:
        """What a tool answered; see :meth:`aurite.runtime.tools.Tools.call`."""
        return await self._runner.tools.call(name, arguments or {})

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
        # A command ends before it could hear of anything.
        database = open_database(self.settings, watch=self.author.writer != "cli")
        self._closing.append(database.close)
        return database

    @cached_property
    def _runner(self) -> Runner:
        from aurite.runtime.runner import Runner

        return Runner(self.config, self.sessions, self.settings)

    def _register(self, type_: str, config: Mapping[str, Any]) -> Registration:
        if not isinstance(config, Mapping):
            raise InvalidValueError(f"a component is registered by its document, not by a Python {type(config).__name__}")
        self.config.register_component_in_memory(type_, dict(config))
        return Registration()

    def _closed_later(self, store: FileComponentStore) -> FileComponentStore:
        self._closing.append(store.close)
        return store
