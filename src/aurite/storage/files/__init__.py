"""Components in files: strict reading, editing in place, one transaction over several files."""
