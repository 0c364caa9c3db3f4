"""What requests about the system bring, and what their answers hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from aurite.api.models import Body, Document
from aurite.model.names import MAX_NAME


class SystemInfo(BaseModel):
    platform: str
    platform_version: str
    python_version: str
    python_implementation: str
    hostname: str
    cpu_count: int
    architecture: str
    os_details: dict[str, str]


class FrameworkVersion(BaseModel):
    version: str
    name: str
    description: str
    authors: list[str]
    license: str
    repository: str
    python_requirement: str


class SystemCapabilities(BaseModel):
    mcp_support: bool
    api_enabled: bool
    cli_enabled: bool
    tui_enabled: bool
    available_transports: list[str]
    supported_llm_providers: list[str]
    storage_backends: list[str]
    optional_features: dict[str, bool]


class EnvironmentVariable(BaseModel):
    name: str
    value: str | None
    is_sensitive: bool


class EnvironmentUpdate(Body):
    variables: dict[Annotated[str, Field(max_length=MAX_NAME)], Annotated[str, Field(max_length=32768)]] = Field(max_length=100)


class EnvironmentUpdated(BaseModel):
    updated: list[str]
    errors: list[str]
    status: Literal["success", "partial"]


class DependencyInfo(BaseModel):
    name: str
    version: str
    location: str | None
    summary: str | None


class DependencyHealth(BaseModel):
    name: str
    installed: bool
    version: str | None
    importable: bool
    error: str | None


class SystemMetrics(BaseModel):
    timestamp: str
    cpu_percent: float
    memory_usage: Document
    disk_usage: Document
    process_info: Document
    python_info: Document


class ActiveProcess(BaseModel):
    name: str
    pid: int
    status: str
    cpu_percent: float
    memory_percent: float
    create_time: str
    cmdline: list[str]


class HealthCheckResult(BaseModel):
    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: str
    components: dict[str, Document]
    issues: list[str]
