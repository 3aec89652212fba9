-- What an attempt may cost at most, written before a byte leaves; nano-dollars. `day` is the calendar day (such as 20261124)
-- whose quotas and budgets it uses.
ALTER TABLE attempt ADD COLUMN bill TEXT NOT NULL DEFAULT 'provider';
ALTER TABLE attempt ADD COLUMN lane TEXT NOT NULL DEFAULT 'sync';
ALTER TABLE attempt ADD COLUMN day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN worst_provider INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN worst_platform INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN worst_list INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN worst_tokens INTEGER NOT NULL DEFAULT 0;

-- Everything that reports tell apart. Outlives its batch.
CREATE TABLE account (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    bill TEXT NOT NULL,
    lane TEXT NOT NULL,
    model TEXT NOT NULL,
    class TEXT NOT NULL,
    batch INTEGER NOT NULL,
    UNIQUE (key, bill, lane, model, class, batch)
) STRICT;

-- What each attempt cost, in nano-dollars, and used. Entries are only added: a lost answer that comes after all adds the
-- difference. `requests` and `tokens` are what quotas count: nothing for what was turned away, and the worst case of what
-- was lost. kind: 0 settled, 1 assumed (the answer was lost: the worst case), 2 corrected.
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account (id),
    job INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    day INTEGER NOT NULL,
    recorded INTEGER NOT NULL,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
    input_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    provider INTEGER NOT NULL,
    platform INTEGER NOT NULL,
    credit INTEGER NOT NULL,
    list INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    tokens INTEGER NOT NULL
) STRICT;

CREATE INDEX ledger_of_attempt ON ledger (job, lease);
-- Lost answers are few, and reports tell what was assumed for them apart.
CREATE INDEX ledger_assumed ON ledger (account, day) WHERE kind = 1;

CREATE TRIGGER ledger_keeps_entries BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'ledger entries are never deleted'); END;
CREATE TRIGGER ledger_keeps_amounts BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'ledger entries are never changed'); END;

-- The ledger's sums by account and day, written in the same transaction: what budgets and quotas start from, and what
-- reports read. Beside the sums, the attempt of the first entry and the moments of the first and the last: when traffic moved
-- from one bill to another; NULL while no attempt has left an entry.
CREATE TABLE spend (
    account INTEGER NOT NULL REFERENCES account (id),
    day INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    answers INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    provider INTEGER NOT NULL,
    platform INTEGER NOT NULL,
    credit INTEGER NOT NULL,
    list INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    first_job INTEGER,
    first_lease INTEGER,
    first_recorded INTEGER,
    last_recorded INTEGER,
    PRIMARY KEY (account, day)
) STRICT, WITHOUT ROWID;

-- Classes that keep no prompts. When one of their jobs has ended, its payload is the SHA-256 of the prompt, and `erased` is 1.
CREATE TABLE retain (
    class TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

ALTER TABLE payload ADD COLUMN erased INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1));
