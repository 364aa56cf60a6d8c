-- Alerts: what is, and everything that came to pass.
--
-- Types and functions are those that SQLite and PostgreSQL have in common. Times are milliseconds since
-- 1970. Labels, annotations and evidence are JSON; values are texts, because a number that is none (NaN)
-- must come back as it went.

-- Where numbers come from that are given once.
CREATE TABLE counter (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

INSERT INTO counter (name, value) VALUES ('alert_event', 0);

-- The alerts that pend, fire, or resolved not long ago.
CREATE TABLE alert (
    rule_key         TEXT NOT NULL,
    labels           TEXT NOT NULL,
    group_name       TEXT NOT NULL,
    rule_name        TEXT NOT NULL,
    file             TEXT NOT NULL,
    series           TEXT NOT NULL,
    annotations      TEXT NOT NULL,
    value            TEXT NOT NULL,
    phase            TEXT NOT NULL CHECK (phase IN ('pending', 'firing', 'resolved')),
    active_at_ms     BIGINT NOT NULL,
    fired_at_ms      BIGINT,
    gone_since_ms    BIGINT,
    resolved_at_ms   BIGINT,
    missing_since_ms BIGINT,
    returns          BIGINT NOT NULL,
    PRIMARY KEY (rule_key, labels)
);

-- Series that were there once, of rules that fire when one is missing.
CREATE TABLE alert_seen (
    rule_key TEXT NOT NULL,
    labels   TEXT NOT NULL,
    PRIMARY KEY (rule_key, labels)
);

-- Every transition.
CREATE TABLE alert_event (
    id           BIGINT PRIMARY KEY,
    at_ms        BIGINT NOT NULL,
    rule_key     TEXT NOT NULL,
    group_name   TEXT NOT NULL,
    rule_name    TEXT NOT NULL,
    file         TEXT NOT NULL,
    transition   TEXT NOT NULL,
    labels       TEXT NOT NULL,
    annotations  TEXT NOT NULL,
    value        TEXT NOT NULL,
    active_at_ms BIGINT NOT NULL,
    evidence     TEXT NOT NULL
);

CREATE INDEX alert_event_at ON alert_event (at_ms, id);
