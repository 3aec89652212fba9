-- Parked and failed jobs: `status` tells why they are, and a run takes up again what the lack of money parked.
CREATE INDEX job_parked ON job (flow) WHERE state = 3;
CREATE INDEX job_failed ON job (flow) WHERE state = 5;

-- Classes that keep no answers either, once these are delivered: `answers` is 0. Then a result's body is the SHA-256 of the
-- answer, and `erased` is 1; the batch counts them and has the moment of the latest.
ALTER TABLE retain ADD COLUMN answers INTEGER NOT NULL DEFAULT 1 CHECK (answers IN (0, 1));
ALTER TABLE result ADD COLUMN erased INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1));
ALTER TABLE batch ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batch ADD COLUMN erased_at INTEGER;
