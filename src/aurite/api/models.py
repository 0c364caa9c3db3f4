"""What requests bring and answers hold, for checking and for the OpenAPI document; names and fields are those of 0.4."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aurite.model.jsontext import MAX_MESSAGE_BYTES
from aurite.model.names import MAX_NAME

NameText = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
ProjectName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$", max_length=MAX_NAME)]
Document = dict[str, Any]


class Body(BaseModel):
    """What a request brings; unknown fields are left out, as in 0.4."""

    model_config = ConfigDict(extra="ignore", strict=False)


# Errors.


class Refusal(BaseModel):
    """A refusal."""

    detail: str
    code: str
    status: int


class Fault(BaseModel):
    loc: list[str | int]
    msg: str
    type: str


class ValidationProblem(BaseModel):
    """A refusal with a place and a message for each fault."""

    detail: list[Fault]
    code: str
    status: int
    message: str


class RunProblem(BaseModel):
    message: str
    error_type: str
    details: Document


class RunRefusal(BaseModel):
    """A refusal or failure of a run."""

    error: RunProblem
    detail: Any
    code: str
    status: int


class ChangedMeanwhile(Refusal):
    """The component changed meanwhile."""

    current: Document | None
    revision: int | None


class Done(BaseModel):
    message: str


# Health.


class HealthStatus(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    status: Literal["ready", "not_ready"]
    code: str | None = Field(description="Why it is not ready.")
    version: int | None = Field(description="The counter of component changes that is loaded.")
    version_lag: int | None = Field(description="How many changes this process has not seen yet.")


# Components.


class ComponentCreate(Body):
    """A new component."""

    name: NameText
    config: dict[Any, Any] = Field(
        description="Its document; in file mode `project`, `workspace` and `file_path` say where it is written."
    )


class ComponentUpdate(Body):
    """The whole new document of a component."""

    config: dict[Any, Any]


class ComponentCreated(BaseModel):
    message: str
    component: Document


class ComponentFindings(BaseModel):
    status: Literal["valid", "invalid"]
    valid: bool
    component_type: str
    component_id: str
    errors: list[str]
    warnings: list[str]


class RevisionEntry(BaseModel):
    revision: int
    change: Literal["create", "update", "delete"]
    document: Document | None
    writer: str
    author: str | None
    changed_at: str


class RevisionList(BaseModel):
    revisions: list[RevisionEntry]


class Rollback(Body):
    """Which value a component shall have again."""

    revision: int = Field(ge=0, le=2**63 - 1)


# Files.


class FileCreate(Body):
    source_name: NameText
    relative_path: str = Field(min_length=1, max_length=1024)
    content: str


class FileUpdate(Body):
    content: str


class SourceInfo(BaseModel):
    name: str
    path: str
    context: Literal["project", "workspace", "user"]
    project_name: str | None
    workspace_name: str | None


# Projects and workspaces.


class ProjectCreate(Body):
    name: ProjectName
    description: str | None = Field(None, max_length=4096)


class ProjectUpdate(Body):
    description: str | None = Field(None, max_length=4096)
    include_configs: list[Annotated[str, Field(min_length=1, max_length=1024)]] | None = Field(None, max_length=100)
    new_name: ProjectName | None = None


class ProjectInfo(BaseModel):
    name: str
    path: str
    is_active: bool
    include_configs: list[str]
    description: str | None = None
    created_at: float | None = None


class WorkspaceInfo(BaseModel):
    name: str
    path: str
    projects: list[str]
    include_configs: list[str]
    is_active: bool
    description: str | None = None


# Tools.


class HostStatus(BaseModel):
    status: Literal["active"]
    tool_count: int


class ToolCallArgs(Body):
    args: dict[Any, Any]


class ToolDetails(BaseModel):
    name: str
    description: str
    server_name: str
    inputSchema: Document  # noqa: N815 - the name that MCP and 0.4 use


class ServerRuntimeInfo(BaseModel):
    name: str
    status: str
    transport_type: str
    tools_count: int
    registration_time: str


class ServerDetailedStatus(BaseModel):
    name: str
    registered: bool
    status: str
    transport_type: str | None
    tools: list[str]
    registration_time: str | None
    session_active: bool


class ServerTestResult(BaseModel):
    status: Literal["success", "failed"]
    server_name: str
    connection_time: float | None
    tools_discovered: list[str] | None
    test_tool_result: Document | None
    error: str | None


class Registered(BaseModel):
    status: Literal["success"]
    name: str


# Runs and their history.


class AgentRun(Body):
    user_message: str = Field(max_length=MAX_MESSAGE_BYTES)
    system_prompt: str | None = None
    session_id: NameText | None = None


class WorkflowRun(Body):
    initial_input: Any
    session_id: NameText | None = None


class AgentResult(BaseModel):
    status: Literal["success", "error", "max_iterations_reached"]
    final_response: Document | None
    conversation_history: list[Document]
    error_message: str | None
    session_id: str | None
    agent_name: str


class WorkflowResult(BaseModel):
    model_config = ConfigDict(extra="allow")

    workflow_name: str
    status: Literal["completed", "failed"]
    final_output: Any
    error: str | None
    session_id: str | None


class LlmMetadata(BaseModel):
    provider: str
    model: str
    temperature: float | None = None
    max_tokens: int | None = None


class LlmTest(BaseModel):
    status: Literal["success"]
    llm_config_id: str
    metadata: LlmMetadata


class Ok(BaseModel):
    model_config = ConfigDict(extra="allow")

    status: str


class SessionMetadata(BaseModel):
    session_id: str
    name: str
    created_at: str | None
    last_updated: str | None
    message_count: int | None
    is_workflow: bool
    agents_involved: dict[str, str] | None
    base_session_id: str | None
    status: str
    title: str | None
    tags: list[str]


class SessionPage(BaseModel):
    sessions: list[SessionMetadata]
    total: int
    offset: int
    limit: int
    next: str | None = Field(description="Give it as `after` to have the next page; null on the last one.")


class ExecutionHistory(BaseModel):
    result_type: str
    execution_result: Document
    metadata: Document


class TagChange(Body):
    add: list[NameText] = Field(default_factory=list, max_length=100)
    remove: list[NameText] = Field(default_factory=list, max_length=100)


class Tags(BaseModel):
    session_id: str
    tags: list[str]


class CleanedUp(BaseModel):
    message: str
    deleted: int
