"""PostgreSQL as a store: connections, the schema, errors, and hearing of changes by other processes."""
