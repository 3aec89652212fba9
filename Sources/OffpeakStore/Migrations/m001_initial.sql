-- Ids: a job's id is its batch's id times 2^32, plus its number within the batch (from 1). So the rows of one batch lie
-- together in every table keyed by job, in input order, and need no index of their own.
-- Times are milliseconds since 1970-01-01 UTC, made by the program.

CREATE TABLE migration (
    version INTEGER PRIMARY KEY,
    checksum INTEGER NOT NULL
) STRICT;

-- One submitted file. state: 0 intake (not yet sealed), 1 open, 2 cancelled, 3 being deleted.
CREATE TABLE batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    class TEXT NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    priority INTEGER,
    deadline INTEGER,
    created INTEGER NOT NULL,
    sealed INTEGER,
    finished INTEGER,
    acknowledged INTEGER NOT NULL DEFAULT 0 CHECK (acknowledged IN (0, 1)),
    source_path TEXT,
    source_size INTEGER,
    source_mtime_ns INTEGER,
    source_inode INTEGER,
    source_device INTEGER,
    source_head_hash INTEGER,
    options TEXT NOT NULL,
    committed_offset INTEGER NOT NULL DEFAULT 0,
    committed_lines INTEGER NOT NULL DEFAULT 0,
    last_number INTEGER NOT NULL DEFAULT 0,
    CHECK (state IN (0, 3) OR sealed IS NOT NULL)
) STRICT;

-- Input lines that were left out of a batch, and why.
CREATE TABLE rejection (
    batch INTEGER NOT NULL,
    line INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (batch, line)
) STRICT, WITHOUT ROWID;

-- Jobs of one batch that are alike to the scheduler. The counters change in the same transaction as the jobs, so that
-- nobody ever has to count jobs.
CREATE TABLE flow (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    batch INTEGER NOT NULL REFERENCES batch (id),
    class TEXT NOT NULL,
    model TEXT NOT NULL,
    endpoint INTEGER NOT NULL,
    held_reason TEXT,
    held_until INTEGER,
    ready INTEGER NOT NULL DEFAULT 0 CHECK (ready >= 0),
    in_flight INTEGER NOT NULL DEFAULT 0 CHECK (in_flight >= 0),
    succeeded INTEGER NOT NULL DEFAULT 0 CHECK (succeeded >= 0),
    parked INTEGER NOT NULL DEFAULT 0 CHECK (parked >= 0),
    scheduled INTEGER NOT NULL DEFAULT 0 CHECK (scheduled >= 0),
    failed INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    cancelled INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    input_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    UNIQUE (batch, class, model, endpoint)
) STRICT;

-- One input line. Narrow, because every change of state rewrites the page it is on.
-- state: 0 ready, 1 in flight, 2 succeeded, 3 parked, 4 scheduled, 5 failed, 6 cancelled.
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    flow INTEGER NOT NULL,
    line INTEGER NOT NULL,
    custom_id TEXT NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 6),
    due INTEGER,
    lease INTEGER NOT NULL,
    attempts_used INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    max_output INTEGER,
    CHECK ((state = 4) = (due IS NOT NULL))
) STRICT;

-- The rowid at the end of every index entry gives the order by id.
CREATE INDEX job_ready ON job (flow) WHERE state = 0;
CREATE INDEX job_scheduled ON job (flow, due) WHERE state = 4;

-- The request body, byte for byte; never changed.
CREATE TABLE payload (
    job INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

-- The recorded answer; only ever inserted, so the primary key is what makes a second one impossible.
CREATE TABLE result (
    job INTEGER PRIMARY KEY,
    lease INTEGER NOT NULL,
    status_code INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- Why a job failed or is parked.
CREATE TABLE failure (
    job INTEGER PRIMARY KEY,
    failure_class TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    status_code INTEGER NOT NULL
) STRICT;

-- One sending of one job; written before a byte leaves. outcome: 0 begun, 1 succeeded, 2 failed, 3 unknown.
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    started INTEGER NOT NULL,
    reserved_tokens INTEGER NOT NULL,
    passed_over TEXT,
    outcome INTEGER NOT NULL CHECK (outcome BETWEEN 0 AND 3),
    ended INTEGER,
    status_code INTEGER,
    input_tokens INTEGER,
    cached_tokens INTEGER,
    output_tokens INTEGER,
    disposition TEXT,
    reason TEXT,
    failure_class TEXT,
    code TEXT,
    message TEXT,
    request_id TEXT,
    CHECK ((outcome = 0) = (ended IS NULL))
) STRICT;

CREATE UNIQUE INDEX attempt_of_job ON attempt (job, lease);
CREATE INDEX attempt_open ON attempt (job) WHERE outcome = 0;

-- What a key has used on one calendar day; days are counted by the program in the configured time zone.
CREATE TABLE key_day (
    key TEXT NOT NULL,
    day INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    PRIMARY KEY (key, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE key_memory (
    key TEXT PRIMARY KEY,
    health TEXT NOT NULL,
    reason TEXT NOT NULL,
    blocked_until INTEGER,
    learned_requests INTEGER,
    learned_window INTEGER,
    use_of_limit INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a person has paused. kind: 0 a workload class, 1 a key.
CREATE TABLE pause (
    kind INTEGER NOT NULL CHECK (kind IN (0, 1)),
    name TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- The number of the last tick that was committed: tells after a failed COMMIT whether it took effect.
CREATE TABLE tick (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL
) STRICT;
INSERT INTO tick (id, number) VALUES (1, 0);
