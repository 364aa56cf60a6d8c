//! What a source is, and what it gathers into.
//!
//! A source looks at one thing (this host, one PostgreSQL instance, one PgBouncer) and puts what it
//! sees into a [`Gather`]. It knows nothing of schedules, spools or the network. Its rules:
//!
//! - What could not be read is left out and said with [`Gather::gap`], never written as a zero.
//! - An error ends this collection; what was gathered before it is still shipped.
//! - Each wait has a bound of its own; the scheduler's timeout is the last resort. A collection may
//!   be dropped at any await point, and the next one must then work.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;

use wire::metric::{Family, Kind, Label, Point, Suffix, Text};

/// Something that can be looked at, over and over.
pub trait Source: Send + 'static {
    /// Looks once and puts what it sees into `out`.
    ///
    /// After success `out` holds all that could be read, and a gap for each part that could not.
    /// After an error `out` holds what was read before it, and the target counts as down.
    fn collect(&mut self, out: &mut Gather)
    -> impl Future<Output = Result<(), SourceError>> + Send;
}

/// Why a collection ended early, as an operator reads it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// What failed, on which object.
    pub message: String,
    /// What the other side said; empty where it said nothing.
    pub detail: String,
    /// What to do about it; empty where that is not known.
    pub hint: String,
}

impl SourceError {
    /// An error with what failed.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            detail: String::new(),
            hint: String::new(),
        }
    }

    /// Adds what the other side said.
    #[must_use]
    pub fn detail(mut self, detail: impl ToString) -> Self {
        self.detail = detail.to_string();
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// A part of a source that could not be read, while the rest could.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// The family or object left out: `stat_statements`, `public.loans`.
    pub what: String,
    /// Why, in a few words without numbers that change.
    pub why: String,
    /// What would close the gap; empty where nothing would.
    pub fix: String,
}

/// Collects families and gaps of one collection.
#[derive(Debug, Default)]
pub struct Gather {
    at_ms: i64,
    families: Vec<Family>,
    places: HashMap<Text, usize>,
    gaps: Vec<Gap>,
}

impl Gather {
    /// An empty gathering of that moment, in milliseconds since 1970.
    #[must_use]
    pub fn new(at_ms: i64) -> Self {
        Self {
            at_ms,
            ..Self::default()
        }
    }

    /// When the collection began, in milliseconds since 1970 by the host's clock.
    #[must_use]
    pub fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// The family of that name, opened as a gauge if it is new.
    pub fn gauge(&mut self, name: impl Into<Text>, help: impl Into<Text>) -> Series<'_> {
        self.family(name, help, Kind::Gauge)
    }

    /// The family of that name, opened as a counter if it is new.
    pub fn counter(&mut self, name: impl Into<Text>, help: impl Into<Text>) -> Series<'_> {
        self.family(name, help, Kind::Counter)
    }

    /// The family of that name, opened with that kind if it is new.
    pub fn family(
        &mut self,
        name: impl Into<Text>,
        help: impl Into<Text>,
        kind: Kind,
    ) -> Series<'_> {
        let name = name.into();
        let place = match self.places.entry(name.clone()) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                self.families.push(Family::new(name, help, kind));
                *entry.insert(self.families.len() - 1)
            }
        };
        Series {
            family: &mut self.families[place],
        }
    }

    /// Says that a part could not be read.
    pub fn gap(&mut self, what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) {
        self.gaps.push(Gap {
            what: what.into(),
            why: why.into(),
            fix: fix.into(),
        });
    }

    /// Takes in everything another gathering holds.
    pub fn absorb(&mut self, other: Self) {
        for family in other.families {
            self.family(family.name, family.help, family.kind)
                .family
                .points
                .extend(family.points);
        }
        self.gaps.extend(other.gaps);
    }

    /// How many series were gathered so far.
    #[must_use]
    pub fn series(&self) -> usize {
        self.families.iter().map(|family| family.points.len()).sum()
    }

    /// What was gathered, without families that got no point.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Family>, Vec<Gap>) {
        self.families.retain(|family| !family.points.is_empty());
        (self.families, self.gaps)
    }
}

/// Adds points to one family.
#[derive(Debug)]
pub struct Series<'a> {
    family: &'a mut Family,
}

impl Series<'_> {
    /// Adds a point without labels.
    pub fn value(&mut self, value: f64) -> &mut Self {
        self.point(Vec::new(), value)
    }

    /// Adds a point with labels given as pairs of a constant name and any text.
    pub fn with<const N: usize, V: Into<Text>>(
        &mut self,
        labels: [(&'static str, V); N],
        value: f64,
    ) -> &mut Self {
        let labels = labels
            .into_iter()
            .map(|(name, value)| Label::new(name, value))
            .collect();
        self.point(labels, value)
    }

    /// Adds a point with labels made elsewhere.
    pub fn point(&mut self, labels: Vec<Label>, value: f64) -> &mut Self {
        self.exact(Point {
            suffix: Suffix::None,
            labels,
            value,
            at_ms: None,
        })
    }

    /// Adds a point as it is: for histograms, and for numbers that carry their own time.
    pub fn exact(&mut self, point: Point) -> &mut Self {
        self.family.points.push(point);
        self
    }
}
