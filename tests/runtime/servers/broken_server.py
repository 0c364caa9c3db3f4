"""A server that says why it does not start."""

import os
import sys

print("no licence found", os.environ.get("LICENCE_KEY", ""), file=sys.stderr)  # noqa: T201 - what a server does that does not start
sys.exit(3)
