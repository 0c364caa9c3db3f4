-- name: tags_of_session [sqlite]
-- A column for listings: tags by code point, joined with a character that no tag may hold.
(SELECT group_concat(tag, char(31)) FROM (SELECT tag FROM session_tags WHERE session_tags.session_id = sessions.session_id ORDER BY tag));

-- name: tags_of_session [postgresql]
-- The same.
(SELECT string_agg(tag, chr(31) ORDER BY tag) FROM session_tags WHERE session_tags.session_id = sessions.session_id);

-- name: insert
-- No row where the session is there already, made by another process meanwhile perhaps.
INSERT INTO sessions (session_id, base_session_id, parent_session_id, kind, name, status, title, message_count, created_at, active_at)
VALUES ($1, $2, $3, $4, $5, 'running', $6, $7, $8, $8) ON CONFLICT DO NOTHING RETURNING session_id;

-- name: start [postgresql]
-- A new session with its run and first messages in one statement, so in one round trip. No row where the session is there already.
WITH made AS (
  INSERT INTO sessions (session_id, base_session_id, parent_session_id, kind, name, status, title, message_count, created_at, active_at)
  SELECT $1, $2, $3, $4, $5, 'running', $6, cardinality($9::text[]), instant, instant
  FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS instant) AS clock
  ON CONFLICT DO NOTHING
  RETURNING session_id, base_session_id, parent_session_id, kind, name, status, title, message_count, created_at, active_at
), begun AS (
  INSERT INTO runs (run_id, session_id, status, started_at, owner) SELECT $7, session_id, 'running', created_at, $8 FROM made
), added AS (
  INSERT INTO messages (session_id, seq, role, document, native, provider, run_id, created_at)
  SELECT session_id, position, role, document, native, provider, run_id, created_at
  FROM made, unnest($9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
    WITH ORDINALITY AS new (role, document, native, provider, run_id, position)
)
SELECT session_id, base_session_id, parent_session_id, kind, name, status, title, message_count, created_at, active_at, NULL
FROM made;

-- name: restart
-- A new run in a session that is there already.
UPDATE sessions SET status = 'running', active_at = $2 WHERE session_id = $1;

-- name: insert_run
INSERT INTO runs (run_id, session_id, status, started_at, owner) VALUES ($1, $2, 'running', $3, $4);

-- name: end_run
UPDATE runs SET status = $3, ended_at = $4, error = $5, result = $6, usage = $7
WHERE run_id = $1 AND session_id = $2 RETURNING run_id;

-- name: end [postgresql]
-- The run and its session in one statement. No row where there is no such run.
WITH ended AS (
  UPDATE runs SET status = $3, ended_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, error = $4, result = $5, usage = $6
  WHERE run_id = $1 AND session_id = $2 RETURNING session_id, status, ended_at
)
UPDATE sessions SET status = ended.status, active_at = ended.ended_at FROM ended
WHERE sessions.session_id = ended.session_id RETURNING sessions.session_id;

-- name: end_session
UPDATE sessions SET status = $2, active_at = $3 WHERE session_id = $1;

-- name: append [postgresql]
-- Count and insert in one statement, so in one round trip; the arrays hold one entry per message. No row where there is no session.
WITH counted AS (
  UPDATE sessions SET message_count = message_count + cardinality($2::text[]) WHERE session_id = $1 RETURNING message_count
), added AS (
  INSERT INTO messages (session_id, seq, role, document, native, provider, run_id, created_at)
  SELECT $1, message_count - cardinality($2::text[]) + position, role, document, native, provider, run_id,
         (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
  FROM counted, unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    WITH ORDINALITY AS new (role, document, native, provider, run_id, position)
)
SELECT message_count FROM counted;

-- name: count_in
-- Make room for $2 messages: the new count is the seq of the last one. Touches no indexed column.
UPDATE sessions SET message_count = message_count + $2 WHERE session_id = $1 RETURNING message_count;

-- name: insert_message
INSERT INTO messages (session_id, seq, role, document, native, provider, run_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: messages
SELECT session_id, seq, role, document, native, provider, run_id, created_at FROM messages
WHERE session_id = $1 AND seq > $2 ORDER BY seq LIMIT $3;

-- name: last_messages
SELECT session_id, seq, role, document, native, provider, run_id, created_at FROM messages
WHERE session_id = $1 ORDER BY seq DESC LIMIT $2;

-- name: runs
SELECT run_id, session_id, status, started_at, ended_at, error, result, usage, owner FROM runs
WHERE session_id = $1 ORDER BY started_at, run_id;

-- name: runs_in_progress
-- Those that have not ended, by their own index.
SELECT run_id, session_id, status, started_at, ended_at, error, result, usage, owner FROM runs
WHERE status = 'running' ORDER BY started_at, run_id;

-- name: interrupt_run
-- No row where it ended meanwhile.
UPDATE runs SET status = 'interrupted', ended_at = $2, error = $3 WHERE run_id = $1 AND status = 'running' RETURNING session_id;

-- name: hold_session
-- Wait for others that start or end runs of it, so that the next statement sees what they did.
UPDATE sessions SET status = status WHERE session_id = $1;

-- name: interrupt_session
UPDATE sessions SET status = 'interrupted'
WHERE session_id = $1 AND status = 'running' AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.session_id = $1 AND runs.status = 'running');

-- name: add_tag
INSERT INTO session_tags (session_id, tag, created_at)
SELECT session_id, CAST($2 AS TEXT), created_at FROM sessions WHERE session_id = $1
ON CONFLICT DO NOTHING;

-- name: remove_tag
DELETE FROM session_tags WHERE session_id = $1 AND tag = $2;

-- name: set_title
UPDATE sessions SET title = $2 WHERE session_id = $1 RETURNING session_id;

-- name: candidates
-- Sessions that a reference may mean, apart from its exact id: a base id stands for the session that opened it.
SELECT session_id FROM sessions WHERE session_id IN ($1, $2)
UNION SELECT session_id FROM sessions WHERE base_session_id IN ($1, $2, $3) AND parent_session_id IS NULL
ORDER BY 1;

-- name: family
-- A session with all that hangs below it: steps by their parent, and by the base id of a workflow.
WITH RECURSIVE family (session_id) AS (
  SELECT session_id FROM sessions WHERE session_id = $1
  UNION
  SELECT sessions.session_id FROM family JOIN sessions
    ON sessions.parent_session_id = family.session_id OR sessions.base_session_id = family.session_id
)
SELECT family.session_id, sessions.message_count FROM family JOIN sessions ON sessions.session_id = family.session_id;

-- name: delete
DELETE FROM sessions WHERE session_id = $1;
