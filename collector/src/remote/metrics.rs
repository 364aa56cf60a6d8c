//! What remote write counts beside what every way in counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use wire::text::Exposition;

use super::forward::{self, metrics::Progress};
use super::receive::Refused;
use crate::ingest::untimely;

/// Why something of a request was refused for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A label that is no text.
    NotText,
    /// A label without a name.
    EmptyName,
    /// Two labels of one name.
    DuplicateName,
    /// A series without the name of a metric.
    NoMetricName,
    /// Native histograms are not stored yet.
    NativeHistogram,
    /// An exemplar with too much text.
    Exemplar,
    /// A time too far ahead.
    Future,
    /// A time too long ago.
    Late,
}

impl Reason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::NotText,
        Self::EmptyName,
        Self::DuplicateName,
        Self::NoMetricName,
        Self::NativeHistogram,
        Self::Exemplar,
        Self::Future,
        Self::Late,
    ];

    /// Behind a number of items, for who sent them.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::NotText => "with a label that is not UTF-8",
            Self::EmptyName => "with a label that has no name",
            Self::DuplicateName => "with two labels of one name",
            Self::NoMetricName => "without the name of a metric",
            Self::NativeHistogram => "native histograms, which are not stored: send classic ones",
            Self::Exemplar => "exemplars with labels longer than 128 characters",
            Self::Future => untimely::FUTURE,
            Self::Late => untimely::LATE,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::NotText => "not_utf8",
            Self::EmptyName => "empty_label_name",
            Self::DuplicateName => "duplicate_label_name",
            Self::NoMetricName => "no_metric_name",
            Self::NativeHistogram => "native_histogram",
            Self::Exemplar => "exemplar_too_long",
            Self::Future => "too_far_ahead",
            Self::Late => "too_late",
        }
    }
}

/// Counters that only grow.
#[derive(Debug, Default)]
pub struct Counters {
    exemplars: AtomicU64,
    refused: [AtomicU64; Reason::ALL.len()],
    forwarding: OnceLock<Vec<Arc<Progress>>>,
}

impl Counters {
    /// A request was stored, as far as it could be.
    pub(super) fn received(&self, exemplars: u64, refused: &Refused) {
        self.exemplars.fetch_add(exemplars, Ordering::Relaxed);
        for reason in Reason::ALL {
            let counter = &self.refused[reason as usize];
            counter.fetch_add(refused.count(reason), Ordering::Relaxed);
        }
    }

    /// Forwarding has begun.
    pub fn forwarding(&self, targets: Vec<Arc<Progress>>) {
        self.forwarding.get_or_init(|| targets);
    }

    /// Writes them as text.
    pub fn write(&self, now_ms: i64, out: &mut Exposition) {
        let targets = self.forwarding.get().map(Vec::as_slice);
        forward::metrics::write(targets.unwrap_or_default(), now_ms, out);
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        out.single(
            "nightshift_remote_write_exemplars_total",
            "counter",
            "Exemplars that came by remote write and were stored.",
            get(&self.exemplars),
        );
        let name = "nightshift_remote_write_refused_total";
        let help = "Samples, exemplars and histograms that came by remote write and were refused.";
        out.family(name, "counter", help);
        for reason in Reason::ALL {
            let count = get(&self.refused[reason as usize]);
            out.sample(name, [("reason", reason.label())], count, None);
        }
    }
}
