//! Batches as Prometheus' text exposition format, version 0.0.4.
//!
//! The format wants all series of a name in one group, and our batches are by source: two PostgreSQL
//! instances both have `pg_up`. So families are gathered by name first.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use crate::batch::Batch;
use crate::metric::{Family, Label, Point, Suffix, is_stale};

/// What a scraper is told about the body.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Renders batches, families in the order of their names. Series that have ended are left out: a
/// reader of text sees that they end by their absence.
pub fn render<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> String {
    let mut by_name: BTreeMap<&str, Vec<(&[Label], &Family)>> = BTreeMap::new();
    for batch in batches {
        let has_value = |family: &&Family| family.points.iter().any(|p| !is_stale(p.value));
        for family in batch.families.iter().filter(has_value) {
            by_name
                .entry(&family.name)
                .or_default()
                .push((&batch.target, family));
        }
    }
    let mut out = Exposition::default();
    for (name, families) in by_name {
        let (_, first) = families[0];
        out.family(name, first.kind.as_str(), &first.help);
        for (target, family) in families {
            for point in family.points.iter().filter(|p| !is_stale(p.value)) {
                render_point(&mut out, name, target, point);
            }
        }
    }
    out.finish()
}

/// Metric families as text.
#[derive(Debug, Default)]
pub struct Exposition {
    out: String,
}

impl Exposition {
    /// Begins a family; an empty help is left out.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) -> &mut Self {
        if !help.is_empty() {
            let help = help.replace('\\', "\\\\").replace('\n', "\\n");
            self.push(format_args!("# HELP {name} {help}\n"));
        }
        self.push(format_args!("# TYPE {name} {kind}\n"));
        self
    }

    /// One number, with its time in milliseconds where it has one.
    pub fn sample<'a>(
        &mut self,
        name: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        value: f64,
        at_ms: Option<i64>,
    ) -> &mut Self {
        self.out.push_str(name);
        let mut opened = false;
        for (label, value) in labels {
            self.out.push(if opened { ',' } else { '{' });
            opened = true;
            self.out.push_str(label);
            self.out.push_str("=\"");
            self.push_escaped(value);
            self.out.push('"');
        }
        if opened {
            self.out.push('}');
        }
        self.push(format_args!(" {}", Number(value)));
        if let Some(at_ms) = at_ms {
            self.push(format_args!(" {at_ms}"));
        }
        self.out.push('\n');
        self
    }

    /// A family with one number.
    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) -> &mut Self {
        self.family(name, kind, help).sample(name, [], value, None)
    }

    /// The text.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }

    fn push_escaped(&mut self, value: &str) {
        for c in value.chars() {
            match c {
                '\\' => self.out.push_str("\\\\"),
                '"' => self.out.push_str("\\\""),
                '\n' => self.out.push_str("\\n"),
                c => self.out.push(c),
            }
        }
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.out
            .write_fmt(text)
            .expect("writing into a String cannot fail");
    }
}

/// A number as Prometheus writes it.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            value if value.is_nan() => f.write_str("NaN"),
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            // Beyond these Display would write hundreds of digits.
            value if value != 0.0 && !(1e-5..1e21).contains(&value.abs()) => write!(f, "{value:e}"),
            value => write!(f, "{value}"),
        }
    }
}

fn render_point(out: &mut Exposition, name: &str, target: &[Label], point: &Point) {
    // A label of the point goes before the target's of the same name, as with honor_labels.
    let own = |label: &&Label| !point.labels.iter().any(|other| other.name == label.name);
    let labels = point.labels.iter().chain(target.iter().filter(own));
    let labels = labels.filter(|label| !label.value.is_empty());
    let pairs = labels.map(|Label { name, value }| (&**name, &**value));
    let name = match point.suffix {
        Suffix::None => Cow::Borrowed(name),
        suffix => Cow::Owned(format!("{name}{}", suffix.as_str())),
    };
    out.sample(&name, pairs, point.value, point.at_ms);
}

