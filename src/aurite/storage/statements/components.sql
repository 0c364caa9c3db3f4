-- name: version
-- The counter that every change of a component bumps.
SELECT config_version FROM store_meta;

-- name: load
-- Every component, in the order of listings.
SELECT type, name, document, revision, created_at, updated_at, writer, provenance FROM components ORDER BY type, name;

-- name: load_changes
-- What became of each component that changed after a version; a deleted one has no document.
SELECT changed.type, changed.name, document, components.revision, created_at, updated_at, components.writer, components.provenance
FROM (SELECT DISTINCT type, name FROM component_revisions WHERE revision > $1) AS changed
LEFT JOIN components ON components.type = changed.type AND components.name = changed.name;

-- name: lock [sqlite]
-- The counter, while no other writer can change it: BEGIN IMMEDIATE has seen to that.
SELECT config_version FROM store_meta;

-- name: lock [postgresql]
-- The counter, while no other writer of components can change it.
SELECT config_version FROM store_meta FOR UPDATE;

-- name: begin_change [postgresql]
-- Bump the counter and mark the transaction as Aurite's own, so that the triggers for edits by hand keep still.
UPDATE store_meta SET config_version = config_version + 1 RETURNING config_version, set_config('aurite.writer', $1, true);

-- name: end_change [postgresql]
-- Tell the listening processes, when this transaction commits.
SELECT pg_notify('aurite_config', config_version::text) FROM store_meta;

-- name: begin_change [sqlite]
-- Bump the counter and mark the transaction as Aurite's own, so that the triggers for edits by hand keep still.
UPDATE store_meta SET config_version = config_version + 1, writer = $1 RETURNING config_version;

-- name: end_change [sqlite]
-- Take the mark away again, in the same transaction.
UPDATE store_meta SET writer = NULL;

-- name: current
-- What a change is checked against.
SELECT document, revision FROM components WHERE type = $1 AND name = $2;

-- name: current_of_many [postgresql]
-- The same for many components in one round trip; $1 and $2 are arrays of types and names.
SELECT components.type, components.name, document, revision
FROM unnest($1::text[], $2::text[]) AS asked (type, name)
JOIN components ON components.type = asked.type AND components.name = asked.name;

-- name: insert
INSERT INTO components (type, name, document, revision, created_at, updated_at, writer, provenance)
VALUES ($1, $2, $3, $4, $5, $5, $6, $7);

-- name: update
-- Replace the whole value; where it came from stays unless the change says otherwise.
UPDATE components SET document = $3, revision = $4, updated_at = $5, writer = $6, provenance = coalesce($7, provenance)
WHERE type = $1 AND name = $2;

-- name: delete
DELETE FROM components WHERE type = $1 AND name = $2;

-- name: record
-- One line of history per changed component, with its whole value.
INSERT INTO component_revisions (revision, type, name, change, document, provenance, writer, author, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: history
SELECT revision, type, name, change, document, provenance, writer, author, changed_at
FROM component_revisions WHERE type = $1 AND name = $2 ORDER BY revision DESC;
