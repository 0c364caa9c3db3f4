-- The same tables as on SQLite, for PostgreSQL 12 and later. Instants are microseconds since 1970 UTC; documents are JSON text, never
-- json or jsonb, which lose what this product promises to keep. Keys sort by code point, whatever the database's collation.

CREATE TABLE store_meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  store_id TEXT NOT NULL,
  config_version BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL
) WITH (fillfactor = 50);

CREATE FUNCTION aurite_now() RETURNS BIGINT LANGUAGE sql VOLATILE
AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $$;

CREATE TABLE components (
  type TEXT COLLATE "C" NOT NULL CHECK (length(type) BETWEEN 1 AND 255),
  name TEXT COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
  document TEXT NOT NULL CHECK (document::json IS NOT NULL),
  revision BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL DEFAULT 0,
  updated_at BIGINT NOT NULL DEFAULT 0,
  writer TEXT NOT NULL DEFAULT 'sql',
  provenance TEXT CHECK (provenance::json IS NOT NULL OR provenance IS NULL),
  PRIMARY KEY (type, name)
);

CREATE TABLE component_revisions (
  revision BIGINT NOT NULL,
  type TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  change TEXT NOT NULL CHECK (change IN ('create', 'update', 'delete')),
  document TEXT CHECK (document::json IS NOT NULL OR document IS NULL),
  provenance TEXT CHECK (provenance::json IS NOT NULL OR provenance IS NULL),
  writer TEXT NOT NULL,
  author TEXT,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (revision, type, name)
);

CREATE INDEX component_revisions_by_component ON component_revisions (type, name, revision);

CREATE TABLE sessions (
  session_id TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(session_id) BETWEEN 1 AND 255),
  base_session_id TEXT COLLATE "C" NOT NULL,
  parent_session_id TEXT COLLATE "C",
  kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('agent', 'workflow')),
  name TEXT COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
  status TEXT COLLATE "C" NOT NULL
    CHECK (status IN ('running', 'completed', 'failed', 'max_iterations_reached', 'cancelled', 'interrupted')),
  title TEXT,
  message_count BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,
  active_at BIGINT NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX sessions_by_created ON sessions (created_at DESC, session_id);
CREATE INDEX sessions_by_active ON sessions (active_at DESC, session_id);
CREATE INDEX sessions_by_name ON sessions (kind, name, created_at DESC, session_id);
CREATE INDEX sessions_by_status ON sessions (status, created_at DESC, session_id);
CREATE INDEX sessions_by_base ON sessions (base_session_id, created_at DESC, session_id);
CREATE INDEX sessions_by_parent ON sessions (parent_session_id, created_at DESC, session_id) WHERE parent_session_id IS NOT NULL;

CREATE TABLE session_tags (
  session_id TEXT COLLATE "C" NOT NULL REFERENCES sessions (session_id) ON DELETE CASCADE,
  tag TEXT COLLATE "C" NOT NULL CHECK (length(tag) BETWEEN 1 AND 255),
  created_at BIGINT NOT NULL,
  PRIMARY KEY (session_id, tag)
);

CREATE INDEX session_tags_by_tag ON session_tags (tag, created_at DESC, session_id);

CREATE TABLE runs (
  run_id TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(run_id) BETWEEN 1 AND 255),
  session_id TEXT COLLATE "C" NOT NULL REFERENCES sessions (session_id) ON DELETE CASCADE,
  status TEXT COLLATE "C" NOT NULL
    CHECK (status IN ('running', 'completed', 'failed', 'max_iterations_reached', 'cancelled', 'interrupted')),
  started_at BIGINT NOT NULL,
  ended_at BIGINT,
  error TEXT,
  result TEXT CHECK (result::json IS NOT NULL OR result IS NULL),
  usage TEXT CHECK (usage::json IS NOT NULL OR usage IS NULL),
  owner TEXT
);

CREATE INDEX runs_by_session ON runs (session_id, started_at, run_id);
CREATE INDEX runs_in_progress ON runs (started_at, run_id) WHERE status = 'running';

CREATE TABLE messages (
  session_id TEXT COLLATE "C" NOT NULL REFERENCES sessions (session_id) ON DELETE CASCADE,
  seq BIGINT NOT NULL CHECK (seq > 0),
  role TEXT NOT NULL,
  document TEXT NOT NULL CHECK (document::json IS NOT NULL),
  native TEXT CHECK (native::json IS NOT NULL OR native IS NULL),
  provider TEXT,
  run_id TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (session_id, seq)
);

