//! The Prometheus text format 0.0.4 and OpenMetrics 1.0, read into families.
//!
//! Lenient where Prometheus is (order of lines, families told in pieces), strict where a guess
//! could make a wrong number: an error names its line, and then nothing of the exposition is used.
//! Exemplars and `_created` times are left out: they are no numbers of their own.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use wire::metric::{Family, Kind, Point, Suffix, Text};

use super::line::{self, Line, Sample, shortened};

/// Which of the two an exposition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text format 0.0.4: timestamps in milliseconds.
    Text,
    /// OpenMetrics 1.0: timestamps in seconds, `# EOF` at the end.
    OpenMetrics,
}

/// Where and why reading ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ExpositionError {
    /// The line, the first being 1.
    pub line: usize,
    /// What was wrong with it.
    pub what: Cow<'static, str>,
}

/// Reads a whole exposition.
pub fn parse(body: &[u8], format: Format) -> Result<Vec<Family>, ExpositionError> {
    let at = |line: usize| {
        move |what: Cow<'static, str>| ExpositionError {
            line: line + 1,
            what,
        }
    };
    let text = std::str::from_utf8(body).map_err(|error| {
        let before = &body[..error.valid_up_to()];
        at(before.iter().filter(|byte| **byte == b'\n').count())("not UTF-8".into())
    })?;
    let mut families = Families::default();
    let mut lines = 0;
    let mut has_ended = false;
    for (number, line) in text.split('\n').enumerate() {
        lines = number;
        let line = line::parse(line, format).map_err(at(number))?;
        if has_ended && line != Line::Nothing {
            return Err(at(number)("text behind # EOF".into()));
        }
        match line {
            Line::Nothing => {}
            Line::End => has_ended = true,
            Line::Help { name, text } => families.declare(name).help = text,
            Line::Type { name, word } => {
                families.declare(name).kind = Declared::parse(word).map_err(at(number))?;
            }
            Line::Sample(sample) => families.take(sample),
        }
    }
    if format == Format::OpenMetrics && !has_ended {
        return Err(at(lines)("ends without # EOF: the rest is missing".into()));
    }
    Ok(families.read)
}

/// What `# TYPE` said, where OpenMetrics has more words than families have kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declared {
    Kind(Kind),
    Info,
    Other,
}

impl Declared {
    fn parse(word: &str) -> Result<Self, Cow<'static, str>> {
        match word {
            "info" => Ok(Self::Info),
            "stateset" => Ok(Self::Kind(Kind::Gauge)),
            "gaugehistogram" => Ok(Self::Other),
            word => Kind::parse(word)
                .map(Self::Kind)
                .ok_or_else(|| format!("{:?} is not a type", shortened(word)).into()),
        }
    }
}

/// What was said of a name.
#[derive(Debug)]
struct Declaration {
    help: Text,
    kind: Declared,
}

/// Where the samples of a name go.
#[derive(Clone, Copy, Debug)]
enum Place {
    Family(usize, Suffix),
    Nowhere,
}

#[derive(Default)]
struct Families<'a> {
    read: Vec<Family>,
    declared: HashMap<&'a str, Declaration>,
    by_name: HashMap<String, usize>,
    /// Samples of a name stand together, so that its place is found once.
    last: Option<(&'a str, Place)>,
}

impl<'a> Families<'a> {
    fn declare(&mut self, name: &'a str) -> &mut Declaration {
        self.last = None;
        self.declared.entry(name).or_insert(Declaration {
            help: Cow::Borrowed(""),
            kind: Declared::Kind(Kind::Untyped),
        })
    }

    fn take(&mut self, sample: Sample<'a>) {
        let place = match self.last {
            Some((name, place)) if name == sample.name => place,
            _ => self.find(sample.name),
        };
        self.last = Some((sample.name, place));
        if let Place::Family(family, suffix) = place {
            self.read[family].points.push(Point {
                suffix,
                labels: sample.labels,
                value: sample.value,
                at_ms: sample.at_ms,
            });
        }
    }

    fn find(&mut self, name: &'a str) -> Place {
        if let Some(declared) = self.declared.get(name) {
            let kind = match declared.kind {
                Declared::Kind(kind) => kind,
                Declared::Info | Declared::Other => Kind::Untyped,
            };
            return self.family(name, name, kind, Suffix::None);
        }
        for (ending, suffix) in [
            ("_bucket", Suffix::Bucket),
            ("_sum", Suffix::Sum),
            ("_count", Suffix::Count),
        ] {
            let Some(base) = name.strip_suffix(ending) else {
                continue;
            };
            let kind = self.declared.get(base).map(|declared| declared.kind);
            match (kind, suffix) {
                (Some(Declared::Kind(kind @ Kind::Histogram)), _)
                | (Some(Declared::Kind(kind @ Kind::Summary)), Suffix::Sum | Suffix::Count) => {
                    return self.family(base, base, kind, suffix);
                }
                _ => {}
            }
        }
        self.find_by_open_metrics_ending(name)
    }

    /// OpenMetrics declares `requests` and counts in `requests_total`; queries know the latter.
    fn find_by_open_metrics_ending(&mut self, name: &'a str) -> Place {
        for (ending, kind) in [
            ("_total", Declared::Kind(Kind::Counter)),
            ("_info", Declared::Info),
        ] {
            let Some(base) = name.strip_suffix(ending) else {
                continue;
            };
            if self.declared.get(base).is_some_and(|d| d.kind == kind) {
                let kind = match kind {
                    Declared::Kind(kind) => kind,
                    Declared::Info | Declared::Other => Kind::Gauge,
                };
                return self.family(name, base, kind, Suffix::None);
            }
        }
        let created = name.strip_suffix("_created");
        let created = created.and_then(|base| self.declared.get(base));
        match created.map(|declared| declared.kind) {
            Some(Declared::Kind(Kind::Counter | Kind::Histogram | Kind::Summary)) => Place::Nowhere,
            _ => self.family(name, name, Kind::Untyped, Suffix::None),
        }
    }

    fn family(&mut self, name: &str, declared: &str, kind: Kind, suffix: Suffix) -> Place {
        let place = match self.by_name.entry(name.to_owned()) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let declared = self.declared.get(declared);
                let help = declared.map_or(Cow::Borrowed(""), |declared| declared.help.clone());
                self.read.push(Family::new(name.to_owned(), help, kind));
                *entry.insert(self.read.len() - 1)
            }
        };
        Place::Family(place, suffix)
    }
}

#[cfg(test)]
mod tests;