#[cfg(test)]
mod tests {
    use crate::metric::{Kind, STALE};

    use super::*;

    /// A point: its suffix, its labels, its value.
    type Row = (Suffix, &'static [(&'static str, &'static str)], f64);

    fn batch(instance: &str, families: Vec<Family>) -> Batch {
        let target = vec![
            Label::new("job", "j"),
            Label::new("instance", instance.to_owned()),
        ];
        Batch {
            source: "s".into(),
            at_ms: 0,
            target,
            families,
        }
    }

    fn family(name: &'static str, kind: Kind, points: &[Row]) -> Family {
        let mut family = Family::new(name, "Helps\n\"you\".", kind);
        for (suffix, labels, value) in points {
            let labels = labels
                .iter()
                .map(|(name, value)| Label::new(*name, *value))
                .collect();
            family.points.push(Point {
                suffix: *suffix,
                labels,
                value: *value,
                at_ms: None,
            });
        }
        family
    }

    #[test]
    fn families_of_one_name_stand_together() {
        let first = batch(
            "a",
            vec![family("up", Kind::Gauge, &[(Suffix::None, &[], 1.0)])],
        );
        let second = batch(
            "b",
            vec![family(
                "up",
                Kind::Gauge,
                &[(Suffix::None, &[("empty", "")], 0.0)],
            )],
        );
        assert_eq!(
            render([&first, &second]),
            "# HELP up Helps\\n\"you\".\n# TYPE up gauge\n\
             up{job=\"j\",instance=\"a\"} 1\nup{job=\"j\",instance=\"b\"} 0\n"
        );
    }

    #[test]
    fn values_labels_and_suffixes() {
        let points: &[Row] = &[
            (Suffix::Bucket, &[("le", "+Inf")], f64::INFINITY),
            (Suffix::Sum, &[("q", "a\"b\\c\nd")], -1.5e-9),
            (Suffix::Count, &[("instance", "own")], f64::NAN),
        ];
        let text = render([&batch("a", vec![family("h", Kind::Histogram, points)])]);
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "# TYPE h histogram",
                "h_bucket{le=\"+Inf\",job=\"j\",instance=\"a\"} +Inf",
                "h_sum{q=\"a\\\"b\\\\c\\nd\",job=\"j\",instance=\"a\"} -1.5e-9",
                "h_count{instance=\"own\",job=\"j\"} NaN",
            ]
        );
    }

    #[test]
    fn series_that_have_ended_are_left_out() {
        let some: &[Row] = &[
            (Suffix::None, &[("x", "1")], STALE),
            (Suffix::None, &[], 2.0),
        ];
        let none: &[Row] = &[(Suffix::None, &[("x", "1")], STALE)];
        let families = vec![
            family("some", Kind::Gauge, some),
            family("none", Kind::Gauge, none),
        ];
        let text = render([&batch("a", families)]);
        let lines: Vec<_> = text.lines().skip(1).collect();
        let expected = ["# TYPE some gauge", "some{job=\"j\",instance=\"a\"} 2"];
        assert_eq!(lines, expected);
    }

    #[test]
    fn text_is_escaped_and_numbers_are_short() {
        let mut out = Exposition::default();
        out.family("a", "gauge", "one\ntwo\\");
        out.sample("a", [("b", "x\"\\\n")], f64::NAN, Some(-5));
        out.sample("a", [], f64::INFINITY, None);
        out.sample("a", [("b", "1"), ("c", "2")], 1.5, None);
        out.single("d", "counter", "", 1e300);
        let expected = "# HELP a one\\ntwo\\\\\n# TYPE a gauge\na{b=\"x\\\"\\\\\\n\"} NaN -5\na +Inf\n\
                        a{b=\"1\",c=\"2\"} 1.5\n# TYPE d counter\nd 1e300\n";
        assert_eq!(out.finish(), expected);
    }
}
