//! Between the sources and the spool: relabels, redacts and caps what was gathered.
//!
//! One pass over a collection, in that order, on the pipeline's own task. The cap is the last
//! defence against a source whose cardinality runs away; a source that can name what it leaves out
//! does so itself and never gets here. What a source gave last time and does not give now gets a
//! staleness marker at the very end, when the names are what is shipped ([`endings`]).

mod endings;
pub mod redact;
pub mod relabel;

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;
use wire::batch::Batch;
use wire::metric::{Family, Label};

use crate::collect::Gather;
use crate::config::Problems;
use crate::schedule::{self, Collection, Identity};
use endings::{Endings, Reading};
use redact::Redactor;
use relabel::Rules;

/// What happens to series between source and spool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSettings {
    /// The most series that one collection of one source may have; what exceeds it is dropped
    /// loudly. Default: 20000.
    pub max_series_per_source: usize,
    /// Regular expressions; what they match in a label's value is replaced by `***`, beside the
    /// passwords that are always hidden. Default: none.
    pub redact: Vec<String>,
    /// Relabelling rules for every series, as Prometheus' `metric_relabel_configs`. Default: none.
    pub relabel: Vec<relabel::RawRule>,
}

impl Default for RawSettings {
    fn default() -> Self {
        Self {
            max_series_per_source: 20_000,
            redact: Vec::new(),
            relabel: Vec::new(),
        }
    }
}

/// The validated form of [`RawSettings`].
#[derive(Clone, Debug)]
pub struct Settings {
    max_series: usize,
    redactor: Redactor,
    rules: Rules,
}

impl RawSettings {
    /// Checks the expressions and rules.
    pub fn validate(self, problems: &mut Problems) -> Option<Settings> {
        if self.max_series_per_source == 0 {
            problems.add(
                "max_series_per_source",
                "a cap of 0 would drop everything",
                "use 20000",
            );
        }
        let redactor = Redactor::new(&self.redact, problems);
        let rules = Rules::validate("relabel", self.relabel, problems);
        Some(Settings {
            max_series: self.max_series_per_source,
            redactor: redactor?,
            rules: rules?,
        })
    }
}

/// Turns collections into batches.
#[derive(Debug)]
pub struct Pipeline {
    settings: Settings,
    labels: Vec<Label>,
    capped: HashMap<String, Capped>,
    endings: Endings,
}

/// What the cap cost one source.
#[derive(Debug, Default)]
struct Capped {
    dropped: u64,
    now: bool,
}

impl Pipeline {
    /// A pipeline that adds `labels` to every series.
    #[must_use]
    pub fn new(settings: Settings, labels: Vec<Label>) -> Self {
        Self {
            settings,
            labels,
            capped: HashMap::new(),
            endings: Endings::new(),
        }
    }

    /// Trims a collection into the batch that is shipped, with a marker for each series that the
    /// source's last collection had and this one has not.
    pub fn pass(&mut self, collection: Collection) -> Batch {
        let Collection {
            plan,
            at_ms,
            mut families,
            gaps,
        } = collection;
        let mut target = schedule::target_labels(&plan);
        target.extend(self.labels.iter().cloned());
        (families, _) = self.settings.rules.apply_to(families, &target);
        for label in families
            .iter_mut()
            .flat_map(|f| &mut f.points)
            .flat_map(|p| &mut p.labels)
        {
            self.settings.redactor.redact(&mut label.value);
        }
        self.cap(&mut families, &plan.full_name());
        let mut batch = Batch {
            source: plan.source.to_owned(),
            at_ms,
            target,
            families,
        };
        let reading = match gaps.is_empty() {
            true => Reading::Whole,
            false => Reading::WithGaps,
        };
        self.endings.mark(&plan.identity(), &mut batch, reading);
        batch
    }

    /// Forgets the sources that are not `watched` any more: a batch for each, which ends its series
    /// at `at_ms`.
    pub fn end_others(&mut self, watched: &BTreeSet<Identity>, at_ms: i64) -> Vec<Batch> {
        self.endings.end_others(watched, at_ms)
    }

    /// Adds the pipeline's own series.
    pub fn describe(&self, out: &mut Gather) {
        let mut dropped = out.counter(
            "nightshift_pipeline_dropped_series_total",
            "Series dropped because a source exceeded its cap.",
        );
        for (source, capped) in &self.capped {
            dropped.with([("source", source.clone())], capped.dropped as f64);
        }
        self.endings.describe(out);
    }

    /// Cuts a collection down to the cap, whole families from the back first; the scheduler's own
    /// families, which say that the source is alive, are never cut.
    fn cap(&mut self, families: &mut Vec<Family>, source: &str) {
        let total: usize = families.iter().map(|family| family.points.len()).sum();
        let excess = total.saturating_sub(self.settings.max_series);
        let capped = match self.capped.get_mut(source) {
            Some(capped) => capped,
            None if excess == 0 => return,
            None => self.capped.entry(source.to_owned()).or_default(),
        };
        if excess > 0 && !capped.now {
            let cap = self.settings.max_series;
            let hint = "raise pipeline.max_series_per_source, or drop series with pipeline.relabel";
            tracing::warn!(
                source,
                series = total,
                cap,
                hint,
                "series over the cap are dropped"
            );
        }
        capped.now = excess > 0;
        capped.dropped += excess as u64;
        let mut left = excess;
        for family in families
            .iter_mut()
            .rev()
            .filter(|family| !is_about_source(&family.name))
        {
            let cut = left.min(family.points.len());
            family.points.truncate(family.points.len() - cut);
            left -= cut;
        }
        families.retain(|family| !family.points.is_empty());
    }
}

fn is_about_source(name: &str) -> bool {
    name == "up" || name.starts_with("nightshift_source_") || name.starts_with("scrape_")
}

#[cfg(test)]
mod tests;
