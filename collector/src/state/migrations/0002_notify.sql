-- Notifications: what alerts are told in which groups, what was told, and what is still to be sent.
--
-- Types and functions as in 0001. Identities of alerts (fingerprints) are sixteen hexadecimal digits, lists
-- of them JSON.

INSERT INTO counter (name, value) VALUES ('notified', 0), ('outbox', 0), ('digest', 0);

-- What people do not want to be told of for a time.
CREATE TABLE silence (
    id            TEXT PRIMARY KEY,
    matchers      TEXT NOT NULL,
    starts_at_ms  BIGINT NOT NULL,
    ends_at_ms    BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    created_by    TEXT NOT NULL,
    comment       TEXT NOT NULL
);

-- The alerts that somebody is, was or will be told of: our own, and those that were posted.
CREATE TABLE notify_alert (
    fingerprint   TEXT PRIMARY KEY,
    source        TEXT NOT NULL CHECK (source IN ('own', 'said', 'silence')),
    event_id      BIGINT,
    labels        TEXT NOT NULL,
    annotations   TEXT NOT NULL,
    starts_at_ms  BIGINT NOT NULL,
    ends_at_ms    BIGINT,
    updated_at_ms BIGINT NOT NULL,
    generator_url TEXT NOT NULL
);

-- Alerts that are told together.
CREATE TABLE notify_group (
    group_key     TEXT NOT NULL,
    receiver      TEXT NOT NULL,
    labels        TEXT NOT NULL,
    members       TEXT NOT NULL,
    next_flush_ms BIGINT NOT NULL,
    phase         TEXT NOT NULL CHECK (phase IN ('gathering', 'flushed')),
    PRIMARY KEY (group_key, receiver)
);

-- What an integration was told last of a group.
CREATE TABLE notify_told (
    group_key   TEXT NOT NULL,
    receiver    TEXT NOT NULL,
    integration TEXT NOT NULL,
    firing      TEXT NOT NULL,
    resolved    TEXT NOT NULL,
    still_open  TEXT NOT NULL,
    at_ms       BIGINT NOT NULL,
    PRIMARY KEY (group_key, receiver, integration)
);

-- Every notification, from the moment at which it was decided. The payload goes when it has arrived.
CREATE TABLE outbox (
    id            BIGINT PRIMARY KEY,
    integration   TEXT NOT NULL,
    group_key     TEXT NOT NULL,
    stable_key    TEXT NOT NULL,
    payload       TEXT NOT NULL,
    is_firing     BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    attempts      BIGINT NOT NULL,
    next_try_ms   BIGINT,
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'refused', 'expired', 'folded')),
    detail        TEXT NOT NULL,
    done_at_ms    BIGINT,
    UNIQUE (integration, stable_key)
);

CREATE INDEX outbox_waiting ON outbox (integration, id) WHERE state = 'waiting';
CREATE INDEX outbox_state ON outbox (state);
CREATE INDEX outbox_done ON outbox (done_at_ms) WHERE state <> 'waiting';

-- The alerts in a notification, for those of our own with the transition that it told of.
CREATE TABLE outbox_alert (
    outbox_id   BIGINT NOT NULL,
    fingerprint TEXT NOT NULL,
    event_id    BIGINT,
    is_firing   BIGINT NOT NULL,
    PRIMARY KEY (outbox_id, fingerprint)
);

CREATE INDEX outbox_alert_event ON outbox_alert (event_id, outbox_id);
CREATE INDEX outbox_alert_fingerprint ON outbox_alert (fingerprint, outbox_id);

-- Groups of which an integration knows that they fire: told alone, or in a digest.
CREATE TABLE outbox_open (
    integration TEXT NOT NULL,
    group_key   TEXT NOT NULL,
    digest      TEXT,
    PRIMARY KEY (integration, group_key)
);

-- Storms that were told in one notification and are not over.
CREATE TABLE outbox_digest (
    digest      TEXT PRIMARY KEY,
    integration TEXT NOT NULL,
    content     TEXT NOT NULL,
    told_at_ms  BIGINT NOT NULL
);
