//! A request of remote write as one delivery to the store.
//!
//! What cannot be stored is counted with its reason and an example, and the rest is stored. Labels are
//! taken as Prometheus takes them: in any order, an empty value the same as no label, a name for the
//! series and each name once.

use std::collections::HashSet;
use std::fmt::Write;

use store::append::{self, Arrival, Delivery, Row};
use store::labels::{Labels, METRIC_NAME};
use store::read;
use wire::metric::Kind;
use wire::remote_write::{Item, Metadata, Reader, Series, Version};

use super::Written;
use crate::ingest::Refusal;
use crate::remote::metrics::Reason;

/// A request's labels, written out for every series, may take this much. Version 2.0 sends a text
/// once for all series, so a small request could otherwise become huge.
const MAX_BYTES: usize = 256 << 20;

/// Characters that the labels of one exemplar may have together, as OpenMetrics has it.
const MAX_EXEMPLAR_LABELS: usize = 128;

/// How much of a series is quoted in an answer.
const MAX_QUOTE: usize = 200;

/// What became of a request.
#[derive(Debug)]
pub(super) struct Translated {
    /// What can be stored; nothing where there is nothing.
    pub(super) delivery: Option<Delivery>,
    pub(super) refused: Refused,
    pub(super) written: Written,
}

/// What of a request cannot be stored: how many items a reason, and the first of them.
#[derive(Debug, Default)]
pub(in crate::remote) struct Refused {
    counts: [u64; Reason::ALL.len()],
    examples: [String; Reason::ALL.len()],
}

/// Reads a decompressed request that arrived at `arrival`.
pub(super) fn translate(
    version: Version,
    request: &[u8],
    arrival: Arrival,
) -> Result<Translated, Refusal> {
    let malformed = |error: wire::remote_write::DecodeError| Refusal::Malformed(error.to_string());
    let mut sink = Sink {
        delivery: Delivery {
            origin: None,
            arrival,
            rows: Vec::new(),
            metadata: Vec::new(),
            exemplars: Vec::new(),
        },
        families: HashSet::new(),
        refused: Refused::default(),
        budget: MAX_BYTES,
        scratch: String::new(),
    };
    let mut reader = Reader::new(version, request).map_err(malformed)?;
    while let Some(item) = reader.next_item().map_err(malformed)? {
        match item {
            Item::Series(series) => sink.series(series)?,
            Item::Family(family, metadata) => sink.family(family, metadata),
        }
    }
    let Sink {
        delivery, refused, ..
    } = sink;
    let written = Written {
        samples: delivery.rows.len() as u64,
        exemplars: delivery.exemplars.len() as u64,
    };
    let is_empty =
        delivery.rows.is_empty() && delivery.metadata.is_empty() && delivery.exemplars.is_empty();
    Ok(Translated {
        delivery: (!is_empty).then_some(delivery),
        refused,
        written,
    })
}

impl Refused {
    /// How many items were refused for a reason.
    pub(in crate::remote) fn count(&self, reason: Reason) -> u64 {
        self.counts[reason as usize]
    }

    /// All of it for who sent it; nothing where nothing was refused.
    pub(super) fn message(&self) -> Option<String> {
        let mut message = String::new();
        for reason in Reason::ALL {
            let (count, example) = (self.count(reason), &self.examples[reason as usize]);
            if count > 0 {
                let separator = if message.is_empty() { "" } else { "; " };
                // Writing to a String cannot fail.
                write!(message, "{separator}{count} {}", reason.why()).ok();
                if !example.is_empty() {
                    write!(message, ", for instance {example}").ok();
                }
            }
        }
        (!message.is_empty()).then(|| format!("refused for good: {message}"))
    }

    /// Adds what the store refused for its time.
    pub(super) fn add_untimely(&mut self, untimely: &append::Refused) {
        let ahead = untimely.future + untimely.exemplars;
        self.add(Reason::Future, ahead as usize, String::new);
        self.add(Reason::Late, untimely.late as usize, String::new);
    }

    fn add(&mut self, reason: Reason, items: usize, example: impl FnOnce() -> String) {
        let count = &mut self.counts[reason as usize];
        if *count == 0 && items > 0 {
            self.examples[reason as usize] = example();
        }
        *count += items as u64;
    }
}

struct Sink<'a> {
    delivery: Delivery,
    /// Families of which something was said already.
    families: HashSet<&'a str>,
    refused: Refused,
    budget: usize,
    scratch: String,
}