-- Edits by hand: the mark aurite.writer is set inside Aurite's own transactions alone. Each row changed by hand bumps the counter once
-- and leaves a revision; the mark is set meanwhile so that the triggers' own writes do not fire them again.

CREATE FUNCTION aurite_changed_by_hand() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  version BIGINT;
  instant BIGINT := aurite_now();
  newest TEXT;
BEGIN
  IF coalesce(current_setting('aurite.writer', true), '') <> '' THEN
    RETURN NULL;
  END IF;
  UPDATE store_meta SET config_version = config_version + 1 RETURNING config_version INTO version;
  PERFORM pg_notify('aurite_config', version::text);
  IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND (OLD.type <> NEW.type OR OLD.name <> NEW.name)) THEN
    INSERT INTO component_revisions (revision, type, name, change, writer, author, changed_at)
    VALUES (version, OLD.type, OLD.name, 'delete', 'sql', session_user, instant);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    SELECT change INTO newest FROM component_revisions
    WHERE type = NEW.type AND name = NEW.name ORDER BY revision DESC LIMIT 1;
    PERFORM set_config('aurite.writer', 'sql', true);
    UPDATE components
      SET revision = version, updated_at = instant, writer = 'sql',
          created_at = CASE WHEN TG_OP = 'INSERT' THEN instant ELSE created_at END
      WHERE type = NEW.type AND name = NEW.name;
    PERFORM set_config('aurite.writer', '', true);
    INSERT INTO component_revisions (revision, type, name, change, document, provenance, writer, author, changed_at)
    VALUES (version, NEW.type, NEW.name, CASE WHEN newest IN ('create', 'update') THEN 'update' ELSE 'create' END,
            NEW.document, NEW.provenance, 'sql', session_user, instant);
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER components_changed_by_hand AFTER INSERT OR UPDATE OR DELETE ON components
FOR EACH ROW EXECUTE FUNCTION aurite_changed_by_hand();

CREATE FUNCTION aurite_truncated_by_hand() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  version BIGINT;
BEGIN
  IF coalesce(current_setting('aurite.writer', true), '') = '' THEN
    UPDATE store_meta SET config_version = config_version + 1 RETURNING config_version INTO version;
    PERFORM pg_notify('aurite_config', version::text);
    INSERT INTO component_revisions (revision, type, name, change, writer, author, changed_at)
    SELECT version, type, name, 'delete', 'sql', session_user, aurite_now() FROM components;
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER components_truncated_by_hand BEFORE TRUNCATE ON components
FOR EACH STATEMENT EXECUTE FUNCTION aurite_truncated_by_hand();

-- For people who read by SQL: the same rows with readable times (in the client's time zone). A field is NULL where PostgreSQL cannot
-- take the text apart, as with \u0000 or half a character in it: one such row must not make a view fail for all others.

CREATE FUNCTION aurite_field(document TEXT, field TEXT) RETURNS TEXT LANGUAGE plpgsql IMMUTABLE
AS $$ BEGIN RETURN document::json ->> field; EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;

CREATE VIEW readable_components AS
SELECT type, name, aurite_field(document, 'description') AS description, revision,
       timestamptz 'epoch' + created_at * interval '1 microsecond' AS created_at,
       timestamptz 'epoch' + updated_at * interval '1 microsecond' AS updated_at,
       writer, aurite_field(provenance, 'source_file') AS source_file, document
FROM components;

CREATE VIEW readable_component_revisions AS
SELECT revision, type, name, change, writer, author,
       timestamptz 'epoch' + changed_at * interval '1 microsecond' AS changed_at, document
FROM component_revisions;

CREATE VIEW readable_sessions AS
SELECT session_id, kind, name, status, title, message_count, base_session_id, parent_session_id,
       timestamptz 'epoch' + created_at * interval '1 microsecond' AS created_at,
       timestamptz 'epoch' + active_at * interval '1 microsecond' AS active_at,
       (SELECT string_agg(tag, ', ' ORDER BY tag) FROM session_tags WHERE session_tags.session_id = sessions.session_id) AS tags
FROM sessions;

CREATE VIEW readable_messages AS
SELECT session_id, seq, role, aurite_field(document, 'content') AS content, aurite_field(document, 'tool_calls') AS tool_calls,
       timestamptz 'epoch' + created_at * interval '1 microsecond' AS created_at, run_id
FROM messages;

CREATE VIEW readable_runs AS
SELECT run_id, session_id, status,
       timestamptz 'epoch' + started_at * interval '1 microsecond' AS started_at,
       timestamptz 'epoch' + ended_at * interval '1 microsecond' AS ended_at,
       (ended_at - started_at) / 1000000.0 AS seconds, error, usage
FROM runs;
