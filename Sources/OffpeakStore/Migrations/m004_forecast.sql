-- What `plan` last foresaw of a batch, and what the batch had cost until then: reports set it against what came. Money is in
-- nano-dollars; finish is NULL where some jobs would have waited for ever.
CREATE TABLE forecast (
    batch INTEGER PRIMARY KEY REFERENCES batch (id),
    made INTEGER NOT NULL,
    jobs INTEGER NOT NULL,
    finish INTEGER,
    provider INTEGER NOT NULL,
    platform INTEGER NOT NULL,
    spent_provider INTEGER NOT NULL,
    spent_platform INTEGER NOT NULL
) STRICT;
