"""A server that never says a word."""

import time

time.sleep(60)
