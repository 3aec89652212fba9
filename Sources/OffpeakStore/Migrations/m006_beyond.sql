-- What a job may take beyond what its bytes and its longest answer show: tokens, or from 2^40 on what cannot be counted in
-- them (2^40 as much as the model reads, 2^41 charges beside tokens, 2^42 another rate).
ALTER TABLE job ADD COLUMN beyond INTEGER NOT NULL DEFAULT 0;
