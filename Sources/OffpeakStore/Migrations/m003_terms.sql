-- Parked and failed jobs: `status` tells why they are, and a run takes up again what the lack of money parked.
CREATE INDEX job_parked ON job (flow) WHERE state = 3;
CREATE INDEX job_failed ON job (flow) WHERE state = 5;
