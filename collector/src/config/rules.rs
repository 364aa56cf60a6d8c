//! Which rules are evaluated, and how: the section `[rules]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use store::labels::Labels;

use super::Problems;
use super::validate::{number_within, period_within};

/// Longer than anybody waits for a rule, or plans.
const LONGEST: Duration = Duration::from_secs(3_660 * 86_400);

/// The operator's own rules, and the shipped packs where an installation by hand or a package puts them.
const FILES: [&str; 3] = [
    "/etc/nightshift/rules/*.yml",
    "/usr/local/share/nightshift/rules/*.yml",
    "/usr/share/nightshift/rules/*.yml",
];

/// Which rules are evaluated, and how. All of it can change by a reload.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRules {
    /// Rule files as Prometheus has them, as paths or patterns with `*`, `?` and `[...]`; those below a
    /// pattern that matches nothing are none. A file below `share/nightshift/rules` gives way to one of the
    /// same name elsewhere. Default: `["/etc/nightshift/rules/*.yml",
    /// "/usr/local/share/nightshift/rules/*.yml", "/usr/share/nightshift/rules/*.yml"]`.
    pub files: Option<Vec<String>>,
    /// How often a group is evaluated that does not say it itself, as a duration. Default: `15s`.
    pub evaluation_interval: Option<String>,
    /// Labels that tell this collector from others, for templates as `$externalLabels`. Default: none.
    #[serde(default)]
    pub external_labels: BTreeMap<String, String>,
    /// Under which URL people reach the collector, for templates and links. Default: this host's name
    /// with the port of `listen`.
    pub external_url: Option<String>,
    /// How long what came to pass is kept, as a duration of at least `1d`. Default: `90d`.
    pub history: Option<String>,
    /// Rules that are evaluated at once, beside `query.concurrency` queries of people. Default: 4.
    pub concurrency: Option<i64>,
}

/// Which rules are evaluated, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesConfig {
    /// Paths and patterns of rule files.
    pub files: Vec<String>,
    /// How often a group is evaluated that does not say it itself.
    pub evaluation_interval: Duration,
    /// Labels that tell this collector from others.
    pub external_labels: Labels,
    /// Under which URL people reach the collector, if they said so; without a slash at the end.
    pub external_url: Option<String>,
    /// How long what came to pass is kept.
    pub history: Duration,
    /// How many rules are evaluated at once.
    pub concurrency: usize,
}

impl Default for RulesConfig {
    fn default() -> Self {
        Self {
            files: FILES.map(str::to_owned).to_vec(),
            // Agents send every 10 s. Prometheus' minute would be the longest part of the way from what
            // happens to the person who is told.
            evaluation_interval: Duration::from_secs(15),
            external_labels: Labels::from_pairs([]),
            external_url: None,
            history: Duration::from_secs(90 * 86_400),
            // As many as queries: neither side can take all processors from the other for long.
            concurrency: 4,
        }
    }
}

/// What the program may rely on of the section.
pub(super) fn validate(problems: &mut Problems, raw: RawRules) -> RulesConfig {
    let default = RulesConfig::default();
    let mut period = |key, given: &Option<String>, default, least| {
        period_within(problems, key, given.as_deref(), default, least..=LONGEST)
    };
    let evaluation_interval = period(
        "rules.evaluation_interval",
        &raw.evaluation_interval,
        default.evaluation_interval,
        Duration::from_millis(10),
    );
    let history = period(
        "rules.history",
        &raw.history,
        default.history,
        Duration::from_secs(86_400),
    );
    let key = "rules.concurrency";
    let concurrency = raw
        .concurrency
        .map_or(default.concurrency as i128, i128::from);
    let concurrency = number_within(problems, key, concurrency, 1, 1_000) as usize;
    let labels = raw.external_labels.iter();
    let labels = labels.map(|(name, value)| (&**name, &**value));
    RulesConfig {
        files: raw.files.unwrap_or(default.files),
        evaluation_interval,
        external_labels: Labels::from_pairs(labels),
        external_url: external_url(problems, raw.external_url.as_deref()),
        history,
        concurrency,
    }
}

fn external_url(problems: &mut Problems, given: Option<&str>) -> Option<String> {
    let given = given?;
    let is_url = given.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some()
    });
    if !is_url {
        let message = format!("{given:?} is not the address of a web page");
        let hint = "write http://HOST:7700 or https://HOST";
        problems.add("rules.external_url", message, hint);
    }
    Some(given.trim_end_matches('/').to_owned())
}
