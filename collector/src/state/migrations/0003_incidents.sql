-- Incidents: alerts that belong together, who has them, and what came to pass.
--
-- Types and functions as in 0001. What only the program reads is JSON.

-- How far the transitions were followed: from now on, for what came to pass before is nobody's incident.
INSERT INTO counter (name, value) VALUES ('incident', 0);
INSERT INTO counter (name, value) SELECT 'incident_cursor', value FROM counter WHERE name = 'alert_event';

CREATE TABLE incident (
    id                       BIGINT PRIMARY KEY,
    title                    TEXT NOT NULL,
    severity                 TEXT NOT NULL CHECK (severity IN ('low', 'medium', 'high')),
    owner                    TEXT,
    opened_at_ms             BIGINT NOT NULL,
    active_at_ms             BIGINT NOT NULL,
    acknowledged_at_ms       BIGINT,
    acknowledged_by          TEXT,
    first_acknowledged_at_ms BIGINT,
    resolved_at_ms           BIGINT,
    resolved_by              TEXT,
    reopened                 BIGINT NOT NULL,
    held                     BIGINT NOT NULL,
    -- Alerts that fire.
    firing                   BIGINT NOT NULL,
    escalation               TEXT NOT NULL,
    -- Whether what else changed was read off the stored series and is among the entries.
    is_settled               BIGINT NOT NULL
);

CREATE INDEX incident_opened ON incident (opened_at_ms, id);
CREATE INDEX incident_active ON incident (active_at_ms);
CREATE INDEX incident_unresolved ON incident (id) WHERE resolved_at_ms IS NULL OR firing > 0 OR is_settled = 0;

-- What it is about: clusters, hosts.
CREATE TABLE incident_key (
    incident_id BIGINT NOT NULL,
    key         TEXT NOT NULL,
    PRIMARY KEY (incident_id, key)
);

-- Its alerts, in the order in which they came.
CREATE TABLE incident_alert (
    incident_id BIGINT NOT NULL,
    place       BIGINT NOT NULL,
    body        TEXT NOT NULL,
    PRIMARY KEY (incident_id, place)
);

-- Its timeline.
CREATE TABLE incident_entry (
    incident_id BIGINT NOT NULL,
    place       BIGINT NOT NULL,
    at_ms       BIGINT NOT NULL,
    what        TEXT NOT NULL,
    PRIMARY KEY (incident_id, place)
);
