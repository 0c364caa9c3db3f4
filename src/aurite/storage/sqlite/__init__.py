"""SQLite as a store: the database file, its errors and its care."""
