-- What the history has of alerts that others posted: their transitions stand in alert_event as those of
-- rules do, under an empty rule_key, which no rule has.
--
-- Types and functions as in 0001.

-- The newest transition of each that is known still, and what the alert is since then.
CREATE TABLE notify_posted (
    fingerprint TEXT PRIMARY KEY,
    event_id    BIGINT NOT NULL,
    phase       TEXT NOT NULL CHECK (phase IN ('firing', 'over'))
);
