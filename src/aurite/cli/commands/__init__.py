"""One module per command. ``aurite.cli.main`` has the table that finds them, and imports only the one that is called."""
