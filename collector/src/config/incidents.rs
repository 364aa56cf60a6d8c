//! How alerts become incidents, and who is on call: the section `[incidents]`.

use std::path::PathBuf;
use std::time::Duration;

use incidents::book::Rules;
use serde::Deserialize;

use super::Problems;
use super::validate::period_within;

/// Where the file of who is on call is looked for if nothing else is said.
pub const USUAL_FILE: &str = "/etc/nightshift/oncall.yml";

/// Longer than anybody looks back.
const LONGEST: Duration = Duration::from_secs(3_660 * 86_400);

/// How alerts become incidents, and who is on call. All of it can change by a reload.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawIncidents {
    /// Who is on call, and who is told next while nobody answers; `nightshift oncall check` tells what is
    /// wrong with it. Default: `/etc/nightshift/oncall.yml`, if it is there; without one nobody is called.
    pub oncall: Option<PathBuf>,
    /// How long after something last came to pass of an incident further alerts of its cluster or hosts
    /// come to it, as a duration. Default: `10m`.
    pub window: Option<String>,
    /// How long all alerts of an incident must be over before it is resolved by itself, as a duration.
    /// Default: `5m`.
    pub resolve_after: Option<String>,
    /// How long incidents are kept that are over, as a duration of at least `1d`. Default: `730d`.
    pub keep: Option<String>,
}

/// How alerts become incidents, and who is on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentsConfig {
    /// The file of who is on call; the usual one, if it is there, where nothing is said.
    pub oncall: Option<PathBuf>,
    /// What belongs together, and when it is over.
    pub rules: Rules,
    /// How long incidents are kept that are over.
    pub keep: Duration,
}

impl Default for IncidentsConfig {
    fn default() -> Self {
        Self {
            oncall: None,
            rules: Rules {
                // What one trouble breaks, it breaks within minutes; alerts hold for five at the most
                // before they fire.
                window: Duration::from_secs(600),
                // An alert that comes and goes is one trouble; who was called wants to know soon.
                resolve_after: Duration::from_secs(300),
            },
            // Last year's is what one compares with.
            keep: Duration::from_secs(730 * 86_400),
        }
    }
}

/// What the program may rely on of the section.
pub(super) fn validate(problems: &mut Problems, raw: RawIncidents) -> IncidentsConfig {
    let default = IncidentsConfig::default();
    let mut period = |key, given: &Option<String>, default, least| {
        period_within(problems, key, given.as_deref(), default, least..=LONGEST)
    };
    let zero = Duration::ZERO;
    let rules = Rules {
        window: period("incidents.window", &raw.window, default.rules.window, zero),
        resolve_after: period(
            "incidents.resolve_after",
            &raw.resolve_after,
            default.rules.resolve_after,
            zero,
        ),
    };
    let day = Duration::from_secs(86_400);
    let keep = period("incidents.keep", &raw.keep, default.keep, day);
    IncidentsConfig {
        oncall: raw.oncall,
        rules,
        keep,
    }
}
