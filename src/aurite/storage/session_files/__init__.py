"""Sessions in files: one JSON-lines file each."""
