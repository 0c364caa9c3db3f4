-- What evaluations found. The score is the text of a JSON number, so that no store rounds it; the view has it as a number.

CREATE TABLE evaluation_results (
  result_id TEXT NOT NULL PRIMARY KEY CHECK (length(result_id) BETWEEN 1 AND 255),
  evaluation TEXT NOT NULL CHECK (length(evaluation) BETWEEN 1 AND 255),
  document TEXT NOT NULL CHECK (json_valid(document)),
  component_type TEXT,
  score TEXT CHECK (score IS NULL OR (json_valid(score) AND json_type(score) IN ('integer', 'real'))),
  status TEXT,
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX evaluation_results_by_created ON evaluation_results (created_at DESC, result_id);
CREATE INDEX evaluation_results_by_evaluation ON evaluation_results (evaluation, created_at DESC, result_id);

CREATE VIEW readable_evaluation_results AS
SELECT result_id, evaluation, component_type, CAST(score AS REAL) AS score, status,
       strftime('%Y-%m-%d %H:%M:%S', created_at / 1000000, 'unixepoch') || printf('.%06d', created_at % 1000000) AS created_at,
       document
FROM evaluation_results;