impl<'a> Sink<'a> {
    fn series(&mut self, series: &mut Series<'a>) -> Result<(), Refusal> {
        let items = series.samples.len() + series.exemplars.len();
        if !series.labels.is_sorted_by_key(|(name, _)| name) {
            series.labels.sort_by_key(|(name, _)| *name);
        }
        if let Some(reason) = fault(series) {
            // A series without samples is refused too, or it would be lost without a word.
            let items = (items + series.histograms as usize).max(1);
            self.refused.add(reason, items, || quote(series));
            return Ok(());
        }
        self.refused
            .add(Reason::NativeHistogram, series.histograms as usize, || {
                quote(series)
            });
        if let Some(metadata) = series.metadata {
            self.describe_series(series, metadata);
        }
        if items == 0 {
            return Ok(());
        }
        let labels = Labels::from_sorted(series.labels.iter().copied(), &mut self.scratch);
        self.spend(labels.as_encoded().len() + items * size_of::<Row>())?;
        for sample in &series.samples {
            self.delivery.rows.push(Row {
                labels: labels.clone(),
                sample: stored(*sample),
            });
        }
        self.exemplars(series, &labels)
    }

    fn exemplars(&mut self, series: &Series<'a>, labels: &Labels) -> Result<(), Refusal> {
        for exemplar in &series.exemplars {
            let own = &series.exemplar_labels[exemplar.labels.clone()];
            let characters =
                |(name, value): &(&str, &str)| name.chars().count() + value.chars().count();
            if own.iter().map(characters).sum::<usize>() > MAX_EXEMPLAR_LABELS {
                self.refused.add(Reason::Exemplar, 1, || quote(series));
                continue;
            }
            let own = Labels::from_pairs(own.iter().copied());
            self.spend(own.as_encoded().len() + size_of::<(Labels, read::Exemplar)>())?;
            let exemplar = read::Exemplar {
                labels: own,
                sample: stored(exemplar.sample),
            };
            self.delivery.exemplars.push((labels.clone(), exemplar));
        }
        Ok(())
    }

    /// What version 2.0 says beside a series is about its family: for the parts of a histogram or a
    /// summary that is their common name.
    fn describe_series(&mut self, series: &Series<'a>, metadata: Metadata<'a>) {
        let says_something = metadata.kind != Kind::Untyped
            || !metadata.help.is_empty()
            || !metadata.unit.is_empty();
        let name = series.labels.iter().find(|(name, _)| *name == METRIC_NAME);
        if let Some((_, name)) = name
            && says_something
        {
            let family = match metadata.kind {
                Kind::Histogram | Kind::Summary => ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|suffix| name.strip_suffix(suffix))
                    .unwrap_or(name),
                Kind::Counter | Kind::Gauge | Kind::Untyped => name,
            };
            self.family(family, metadata);
        }
    }

    fn family(&mut self, family: &'a str, metadata: Metadata<'a>) {
        if family.is_empty() || !self.families.insert(family) {
            return;
        }
        let metadata = read::Metadata {
            kind: metadata.kind,
            help: metadata.help.to_owned(),
            unit: metadata.unit.to_owned(),
        };
        self.delivery.metadata.push((family.to_owned(), metadata));
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.budget = self.budget.checked_sub(bytes).ok_or_else(|| {
            let limit = MAX_BYTES >> 20;
            Refusal::TooLarge(format!(
                "the request's labels, written out for each series, exceed {limit} MiB; send smaller requests"
            ))
        })?;
        Ok(())
    }
}

/// Why nothing of a series, its labels sorted by name, can be stored.
fn fault(series: &Series<'_>) -> Option<Reason> {
    if series.not_text.is_some() {
        return Some(Reason::NotText);
    }
    let names = || series.labels.iter().map(|(name, _)| name);
    if names().any(|name| name.is_empty()) {
        return Some(Reason::EmptyName);
    }
    if names().zip(names().skip(1)).any(|(one, next)| one == next) {
        return Some(Reason::DuplicateName);
    }
    let mut labels = series.labels.iter();
    match labels.find(|(name, _)| *name == METRIC_NAME) {
        Some((_, value)) if !value.is_empty() => None,
        _ => Some(Reason::NoMetricName),
    }
}

/// The series as a query would write it, as far as it is legible.
fn quote(series: &Series<'_>) -> String {
    let mut text = String::from("{");
    for (name, value) in &series.labels {
        let separator = if text.len() > 1 { ", " } else { "" };
        // Writing to a String cannot fail.
        write!(text, "{separator}{name}={value:?}").ok();
        if text.len() > MAX_QUOTE {
            break;
        }
    }
    text.push('}');
    if let Some(not_text) = &series.not_text {
        write!(text, " with {not_text:?}").ok();
    }
    if text.len() > MAX_QUOTE {
        let cut = text.floor_char_boundary(MAX_QUOTE);
        text.truncate(cut);
        text.push_str("...");
    }
    text
}

fn stored(sample: wire::remote_write::Sample) -> read::Sample {
    read::Sample {
        at_ms: sample.at_ms,
        value: sample.value,
    }
}

#[cfg(test)]
mod tests;
