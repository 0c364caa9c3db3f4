"""The tables that hold what users keep, in an order in which each comes after those it refers to."""

from __future__ import annotations

TABLES = ("components", "component_revisions", "sessions", "session_tags", "runs", "messages")
