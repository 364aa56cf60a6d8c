//! Who is told of alerts, and how much at once: the section `[notify]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Problems;
use super::validate::{number_within, period_within};

/// Where Alertmanager's file is looked for if nothing else is said.
pub const USUAL_FILE: &str = "/etc/nightshift/alertmanager.yml";

/// A person reads no more in the minute in which things break, and services that page take that much from
/// one sender.
const BURST: u32 = 20;
const REFILL: Duration = Duration::from_secs(3);

/// Nobody wants to hear of something that is older.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// Who is told of alerts, and how much at once. All of it can change by a reload.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawNotify {
    /// Alertmanager's configuration file: routes, receivers, inhibition, time intervals. Default:
    /// `/etc/nightshift/alertmanager.yml`, if it is there; without one nobody is told.
    pub config: Option<PathBuf>,
    /// How many notifications an integration is sent at once; what is beyond that is folded into one
    /// digest. 0 for as many as there are. Default: 20.
    pub burst: Option<i64>,
    /// How long until an integration may be sent one more, as a duration. Default: `3s`.
    pub refill: Option<String>,
    /// How long a notification is kept while its receiver is away, as a duration. Default: `7d`.
    pub keep: Option<String>,
}

/// Who is told of alerts, and how much at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyConfig {
    /// Alertmanager's configuration file; the usual one, if it is there, where nothing is said.
    pub config: Option<PathBuf>,
    /// How much an integration is sent.
    pub rate: Rate,
    /// How long a notification is kept while its receiver is away.
    pub keep: Duration,
}

/// How much an integration is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// As much as there is.
    Unlimited,
    /// So many at once, and then one each time that this time has passed.
    Limited {
        /// How many at once.
        burst: u32,
        /// How long until one more.
        refill: Duration,
    },
}

impl Default for NotifyConfig {
    fn default() -> Self {
        Self {
            config: None,
            rate: Rate::Limited {
                burst: BURST,
                refill: REFILL,
            },
            keep: Duration::from_secs(7 * 86_400),
        }
    }
}

/// What the program may rely on of the section.
pub(super) fn validate(problems: &mut Problems, raw: RawNotify) -> NotifyConfig {
    let default = NotifyConfig::default();
    let mut period = |key, given: &Option<String>, default, least| {
        period_within(problems, key, given.as_deref(), default, least..=LONGEST)
    };
    let least = Duration::from_millis(1);
    let refill = period("notify.refill", &raw.refill, REFILL, least);
    let least = Duration::from_secs(60);
    let keep = period("notify.keep", &raw.keep, default.keep, least);
    let burst = raw.burst.map_or(i128::from(BURST), i128::from);
    let burst = number_within(problems, "notify.burst", burst, 0, 1_000_000);
    let rate = match u32::try_from(burst) {
        Ok(0) | Err(_) => Rate::Unlimited,
        Ok(burst) => Rate::Limited { burst, refill },
    };
    NotifyConfig {
        config: raw.config,
        rate,
        keep,
    }
}
