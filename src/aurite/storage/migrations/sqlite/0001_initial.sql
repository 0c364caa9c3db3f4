-- Components with their history, sessions with their messages and runs. Syntax and functions of SQLite 3.37, so that an older
-- sqlite3 can edit the file. Instants are microseconds since 1970 UTC; documents are JSON text.

CREATE TABLE store_meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  store_id TEXT NOT NULL,
  config_version INTEGER NOT NULL DEFAULT 0,
  writer TEXT,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE components (
  type TEXT NOT NULL CHECK (length(type) BETWEEN 1 AND 255),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
  document TEXT NOT NULL CHECK (json_valid(document)),
  revision INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL DEFAULT 0,
  updated_at INTEGER NOT NULL DEFAULT 0,
  writer TEXT NOT NULL DEFAULT 'sql',
  provenance TEXT CHECK (provenance IS NULL OR json_valid(provenance)),
  PRIMARY KEY (type, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE component_revisions (
  revision INTEGER NOT NULL,
  type TEXT NOT NULL,
  name TEXT NOT NULL,
  change TEXT NOT NULL CHECK (change IN ('create', 'update', 'delete')),
  document TEXT CHECK (document IS NULL OR json_valid(document)),
  provenance TEXT CHECK (provenance IS NULL OR json_valid(provenance)),
  writer TEXT NOT NULL,
  author TEXT,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (revision, type, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX component_revisions_by_component ON component_revisions (type, name, revision);

CREATE TABLE sessions (
  session_id TEXT NOT NULL PRIMARY KEY CHECK (length(session_id) BETWEEN 1 AND 255),
  base_session_id TEXT NOT NULL,
  parent_session_id TEXT,
  kind TEXT NOT NULL CHECK (kind IN ('agent', 'workflow')),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
  status TEXT NOT NULL
    CHECK (status IN ('running', 'completed', 'failed', 'max_iterations_reached', 'cancelled', 'interrupted')),
  title TEXT,
  message_count INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  active_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_created ON sessions (created_at DESC, session_id);
CREATE INDEX sessions_by_active ON sessions (active_at DESC, session_id);
CREATE INDEX sessions_by_name ON sessions (kind, name, created_at DESC, session_id);
CREATE INDEX sessions_by_status ON sessions (status, created_at DESC, session_id);
CREATE INDEX sessions_by_base ON sessions (base_session_id, created_at DESC, session_id);
CREATE INDEX sessions_by_parent ON sessions (parent_session_id, created_at DESC, session_id) WHERE parent_session_id IS NOT NULL;

CREATE TABLE session_tags (
  session_id TEXT NOT NULL REFERENCES sessions (session_id) ON DELETE CASCADE,
  tag TEXT NOT NULL CHECK (length(tag) BETWEEN 1 AND 255),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (session_id, tag)
) STRICT, WITHOUT ROWID;

CREATE INDEX session_tags_by_tag ON session_tags (tag, created_at DESC, session_id);

CREATE TABLE runs (
  run_id TEXT NOT NULL PRIMARY KEY CHECK (length(run_id) BETWEEN 1 AND 255),
  session_id TEXT NOT NULL REFERENCES sessions (session_id) ON DELETE CASCADE,
  status TEXT NOT NULL
    CHECK (status IN ('running', 'completed', 'failed', 'max_iterations_reached', 'cancelled', 'interrupted')),
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  error TEXT,
  result TEXT CHECK (result IS NULL OR json_valid(result)),
  usage TEXT CHECK (usage IS NULL OR json_valid(usage)),
  owner TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX runs_by_session ON runs (session_id, started_at, run_id);
CREATE INDEX runs_in_progress ON runs (started_at, run_id) WHERE status = 'running';

-- With a rowid: without one, what a row has beyond 1,002 bytes moves to pages of its own; a message of 1.5 KB took twice the room.
CREATE TABLE messages (
  session_id TEXT NOT NULL REFERENCES sessions (session_id) ON DELETE CASCADE,
  seq INTEGER NOT NULL CHECK (seq > 0),
  role TEXT NOT NULL,
  document TEXT NOT NULL CHECK (json_valid(document)),
  native TEXT CHECK (native IS NULL OR json_valid(native)),
  provider TEXT,
  run_id TEXT,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (session_id, seq)
) STRICT;

-- Edits by hand: the mark store_meta.writer is NULL outside Aurite's own transactions. Each row changed by hand bumps the counter
-- once and leaves a revision; the mark is set meanwhile so that the triggers' own writes do not fire them again.

CREATE TRIGGER components_inserted_by_hand AFTER INSERT ON components
WHEN (SELECT writer FROM store_meta) IS NULL
BEGIN
  UPDATE store_meta SET config_version = config_version + 1, writer = 'sql';
  UPDATE components
    SET revision = (SELECT config_version FROM store_meta),
        created_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000,
        updated_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000,
        writer = 'sql'
    WHERE type = NEW.type AND name = NEW.name;
  INSERT INTO component_revisions (revision, type, name, change, document, provenance, writer, changed_at)
    SELECT revision, type, name,
           CASE WHEN (SELECT change FROM component_revisions
                      WHERE type = NEW.type AND name = NEW.name ORDER BY revision DESC LIMIT 1) IN ('create', 'update')
                THEN 'update' ELSE 'create' END,
           document, provenance, 'sql', updated_at
    FROM components WHERE type = NEW.type AND name = NEW.name;
  UPDATE store_meta SET writer = NULL;
END;

CREATE TRIGGER components_updated_by_hand AFTER UPDATE ON components
WHEN (SELECT writer FROM store_meta) IS NULL
BEGIN
  UPDATE store_meta SET config_version = config_version + 1, writer = 'sql';
  INSERT INTO component_revisions (revision, type, name, change, document, provenance, writer, changed_at)
    SELECT config_version, OLD.type, OLD.name, 'delete', NULL, NULL, 'sql',
           CAST(strftime('%s', 'now') AS INTEGER) * 1000000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000
    FROM store_meta WHERE OLD.type <> NEW.type OR OLD.name <> NEW.name;
  UPDATE components
    SET revision = (SELECT config_version FROM store_meta),
        updated_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000,
        writer = 'sql'
    WHERE type = NEW.type AND name = NEW.name;
  INSERT INTO component_revisions (revision, type, name, change, document, provenance, writer, changed_at)
    SELECT revision, type, name,
           CASE WHEN OLD.type <> NEW.type OR OLD.name <> NEW.name THEN 'create' ELSE 'update' END,
           document, provenance, 'sql', updated_at
    FROM components WHERE type = NEW.type AND name = NEW.name;
  UPDATE store_meta SET writer = NULL;
END;

CREATE TRIGGER components_deleted_by_hand AFTER DELETE ON components
WHEN (SELECT writer FROM store_meta) IS NULL
BEGIN
  UPDATE store_meta SET config_version = config_version + 1;
  INSERT INTO component_revisions (revision, type, name, change, writer, changed_at)
    SELECT config_version, OLD.type, OLD.name, 'delete', 'sql',
           CAST(strftime('%s', 'now') AS INTEGER) * 1000000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000
    FROM store_meta;
END;

-- sqlite3 does not enforce foreign keys unless asked, so a session deleted by hand takes its rows along by trigger.

CREATE TRIGGER sessions_deleted AFTER DELETE ON sessions
BEGIN
  DELETE FROM messages WHERE session_id = OLD.session_id;
  DELETE FROM runs WHERE session_id = OLD.session_id;
  DELETE FROM session_tags WHERE session_id = OLD.session_id;
END;

-- For people who read by SQL: the same rows with readable times (UTC).

CREATE VIEW readable_components AS
SELECT type, name, json_extract(document, '$.description') AS description, revision,
       strftime('%Y-%m-%d %H:%M:%S', created_at / 1000000, 'unixepoch') || printf('.%06d', created_at % 1000000) AS created_at,
       strftime('%Y-%m-%d %H:%M:%S', updated_at / 1000000, 'unixepoch') || printf('.%06d', updated_at % 1000000) AS updated_at,
       writer, json_extract(provenance, '$.source_file') AS source_file, document
FROM components;

CREATE VIEW readable_component_revisions AS
SELECT revision, type, name, change, writer, author,
       strftime('%Y-%m-%d %H:%M:%S', changed_at / 1000000, 'unixepoch') || printf('.%06d', changed_at % 1000000) AS changed_at,
       document
FROM component_revisions;

CREATE VIEW readable_sessions AS
SELECT session_id, kind, name, status, title, message_count, base_session_id, parent_session_id,
       strftime('%Y-%m-%d %H:%M:%S', created_at / 1000000, 'unixepoch') || printf('.%06d', created_at % 1000000) AS created_at,
       strftime('%Y-%m-%d %H:%M:%S', active_at / 1000000, 'unixepoch') || printf('.%06d', active_at % 1000000) AS active_at,
       (SELECT group_concat(tag, ', ') FROM session_tags WHERE session_tags.session_id = sessions.session_id) AS tags
FROM sessions;

CREATE VIEW readable_messages AS
SELECT session_id, seq, role,
       json_extract(document, '$.content') AS content, json_extract(document, '$.tool_calls') AS tool_calls,
       strftime('%Y-%m-%d %H:%M:%S', created_at / 1000000, 'unixepoch') || printf('.%06d', created_at % 1000000) AS created_at,
       run_id
FROM messages;

CREATE VIEW readable_runs AS
SELECT run_id, session_id, status,
       strftime('%Y-%m-%d %H:%M:%S', started_at / 1000000, 'unixepoch') || printf('.%06d', started_at % 1000000) AS started_at,
       strftime('%Y-%m-%d %H:%M:%S', ended_at / 1000000, 'unixepoch') || printf('.%06d', ended_at % 1000000) AS ended_at,
       (ended_at - started_at) / 1000000.0 AS seconds, error, usage
FROM runs;
