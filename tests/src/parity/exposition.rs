//! Series as an exporter's page of text has them, and as a source's families have them.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, bail};
use wire::metric::{Family, Kind};

/// A series: its name with the point's suffix, and its labels without empty ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The name.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
}

/// All series of one reading.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposition {
    series: BTreeMap<Key, f64>,
    kinds: BTreeMap<String, Kind>,
}

impl Exposition {
    /// Reads the Prometheus text format.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parsed = Self::default();
        for line in text.lines() {
            parsed
                .line(line.trim())
                .with_context(|| format!("in the line {line:?}"))?;
        }
        Ok(parsed)
    }

    /// What a source gathered.
    #[must_use]
    pub fn of(families: &[Family]) -> Self {
        let mut all = Self::default();
        for family in families {
            all.kinds.insert(family.name.to_string(), family.kind);
            for point in &family.points {
                let labels = point.labels.iter().filter(|label| !label.value.is_empty());
                let key = Key {
                    name: format!("{}{}", family.name, point.suffix.as_str()),
                    labels: labels
                        .map(|label| (label.name.to_string(), label.value.to_string()))
                        .collect(),
                };
                all.series.insert(key, point.value);
            }
        }
        all
    }

    /// Every series with its value.
    pub fn series(&self) -> impl Iterator<Item = (&Key, f64)> {
        self.series.iter().map(|(key, value)| (key, *value))
    }

    /// The series of one name.
    pub fn series_named(&self, name: &str) -> impl Iterator<Item = (&Key, f64)> {
        let first = Key {
            name: name.to_owned(),
            labels: BTreeMap::new(),
        };
        let rest = self.series.range(first..);
        let named = rest.take_while(move |(key, _)| key.name == name);
        named.map(|(key, value)| (key, *value))
    }

    /// The value of one series.
    #[must_use]
    pub fn value(&self, key: &Key) -> Option<f64> {
        self.series.get(key).copied()
    }

    /// The kind of the family that a series of this name belongs to.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<Kind> {
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| self.kinds.get(name.strip_suffix(suffix)?));
        self.kinds.get(name).or(family).copied()
    }

    fn line(&mut self, line: &str) -> Result<()> {
        if let Some(declaration) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declaration
                .split_once(' ')
                .context("a type without a kind")?;
            let kind = Kind::parse(kind).context("a kind that does not exist")?;
            self.kinds.insert(name.to_owned(), kind);
            return Ok(());
        }
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let end = line.find(['{', ' ', '\t']).context("no value")?;
        let (name, rest) = line.split_at(end);
        let mut labels = BTreeMap::new();
        let rest = match rest.strip_prefix('{') {
            Some(inside) => read_labels(inside, &mut labels)?,
            None => rest,
        };
        let value = rest.split_ascii_whitespace().next().context("no value")?;
        let key = Key {
            name: name.to_owned(),
            labels,
        };
        // Rust reads all numbers of the format, NaN and +Inf included.
        self.series.insert(key, value.parse()?);
        Ok(())
    }
}

/// Reads `a="b",c="d"}`, gives what follows.
fn read_labels<'a>(mut rest: &'a str, labels: &mut BTreeMap<String, String>) -> Result<&'a str> {
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let (name, after) = rest.split_once("=\"").context("a label without a value")?;
        let (value, after) = read_quoted(after)?;
        rest = after;
        if !value.is_empty() {
            labels.insert(name.trim().to_owned(), value);
        }
    }
}

/// Reads up to the closing quote, undoing the escapes.
fn read_quoted(text: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match letters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped)) => value.push(escaped),
                None => break,
            },
            _ => value.push(letter),
        }
    }
    bail!("a label's value does not end")
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.labels.is_empty() {
            return Ok(());
        }
        let labels = self.labels.iter();
        let labels: Vec<String> = labels
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        write!(f, "{{{}}}", labels.join(","))
    }
}
