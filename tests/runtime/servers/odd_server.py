"""A server with tool names that providers refuse, pictures, a slow tool, and one that kills it; over HTTP where a port is given."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from mcp.server.mcpserver import Context, Image, MCPServer

server = MCPServer("odd")
PIXEL = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a49444154789c6360000000020001")


@server.tool(name="what.is/the weather today?")
def odd_name(city: str) -> str:
    """A name that no provider takes."""
    return f"odd weather in {city}"


@server.tool()
def picture() -> Any:
    """A picture."""
    return Image(data=PIXEL, format="png")


@server.tool()
def slow(seconds: float) -> str:
    """Takes its time."""
    time.sleep(seconds)
    return "at last"


@server.tool()
def die() -> str:
    """Ends the server in mid-call."""
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


@server.tool()
async def roots(context: Context) -> str:
    """The roots that the server was told of."""
    told = await context.session.list_roots()
    return ", ".join(f"{root.name} at {root.uri}" for root in told.roots)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run()
