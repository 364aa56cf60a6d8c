//! What somebody was told of alerts, wherever it was heard: in the collector's own history, or by a
//! receiver of notifications. The account of it must be exact.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::daemon::Collector;
use crate::receivers::Receiver;

/// What is said of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It fires.
    Fires,
    /// It fires no more.
    Resolved,
}

/// One thing that was told.
#[derive(Clone, Debug)]
pub struct Told {
    pub word: Word,
    /// All labels, `alertname` among them.
    pub labels: BTreeMap<String, String>,
}

impl Display for Told {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {:?}", self.word, self.labels)
    }
}

/// An alert that is to be told of, as the labels that matter name it.
#[derive(Clone, Debug)]
pub struct Alert(Vec<(&'static str, String)>);

impl Alert {
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(vec![("alertname", name.to_owned())])
    }

    #[must_use]
    pub fn with(mut self, label: &'static str, value: &str) -> Self {
        self.0.push((label, value.to_owned()));
        self
    }

    fn is(&self, told: &Told) -> bool {
        let has = |(label, value): &(&str, String)| told.labels.get(*label) == Some(value);
        self.0.iter().all(has)
    }

    /// What was told of it, in order.
    #[must_use]
    pub fn words(&self, told: &[Told]) -> Vec<Word> {
        let of_it = told.iter().filter(|told| self.is(told));
        of_it.map(|told| told.word).collect()
    }
}

impl Display for Alert {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

/// That each of these was told of once, as firing and then as resolved, and nothing else of anything.
pub fn once_and_nothing_else(told: &[Told], expected: &[Alert]) -> Result<()> {
    for alert in expected {
        let words = alert.words(told);
        ensure!(words == [Word::Fires, Word::Resolved], "{alert}: {words:?}");
    }
    let strange = |told: &&Told| !expected.iter().any(|alert| alert.is(told));
    let strange: Vec<String> = told.iter().filter(strange).map(Told::to_string).collect();
    ensure!(
        strange.is_empty(),
        "nobody expected:\n{}",
        strange.join("\n")
    );
    Ok(())
}

/// What the collector says that it told, oldest first.
pub async fn by_history(collector: &Collector) -> Result<Vec<Told>> {
    let mut told = Vec::new();
    for event in events(collector, "").await? {
        let word = match event["transition"].as_str() {
            // An alert that returns is told of again as far as a test is concerned: it must not.
            Some("firing" | "returned") => Word::Fires,
            Some("resolved") => Word::Resolved,
            Some("pending" | "dropped") => continue,
            other => bail!("{other:?} is no transition"),
        };
        let labels = serde_json::from_value(event["labels"].clone())?;
        told.push(Told { word, labels });
    }
    Ok(told)
}

/// What a webhook was told, in order.
pub fn by_receiver(receiver: &Receiver) -> Result<Vec<Told>> {
    let problems = receiver.problems();
    ensure!(problems.is_empty(), "{problems:?}");
    let mut told = Vec::new();
    for message in receiver.taken() {
        let alerts = message.body["alerts"].as_array().context("no alerts")?;
        for alert in alerts {
            let word = match alert["status"].as_str() {
                Some("firing") => Word::Fires,
                Some("resolved") => Word::Resolved,
                other => bail!("{other:?} is no status"),
            };
            let labels = serde_json::from_value(alert["labels"].clone())?;
            told.push(Told { word, labels });
        }
    }
    Ok(told)
}

/// The transitions of an alert, or of all without a name, oldest first, as the API gives them.
pub async fn events(collector: &Collector, alert: &str) -> Result<Vec<Value>> {
    let answer = collector.get("/api/alerts/history?limit=10000").await?;
    let answer: Value = serde_json::from_str(&answer)?;
    let events = answer["data"]["events"].as_array().context("no events")?;
    let wanted = |event: &&Value| alert.is_empty() || event["labels"]["alertname"] == alert;
    Ok(events.iter().rev().filter(wanted).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[(&str, Word)]) -> Vec<Told> {
        let labels = |name: &str| BTreeMap::from([("alertname".to_owned(), name.to_owned())]);
        let told = words.iter();
        told.map(|&(name, word)| Told {
            word,
            labels: labels(name),
        })
        .collect()
    }

    #[test]
    fn the_account_is_exact() {
        let (fires, resolved) = (("A", Word::Fires), ("A", Word::Resolved));
        let check = |words: &[(&str, Word)], balances: bool| {
            let account = once_and_nothing_else(&told(words), &[Alert::named("A")]);
            assert_eq!(account.is_ok(), balances, "{words:?}");
        };
        check(&[fires, resolved], true);
        check(&[], false);
        check(&[fires], false);
        check(&[resolved, fires], false);
        check(&[fires, resolved, fires, resolved], false);
        check(&[fires, ("B", Word::Fires), resolved], false);
    }

    #[test]
    fn an_alert_is_known_by_the_labels_that_matter() {
        let told = told(&[("A", Word::Fires)]);
        assert_eq!(Alert::named("A").words(&told), [Word::Fires]);
        assert!(Alert::named("A").with("job", "etl").words(&told).is_empty());
    }
}
