-- What a job may take beyond what its bytes and its longest answer show: tokens, or from 2^40 on what cannot be counted in
-- them (2^40 as much as the model reads, 2^41 charges beside tokens, 2^42 another rate).
ALTER TABLE job ADD COLUMN beyond INTEGER NOT NULL DEFAULT 0;

-- The request has a `service_tier` of its own: no lane puts another in its place.
ALTER TABLE job ADD COLUMN names_tier INTEGER NOT NULL DEFAULT 0 CHECK (names_tier IN (0, 1));
