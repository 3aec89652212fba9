-- How many answers were foreseen, and how many the batch had then; NULL for forecasts that were kept before. A forecast may stop
-- at a budget, and its money says nothing without them. Credit is in nano-dollars, as the other money.
ALTER TABLE forecast ADD COLUMN answers INTEGER;
ALTER TABLE forecast ADD COLUMN answers_before INTEGER;
ALTER TABLE forecast ADD COLUMN credit INTEGER NOT NULL DEFAULT 0;
ALTER TABLE forecast ADD COLUMN spent_credit INTEGER NOT NULL DEFAULT 0;
