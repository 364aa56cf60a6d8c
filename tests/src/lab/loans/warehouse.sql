-- The warehouse, which the ETL job fills from the loan database.
CREATE TABLE fact_payments (
    payment_id bigint PRIMARY KEY,
    loan_id bigint NOT NULL,
    amount_cents bigint NOT NULL,
    paid_at timestamptz NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX fact_payments_paid ON fact_payments (paid_at);

CREATE SCHEMA audit;
-- Switching a job off here is how an operator stops it without touching the machine that runs it.
CREATE TABLE audit.jobs (
    job text PRIMARY KEY,
    enabled boolean NOT NULL DEFAULT true,
    -- How old its last success may be.
    max_age interval NOT NULL DEFAULT '1 hour'
);
INSERT INTO audit.jobs VALUES ('payments');
CREATE TABLE audit.etl_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job text NOT NULL REFERENCES audit.jobs,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'succeeded', 'failed')),
    rows_loaded bigint,
    error text
);
CREATE INDEX etl_runs_job ON audit.etl_runs (job, finished_at);
-- The freshness of the warehouse is asked of this table by whoever monitors.
GRANT USAGE ON SCHEMA audit TO nightshift;
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO nightshift;
