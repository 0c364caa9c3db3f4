"""A server that never says a word."""

import sys
import time

print("waiting for the moon", file=sys.stderr, flush=True)  # noqa: T201 - what a slow server does
time.sleep(60)
