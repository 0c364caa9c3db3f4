"""MCP servers: where tools come from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from aurite.model.kinds._base import ComponentModel, Part

Transport = Literal["stdio", "http_stream", "local"]

_NEEDS: dict[Transport, str] = {"stdio": "server_path", "http_stream": "http_endpoint", "local": "command"}


class Root(Part):
    """A root that the server is told of."""

    uri: str
    name: str
    capabilities: list[str] = Field(default_factory=list)


class Model(ComponentModel):
    """An MCP server: a Python file (stdio), a URL (http_stream) or a command (local)."""

    type: Literal["mcp_server"] = "mcp_server"
    transport_type: Transport | None = Field(
        None, description="Follows from server_path (stdio), http_endpoint (http_stream) or command (local) where not set."
    )
    server_path: str | None = Field(
        None, description="Python file of the server; relative to the folder of the `.aurite` that owns the component."
    )
    http_endpoint: str | None = Field(None, description="URL of a server that speaks streamable HTTP.")
    headers: dict[str, str] | None = Field(None, description="HTTP headers; `${VAR}` or `{VAR}` is replaced from the environment.")
    command: str | None = Field(None, description="Program that speaks MCP on its standard input and output.")
    args: list[str] | None = Field(None, description="Arguments of the command.")
    roots: list[Root] = Field(default_factory=list, description="Roots that the server is told of.")
    capabilities: list[str] = Field(
        default_factory=lambda: ["tools"], description="What the server offers: tools, prompts, resources."
    )
    timeout: float = Field(10.0, gt=0, description="Seconds that one call may take.")
    registration_timeout: float = Field(30.0, gt=0, description="Seconds that the start of the server may take.")
    exclude: list[str] | None = Field(None, description="Names of tools, prompts and resources to leave out.")

    @model_validator(mode="after")
    def _has_a_transport(self) -> Model:
        needed = _NEEDS[self.transport]
        if getattr(self, needed) is None:
            raise ValueError(f"transport {self.transport} needs {needed}")
        return self

    @property
    def transport(self) -> Transport:
        """The transport, given or inferred.

        Raises:
            ValueError: nothing says how to reach the server.
        """
        if self.transport_type is not None:
            return self.transport_type
        for transport, field in _NEEDS.items():
            if getattr(self, field) is not None:
                return transport
        raise ValueError("one of server_path, http_endpoint or command must say how to reach the server")
