-- What evaluations found. The score is the text of a JSON number, so that no store rounds it; the view has it as a number.

CREATE TABLE evaluation_results (
  result_id TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(result_id) BETWEEN 1 AND 255),
  evaluation TEXT COLLATE "C" NOT NULL CHECK (length(evaluation) BETWEEN 1 AND 255),
  document TEXT NOT NULL CHECK (document::json IS NOT NULL),
  component_type TEXT,
  score TEXT CHECK (score ~ '^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]+)?$'),
  status TEXT,
  created_at BIGINT NOT NULL
);

CREATE INDEX evaluation_results_by_created ON evaluation_results (created_at DESC, result_id);
CREATE INDEX evaluation_results_by_evaluation ON evaluation_results (evaluation, created_at DESC, result_id);

CREATE VIEW readable_evaluation_results AS
SELECT result_id, evaluation, component_type, score::numeric AS score, status,
       timestamptz 'epoch' + created_at * interval '1 microsecond' AS created_at, document
FROM evaluation_results;
