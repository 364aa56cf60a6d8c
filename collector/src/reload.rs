//! What SIGHUP does: reads the configuration again and applies what can change while running.

use std::path::Path;

use crate::config::{Config, Overrides};
use crate::telemetry::Telemetry;

/// Reads the file again and says whether it is right. One with problems changes nothing; they are logged.
/// Rules are reloaded by the caller, also where their section is what it was: their files may not be.
pub fn reload(
    current: &mut Config,
    file: Option<&Path>,
    overrides: &Overrides,
    telemetry: &Telemetry,
) -> bool {
    let new = match Config::load(file, overrides) {
        Ok(new) => new,
        Err(error) => {
            let hint = "the collector goes on as before; nightshift check-config tells the same";
            tracing::error!(%error, hint, "cannot reload the configuration");
            return false;
        }
    };
    for key in needing_restart(current, &new) {
        tracing::warn!(key, "the option changed and takes effect at the next start");
    }
    telemetry.set_level(&new.log.level);
    current.log.level = new.log.level;
    current.rules = new.rules;
    current.notify = new.notify;
    current.incidents = new.incidents;
    tracing::info!("configuration reloaded");
    true
}

fn needing_restart(current: &Config, new: &Config) -> Vec<&'static str> {
    let changes = [
        ("data", current.data != new.data),
        ("listen", current.listen != new.listen),
        ("otlp.grpc", current.otlp_grpc != new.otlp_grpc),
        ("otlp.http", current.otlp_http != new.otlp_http),
        ("otlp limits", current.limits != new.limits),
        ("remote_write", current.remote_write != new.remote_write),
        ("forward", current.forward != new.forward),
        ("store", current.store != new.store),
        ("store.blocks", current.blocks != new.blocks),
        ("query limits", current.query != new.query),
        ("log.format", current.log.format != new.log.format),
        (
            "telemetry.otlp_endpoint",
            current.otlp_endpoint != new.otlp_endpoint,
        ),
    ];
    changes
        .into_iter()
        .filter_map(|(key, has_changed)| has_changed.then_some(key))
        .collect()
}
