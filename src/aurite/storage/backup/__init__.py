"""A backup: one file that proves itself."""
