//! Compares what an exporter gives with what the agent gives in its place.
//!
//! The exporter is read before and after the agent, so that a number that only grows must lie
//! between the two readings, however busy the machine is. Every series of the exporter must be
//! given by the agent with the same name, labels and kind and an agreeing value; what differs on
//! purpose stands in a [`Table`] with its reason. The agent may give more than the exporter.

mod exporter;
mod exposition;
mod table;

use std::fmt;

pub use exporter::{Exporter, free_port};
pub use exposition::{Exposition, Key};
pub use table::{Difference, Table, Tolerance};

/// The three readings, in the order in which they were made.
#[derive(Clone, Copy, Debug)]
pub struct Readings<'a> {
    /// The exporter, first.
    pub before: &'a Exposition,
    /// The agent.
    pub ours: &'a Exposition,
    /// The exporter, again.
    pub after: &'a Exposition,
}

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Report {
    /// How many series of the exporter the agent gives as it should.
    pub agreed: usize,
    /// Series of the exporter that the table says the agent leaves out.
    pub excused: usize,
    /// What is wrong, a line each.
    pub problems: Vec<String>,
    /// Differences of the table that no series needed here.
    pub unused: Vec<String>,
}

/// Compares the readings, with `usual` as the tolerance where the table states no other.
#[must_use]
pub fn compare(readings: Readings<'_>, table: &Table, usual: Tolerance) -> Report {
    let mut report = Report::default();
    let mut used = vec![false; table.differences().len()];
    for (key, before) in readings.before.series() {
        // What comes or goes between the readings, a network interface say, may be seen or not.
        let Some(after) = readings.after.value(key) else {
            continue;
        };
        let meant = table.find(key);
        if let Some(index) = meant {
            used[index] = true;
        }
        let difference = meant.map(|index| &table.differences()[index]);
        if difference.is_some_and(|difference| difference.absent) {
            report.excused += 1;
            continue;
        }
        let one = One {
            key,
            range: (before.min(after), before.max(after)),
            difference,
        };
        match one.check(readings, usual) {
            Ok(()) => report.agreed += 1,
            Err(problem) => report.problems.push(problem),
        }
    }
    let differences = table.differences().iter().zip(used);
    let unused = differences.filter(|(_, used)| !used);
    report.unused = unused
        .map(|(difference, _)| difference.series.to_string())
        .collect();
    report
}

/// One series of the exporter.
struct One<'a> {
    key: &'a Key,
    range: (f64, f64),
    difference: Option<&'a Difference>,
}

impl One<'_> {
    fn check(&self, readings: Readings<'_>, usual: Tolerance) -> Result<(), String> {
        let Readings { before, ours, .. } = readings;
        let key = self.key;
        let (name, value) = self
            .find(ours)
            .ok_or_else(|| format!("{key}: the agent does not give it"))?;
        let meant_kind = self.difference.and_then(|difference| difference.kind);
        let kind = meant_kind.or_else(|| before.kind(&key.name));
        if ours.kind(&name) != kind {
            let (is, should) = (ours.kind(&name), kind);
            return Err(format!(
                "{key}: the agent says {is:?}, should say {should:?}"
            ));
        }
        let tolerance = self
            .difference
            .and_then(|difference| difference.tolerance)
            .unwrap_or(usual);
        let (low, high) = tolerance.widen(self.range);
        let agrees = (low..=high).contains(&value) || (value.is_nan() && self.range.0.is_nan());
        if agrees {
            return Ok(());
        }
        Err(format!(
            "{key}: the agent says {value}, should lie in {low}..={high}"
        ))
    }

    /// The agent's name and value of the series.
    fn find(&self, ours: &Exposition) -> Option<(String, f64)> {
        let mut wanted = self.key.clone();
        let Some(difference) = self.difference else {
            return ours.value(&wanted).map(|value| (wanted.name, value));
        };
        if let Some(renamed) = &difference.renamed {
            let name = difference.series.replace(&wanted.name, renamed.as_str());
            wanted.name = name.into_owned();
        }
        for label in &difference.without {
            wanted.labels.remove(label);
        }
        let mut found = ours.series_named(&wanted.name).filter(|(key, _)| {
            let mut labels = key.labels.clone();
            for label in &difference.with {
                labels.remove(label);
            }
            labels == wanted.labels
        });
        let (_, value) = found.next()?;
        Some((wanted.name.clone(), value))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} series agree, {} are left out on purpose, {} are wrong",
            self.agreed,
            self.excused,
            self.problems.len()
        )?;
        for problem in &self.problems {
            writeln!(f, "  {problem}")?;
        }
        for unused in &self.unused {
            writeln!(f, "  not needed here: the difference about {unused}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
