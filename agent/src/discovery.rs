//! What this host has to watch, where the configuration does not say.
//!
//! Each source knows how to find its own kind; this module asks them, leaving out the kinds that
//! the configuration names, and tells an operator what was found, what of it can be read, and how
//! to close each gap.

use std::fmt::Write;
use std::path::Path;

use serde::Deserialize;

use crate::app::fleet::{self, Look};
use crate::config::{Config, Problems, Sources};
use crate::sources::postgres::discover::Found;
use crate::sources::{containers, pgbouncer, postgres, redis};

/// The role that `setup-postgres` makes when not told otherwise.
const ROLE: &str = "nightshift";

/// What is looked for where nothing is configured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSettings {
    /// Look for PostgreSQL instances, unless `[[postgres]]` names them. Default: true.
    pub postgres: bool,
    /// Look for PgBouncer, unless `[[pgbouncer]]` names it. Default: true.
    pub pgbouncer: bool,
    /// Look for Redis, unless `[[redis]]` names it. Default: true.
    pub redis: bool,
}

impl Default for RawSettings {
    fn default() -> Self {
        Self {
            postgres: true,
            pgbouncer: true,
            redis: true,
        }
    }
}

/// The validated form of [`RawSettings`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    postgres: bool,
    pgbouncer: bool,
    redis: bool,
}

impl RawSettings {
    /// Every combination is valid.
    #[must_use]
    pub fn validate(self) -> Settings {
        let Self {
            postgres,
            pgbouncer,
            redis,
        } = self;
        Settings {
            postgres,
            pgbouncer,
            redis,
        }
    }
}

/// The sources that the configuration names, and those that this host has of the other kinds.
#[must_use]
pub fn find(config: &Config) -> Sources {
    let mut sources = config.sources.clone();
    let wanted = &config.discovery;
    if wanted.postgres && sources.postgres.is_empty() {
        let found = postgres::discover::instances(Path::new("/proc"));
        let settings = |found: &Found| postgres::Settings::of(found.target(ROLE));
        sources.postgres = found.iter().map(settings).collect();
    }
    if wanted.pgbouncer && sources.pgbouncer.is_empty() {
        sources.pgbouncer = pgbouncer::discover()
            .into_iter()
            .filter_map(pooler)
            .collect();
    }
    if wanted.redis && sources.redis.is_empty() {
        sources.redis = redis::discover().into_iter().filter_map(cache).collect();
    }
    sources
}

fn pooler(candidate: pgbouncer::Candidate) -> Option<pgbouncer::Settings> {
    let user = candidate.user.unwrap_or_else(|| "nightshift".to_owned());
    let dsn = format!(
        "host={} port={} user={user}",
        candidate.host, candidate.port
    );
    parsed::<pgbouncer::RawSettings>("dsn", &dsn)?.validate(&mut Problems::default())
}

fn cache(address: std::net::SocketAddr) -> Option<redis::Settings> {
    parsed::<redis::RawSettings>("address", &address.to_string())?
        .validate(&mut Problems::default())
}

/// Settings as a file with that one key would have them, so that every default holds.
fn parsed<R: for<'de> Deserialize<'de>>(key: &str, value: &str) -> Option<R> {
    let mut table = toml::Table::new();
    table.insert(key.to_owned(), toml::Value::String(value.to_owned()));
    table.try_into().ok()
}

/// Looks at everything once and says, for a person, what can be read and what is missing.
pub async fn describe(config: &Config, sources: &Sources) -> String {
    let looks = fleet::look(config, sources).await;
    let mut text = String::new();
    for look in &looks {
        describe_look(&mut text, look);
    }
    for engine in containers::discover().await {
        if let containers::Access::Closed { why, fix } = engine.access {
            line(
                &mut text,
                "containers",
                &engine.socket.display().to_string(),
                "cannot be read",
            );
            reason(&mut text, &why, &fix);
        }
    }
    for (kind, none) in [
        ("postgres", sources.postgres.is_empty()),
        ("pgbouncer", sources.pgbouncer.is_empty()),
        ("redis", sources.redis.is_empty()),
        ("containers", sources.containers.is_none()),
    ] {
        if none {
            line(&mut text, kind, "-", "none found on this host");
        }
    }
    text
}

fn describe_look(text: &mut String, look: &Look) {
    let Look {
        plan,
        series,
        error,
        gaps,
    } = look;
    let state = match error {
        None => format!(
            "readable, {series} series every {}",
            wire::quantity::Period(plan.interval)
        ),
        Some(_) => "cannot be read".to_owned(),
    };
    line(text, plan.source, &plan.instance, &state);
    if let Some(error) = error {
        let why = match error.detail.as_str() {
            "" => error.message.clone(),
            detail => format!("{}: {detail}", error.message),
        };
        reason(text, &why, &error.hint);
    }
    for gap in gaps {
        reason(
            text,
            &format!("without {}: {}", gap.what, gap.why),
            &gap.fix,
        );
    }
}

fn line(text: &mut String, kind: &str, instance: &str, state: &str) {
    // Writing to a String cannot fail.
    writeln!(text, "{kind:<19} {instance:<24} {state}").ok();
}

fn reason(text: &mut String, why: &str, fix: &str) {
    writeln!(text, "    - {why}").ok();
    if !fix.is_empty() {
        writeln!(text, "      fix: {fix}").ok();
    }
}
