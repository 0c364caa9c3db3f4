"""A server that says why it does not start."""

import sys

print("no licence found", file=sys.stderr)  # noqa: T201 - what a server does that does not start
sys.exit(3)
