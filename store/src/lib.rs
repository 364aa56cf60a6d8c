//! Telemetry at rest.
