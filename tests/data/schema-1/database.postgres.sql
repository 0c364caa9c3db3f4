-- A database of schema 1, as the step that made it and its rows; frozen.

CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL);

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

INSERT INTO store_meta (id, store_id, created_at) VALUES (1, '6b0f5d3e-6f0c-4c8a-9d43-0d9b5d9a4f11', 1763850189000000);
INSERT INTO schema_migrations (version, name, applied_at) VALUES (1, 'initial', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);

SELECT set_config('aurite.writer', 'frozen', false);
INSERT INTO components (type, name, document, revision, created_at, updated_at, writer, provenance) VALUES ('agent', 'gpt é中😀', '{"name": "gpt é中😀", "type": "agent",  "system_prompt": "tab\t \u0000 \ud800 \\N", "llm_config_id": "gpt é中😀"}', 2, 1763850191469134, 1763850191469134, 'export', '{"source_file":"/home/ada/a.json"}');
INSERT INTO components (type, name, document, revision, created_at, updated_at, writer, provenance) VALUES ('llm', 'gpt é中😀', '{"name": "gpt é中😀", "type": "llm", "provider": "openai", "model": "gpt-4", "temperature": -0.0}', 3, 1763850190234567, 1763850192703701, 'cli', NULL);
INSERT INTO component_revisions (revision, type, name, change, document, provenance, writer, author, changed_at) VALUES (1, 'llm', 'gone', 'create', '{"name": "gone", "type": "llm", "provider": "openai", "model": "gpt-4"}', NULL, 'cli', 'ada', 1763850190234567);
INSERT INTO component_revisions (revision, type, name, change, document, provenance, writer, author, changed_at) VALUES (1, 'llm', 'gpt é中😀', 'create', '{"name": "gpt é中😀", "type": "llm", "provider": "openai", "model": "gpt-4", "temperature": 0.0, "n": 1180591620717411303424}', NULL, 'cli', 'ada', 1763850190234567);
INSERT INTO component_revisions (revision, type, name, change, document, provenance, writer, author, changed_at) VALUES (2, 'agent', 'gpt é中😀', 'create', '{"name": "gpt é中😀", "type": "agent",  "system_prompt": "tab\t \u0000 \ud800 \\N", "llm_config_id": "gpt é中😀"}', '{"source_file":"/home/ada/a.json"}', 'export', NULL, 1763850191469134);
INSERT INTO component_revisions (revision, type, name, change, document, provenance, writer, author, changed_at) VALUES (3, 'llm', 'gone', 'delete', NULL, NULL, 'cli', 'ada', 1763850192703701);
INSERT INTO component_revisions (revision, type, name, change, document, provenance, writer, author, changed_at) VALUES (3, 'llm', 'gpt é中😀', 'update', '{"name": "gpt é中😀", "type": "llm", "provider": "openai", "model": "gpt-4", "temperature": -0.0}', NULL, 'cli', 'ada', 1763850192703701);
INSERT INTO sessions (session_id, base_session_id, parent_session_id, kind, name, status, title, message_count, created_at, active_at) VALUES ('agent-x', 'agent-x', NULL, 'agent', 'gpt é中😀', 'completed', 'A 	title', 2, 1763850193938268, 1763850197641969);
INSERT INTO sessions (session_id, base_session_id, parent_session_id, kind, name, status, title, message_count, created_at, active_at) VALUES ('workflow-w', 'workflow-w', NULL, 'workflow', 'Daily', 'failed', NULL, 0, 1763850198876536, 1763850205049371);
INSERT INTO sessions (session_id, base_session_id, parent_session_id, kind, name, status, title, message_count, created_at, active_at) VALUES ('workflow-w-0', 'workflow-w', 'workflow-w', 'agent', 'gpt é中😀', 'failed', NULL, 1, 1763850201345670, 1763850203814804);
INSERT INTO session_tags (session_id, tag, created_at) VALUES ('agent-x', 'keep', 1763850193938268);
INSERT INTO session_tags (session_id, tag, created_at) VALUES ('agent-x', 'ü', 1763850193938268);
INSERT INTO runs (run_id, session_id, status, started_at, ended_at, error, result, usage, owner) VALUES ('00000000000000000000000000000000', 'agent-x', 'completed', 1763850193938268, 1763850197641969, NULL, NULL, '{"requests":1}', 'host 1 2');
INSERT INTO runs (run_id, session_id, status, started_at, ended_at, error, result, usage, owner) VALUES ('11111111111111111111111111111111', 'workflow-w', 'failed', 1763850198876536, 1763850205049371, 'no plan', NULL, NULL, NULL);
INSERT INTO runs (run_id, session_id, status, started_at, ended_at, error, result, usage, owner) VALUES ('22222222222222222222222222222222', 'workflow-w-0', 'failed', 1763850201345670, 1763850203814804, 'no plan', '{"x": null}', NULL, NULL);
INSERT INTO messages (session_id, seq, role, document, native, provider, run_id, created_at) VALUES ('agent-x', 1, 'user', '{"role": "user", "content": "hi\u0000"}', NULL, NULL, '00000000000000000000000000000000', 1763850195172835);
INSERT INTO messages (session_id, seq, role, document, native, provider, run_id, created_at) VALUES ('agent-x', 2, 'assistant', '{"role": "assistant", "content": ""}', '{"kind":"response"}', 'openai', '00000000000000000000000000000000', 1763850196407402);
INSERT INTO messages (session_id, seq, role, document, native, provider, run_id, created_at) VALUES ('workflow-w-0', 1, 'user', '{"role":"user","content":[1.0, 1e2]}', NULL, NULL, NULL, 1763850202580237);
UPDATE store_meta SET config_version = 3;
SELECT set_config('aurite.writer', '', false);
