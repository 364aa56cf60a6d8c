//! How long it takes from the sample with which a condition holds to the request that tells of it.
//!
//! Conditions come to hold one after the other at times that have nothing to do with the schedule of
//! rules: a series goes from nothing to one, which a rule watches with `for`. Each alert is a group of its
//! own with `group_wait: 0s`, told by a webhook. The delay is from when the sample was sent to when the
//! request was there, less `for`. Rules of several paces wait for them, since a rule that is evaluated every
//! fifteen seconds cannot see anything earlier; what the program adds itself is counted from the
//! evaluation that fired (`startsAt`) to the request.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use wire::remote_write::Sample;

use crate::bench::push::{self, Line};
use crate::receivers::{Format, Received, Receiver};

/// How often rules are evaluated.
pub(super) const PACES: [&str; 3] = ["15s", "1s", "250ms"];
/// Conditions of each pace: so many that one in a hundred is more than one.
pub(super) const EACH: usize = 200;
/// For how long a condition must hold: whole intervals of every pace.
const HOLDS: Duration = Duration::from_secs(15);
const SERIES: &str = "bench_condition";

/// What was measured of a pace.
pub(super) struct Delays {
    pub(super) pace: &'static str,
    /// From the sample to the request, less `for`; shortest first.
    pub(super) in_all: Vec<Duration>,
    /// From the evaluation that fired to the request; shortest first.
    pub(super) after: Vec<Duration>,
}

/// The conditions, and who hears of them.
pub(super) struct Conditions {
    receiver: Receiver,
    /// When each was sent, by its number.
    sent: Vec<Instant>,
    /// The same moment on both clocks.
    began: (Instant, SystemTime),
}

impl Conditions {
    pub(super) async fn prepare() -> Result<Self> {
        Ok(Self {
            // Not every program's requests are as ours.
            receiver: Receiver::start(Format::Anything).await?,
            sent: Vec::new(),
            began: (Instant::now(), SystemTime::now()),
        })
    }

    /// Alertmanager's file: the conditions are told at once and each alone, all else to nobody.
    pub(super) fn write_routes(&self, path: &Path) -> Result<()> {
        let routes = format!(
            "route:\n  receiver: nobody\n  group_by: [alertname, instance]\n  routes:\n  \
             - {{receiver: hook, matchers: [alertname=Condition], group_by: [pace, n], group_wait: 0s}}\n\
             receivers:\n- name: nobody\n- name: hook\n  webhook_configs:\n  \
             - {{url: '{}', send_resolved: false}}\n",
            self.receiver.url("/hook")
        );
        std::fs::write(path, routes).context("write the routes")
    }

    /// The rules that wait for them, as a rule file.
    pub(super) fn write_rules(path: &Path) -> Result<()> {
        let seconds = HOLDS.as_secs();
        let groups = PACES.map(|pace| {
            format!(
                "- name: every {pace}\n  interval: {pace}\n  rules:\n  - alert: Condition\n    \
                 expr: {SERIES}{{pace=\"{pace}\"}} == 1\n    for: {seconds}s\n"
            )
        });
        std::fs::write(path, format!("groups:\n{}", groups.concat())).context("write the rules")
    }

    /// Has them hold one after the other, spread over a time.
    pub(super) async fn play(&mut self, address: &str, length: Duration) -> Result<()> {
        let count = EACH * PACES.len();
        let began = Instant::now();
        for number in 0..count {
            sleep_until(began + length * u32::try_from(number)? / u32::try_from(count)?).await;
            let labels = [
                ("__name__", SERIES),
                ("n", &number.to_string()),
                ("pace", PACES[number % PACES.len()]),
            ];
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let at_ms = i64::try_from(SystemTime::UNIX_EPOCH.elapsed()?.as_millis())?;
            let samples = vec![Sample { at_ms, value: 1.0 }];
            let body = push::body([Line {
                labels: &labels,
                samples,
            }])?;
            self.sent.push(Instant::now());
            push::send(address, std::iter::once(&body)).await?;
        }
        Ok(())
    }

    /// What came of them, once all have been told of.
    pub(super) async fn delays(&self) -> Result<Vec<Delays>> {
        let received = self.receiver.wait_for(self.sent.len()).await?;
        ensure!(received.len() == self.sent.len(), "one was told twice");
        let mut delays = PACES.map(|pace| Delays {
            pace,
            in_all: Vec::new(),
            after: Vec::new(),
        });
        for one in &received {
            let alert = &one.body["alerts"][0];
            let number: usize = text(&alert["labels"]["n"])?.parse()?;
            let sent = *self.sent.get(number).context("a number of ours")?;
            let of_pace = &mut delays[number % PACES.len()];
            let since = one.at.duration_since(sent);
            ensure!(since >= HOLDS, "{number} was told after {since:?} already");
            of_pace.in_all.push(since - HOLDS);
            of_pace.after.push(self.since_evaluation(one, alert)?);
        }
        for of_pace in &mut delays {
            of_pace.in_all.sort_unstable();
            of_pace.after.sort_unstable();
        }
        Ok(delays.into())
    }

    fn since_evaluation(&self, received: &Received, alert: &Value) -> Result<Duration> {
        let (instant, wall) = self.began;
        let at = Timestamp::try_from(wall + received.at.duration_since(instant))?;
        let evaluated: Timestamp = text(&alert["startsAt"])?.parse()?;
        Ok(Duration::try_from(at.duration_since(evaluated)).unwrap_or_default())
    }
}

/// The delay that this share of all does not exceed.
pub(super) fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted
        .get(place.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

fn text(value: &Value) -> Result<&str> {
    value
        .as_str()
        .with_context(|| format!("{value} is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_that_was_seen() {
        let all: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let seen = |share: f64| quantile(&all, share).as_millis();
        assert_eq!([seen(0.5), seen(0.99), seen(1.0)], [100, 198, 200]);
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn the_rules_are_rules() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.yml");
        Conditions::write_rules(&path).unwrap();
        let file = rules::file::RuleFile::parse(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(file.groups.len(), PACES.len());
    }
}
