//! What one chunk of the store is as requests: chosen and relabelled by series, parted into shards by
//! series, cut into requests in the order of arrival.
//!
//! Invariant: the same chunk under the same configuration gives the same requests, in this process and
//! in the next; see [`super`].

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use store::labels::Labels;
use store::read;
use store::tail::Stretch;
use wire::metric::Kind;
use wire::remote_write::{Encoder, Metadata, Sample, Version};

use super::config::{Choice, ForwardConfig};

/// Families of which the newest word is remembered, so that it is sent beside each series (2.0) and
/// once a change (1.0). More than the largest fleet has; beyond it all are forgotten and told anew.
const MAX_FAMILIES: usize = 100_000;

/// Samples of one request, before they are encoded.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// Each series with its samples in time, in the order in which series first appear.
    series: Vec<(Labels, Vec<Sample>)>,
    /// What is to be said of families.
    families: BTreeMap<String, read::Metadata>,
    samples: usize,
}

/// Cuts chunks.
#[derive(Debug)]
pub(super) struct Cutter {
    keep: Vec<Choice>,
    drop: Vec<Choice>,
    labels: Vec<(String, String)>,
    max_samples: usize,
    shards: usize,
    families: HashMap<String, read::Metadata>,
}

impl Cutter {
    pub(super) fn new(config: &ForwardConfig) -> Self {
        Self {
            keep: config.keep.clone(),
            drop: config.drop.clone(),
            labels: config.labels.clone(),
            max_samples: config.max_samples,
            shards: config.concurrency,
            families: HashMap::new(),
        }
    }

    /// The requests of a chunk, a list for each shard; those of a list must be sent in their order.
    pub(super) fn cut(&mut self, stretch: Stretch) -> Vec<Vec<Request>> {
        let mut shards: Vec<Shard> = (0..self.shards).map(|_| Shard::default()).collect();
        let mut routes: HashMap<Labels, Option<(Labels, usize)>> = HashMap::new();
        for (delivery, _) in stretch.deliveries {
            let told = delivery.metadata.into_iter();
            let news = told.filter(|(family, said)| self.is_news(family, said));
            shards[0].open.families.extend(news);
            for row in delivery.rows {
                let route = routes
                    .entry(row.labels)
                    .or_insert_with_key(|labels| self.route(labels));
                if let Some((labels, shard)) = route {
                    let sample = Sample {
                        at_ms: row.sample.at_ms,
                        value: row.sample.value,
                    };
                    shards[*shard].push(labels, sample, self.max_samples);
                }
            }
        }
        shards.into_iter().map(Shard::finish).collect()
    }

    /// What becomes of a series, and which shard has it; nothing where it is not forwarded.
    fn route(&self, labels: &Labels) -> Option<(Labels, usize)> {
        let holds = |choice: &Choice| {
            let mut matchers = choice.matchers.iter();
            matchers.all(|one| one.accepts(labels.get(one.label()).unwrap_or_default()))
        };
        if self.drop.iter().any(holds) || !(self.keep.is_empty() || self.keep.iter().any(holds)) {
            return None;
        }
        let labels = if self.labels.is_empty() {
            labels.clone()
        } else {
            // What a series says itself counts more than what is added to all.
            let added = self.labels.iter().map(|(name, value)| (&**name, &**value));
            Labels::from_pairs(added.chain(labels.iter()))
        };
        // Keys of this hasher are fixed, unlike a HashMap's: after a restart the shards are the same.
        let mut hasher = DefaultHasher::new();
        labels.hash(&mut hasher);
        let shard = hasher.finish() % self.shards as u64;
        Some((labels, shard as usize))
    }

    fn is_news(&mut self, family: &str, said: &read::Metadata) -> bool {
        if self.families.get(family) == Some(said) {
            return false;
        }
        if self.families.len() >= MAX_FAMILIES {
            self.families.clear();
        }
        self.families.insert(family.to_owned(), said.clone());
        true
    }

    /// What is known of the family that a series belongs to.
    pub(super) fn metadata(&self, labels: &Labels) -> Option<&read::Metadata> {
        let name = labels.metric_name();
        if let Some(said) = self.families.get(name) {
            return Some(said);
        }
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))?;
        let said = self.families.get(family)?;
        matches!(said.kind, Kind::Histogram | Kind::Summary).then_some(said)
    }
}

/// The requests of one shard, the last of them still open.
#[derive(Debug, Default)]
struct Shard {
    whole: Vec<Request>,
    open: Request,
    places: HashMap<Labels, usize>,
}

impl Shard {
    fn push(&mut self, labels: &Labels, sample: Sample, max_samples: usize) {
        if self.open.samples >= max_samples {
            self.whole.push(std::mem::take(&mut self.open));
            self.places.clear();
        }
        let place = match self.places.get(labels) {
            Some(place) => *place,
            None => {
                self.places.insert(labels.clone(), self.open.series.len());
                self.open.series.push((labels.clone(), Vec::new()));
                self.open.series.len() - 1
            }
        };
        self.open.series[place].1.push(sample);
        self.open.samples += 1;
    }

    fn finish(mut self) -> Vec<Request> {
        if !self.open.is_empty() {
            self.whole.push(self.open);
        }
        for (_, samples) in self
            .whole
            .iter_mut()
            .flat_map(|request| &mut request.series)
        {
            samples.sort_by_key(|sample| sample.at_ms);
        }
        self.whole
    }
}

impl Request {
    /// How many samples it holds.
    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    fn is_empty(&self) -> bool {
        self.samples == 0 && self.families.is_empty()
    }

    /// Its bytes, not compressed. Of a chunk that only speaks of families, 2.0 has nothing to send.
    pub(super) fn encode(&self, version: Version, cutter: &Cutter) -> Option<Vec<u8>> {
        let mut encoder = Encoder::new(version);
        for (labels, samples) in &self.series {
            let metadata = match version {
                Version::V1 => None,
                Version::V2 => cutter.metadata(labels).map(borrowed),
            };
            encoder.series(labels.iter(), samples, metadata);
        }
        for (family, said) in &self.families {
            encoder.family(family, borrowed(said));
        }
        (!encoder.is_empty()).then(|| encoder.finish())
    }
}

fn borrowed(said: &read::Metadata) -> Metadata<'_> {
    Metadata {
        kind: said.kind,
        help: &said.help,
        unit: &said.unit,
    }
}

#[cfg(test)]
mod tests;
