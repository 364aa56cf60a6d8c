//! What one collection gave, and how tests ask for it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nightshift_agent::collect::{Gap, Gather, Source, SourceError};
use wire::metric::{Family, Label};

use crate::cluster::PATIENCE;

/// One collection.
pub(crate) struct Observed {
    pub(crate) families: Vec<Family>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) outcome: Result<(), SourceError>,
}

/// Collects once. No two series of a collection may be the same: that is true of each test.
pub(crate) async fn collect<S: Source>(source: &mut S) -> Observed {
    let mut out = Gather::default();
    let outcome = source.collect(&mut out).await;
    let (families, gaps) = out.finish();
    let observed = Observed {
        families,
        gaps,
        outcome,
    };
    observed.assert_distinct();
    observed
}

/// Collects until a state is reached: statistics reach their views a moment after the fact.
pub(crate) async fn collect_until<S: Source>(
    source: &mut S,
    what: &str,
    reached: impl Fn(&Observed) -> bool,
) -> Observed {
    let deadline = Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    loop {
        let observed = collect(source).await;
        if reached(&observed) {
            return observed;
        }
        assert!(
            Instant::now() < deadline,
            "this never happened: {what}; gaps {:?}, outcome {:?}",
            observed.gaps,
            observed.outcome
        );
        looks.tick().await;
    }
}

impl Observed {
    /// The value of the series with that name and at least these labels; there must be but one.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let values = self.values(name, labels);
        assert!(values.len() <= 1, "{name}{labels:?} stands for {values:?}");
        values.first().copied()
    }

    /// The same where it has to be there.
    pub(crate) fn the(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.value(name, labels).unwrap_or_else(|| {
            let found: Vec<_> = self
                .points(name)
                .take(20)
                .map(|(labels, value)| format!("{labels:?} {value}"))
                .collect();
            panic!(
                "no {name}{labels:?}; there is {found:#?}; gaps {:?}",
                self.gaps
            )
        })
    }

    /// Checks one expectation a line: `name{label=value,...} op number`, with `=`, `>` or `>=`; or
    /// `name{...} is absent`.
    pub(crate) fn shows(&self, expectations: &str) {
        for line in expectations
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let [expected, op, series] = line
                .rsplitn(3, ' ')
                .collect::<Vec<_>>()
                .try_into()
                .unwrap_or_else(|_| panic!("not an expectation: {line}"));
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels: Vec<(&str, &str)> = labels
                .trim_end_matches('}')
                .split(',')
                .filter_map(|pair| pair.split_once('='))
                .collect();
            if op == "is" {
                assert_eq!(self.values(name, &labels), [] as [f64; 0], "{line}");
                continue;
            }
            let (found, expected) = (self.the(name, &labels), expected.parse::<f64>().unwrap());
            let holds = match op {
                "=" => (found - expected).abs() < 1e-9,
                ">" => found > expected,
                ">=" => found >= expected,
                _ => panic!("not an expectation: {line}"),
            };
            assert!(holds, "{line}: it is {found}");
        }
    }

    /// The values of all series with that name and at least these labels.
    pub(crate) fn values(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        self.points(name)
            .filter(|(has, _)| {
                labels.iter().all(|(name, value)| {
                    let found = has.iter().find(|label| label.name == *name);
                    found.map_or("", |label| &label.value) == *value
                })
            })
            .map(|(_, value)| value)
            .collect()
    }

    /// Every value that this label takes in series of that name.
    pub(crate) fn label_values(&self, name: &str, label: &str) -> BTreeSet<String> {
        self.points(name)
            .flat_map(|(labels, _)| labels)
            .filter(|has| has.name == label)
            .map(|has| has.value.to_string())
            .collect()
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.families
            .iter()
            .map(|family| family.name.to_string())
            .collect()
    }

    /// What was left out.
    pub(crate) fn gap(&self, what: &str) -> &Gap {
        let found = self.gaps.iter().find(|gap| gap.what.contains(what));
        found.unwrap_or_else(|| panic!("no gap {what}; there is {:?}", self.gaps))
    }

    fn points(&self, name: &str) -> impl Iterator<Item = (&Vec<Label>, f64)> {
        self.families
            .iter()
            .filter(move |family| family.name == name)
            .flat_map(|family| &family.points)
            .map(|point| (&point.labels, point.value))
    }

    fn assert_distinct(&self) {
        let mut seen = BTreeSet::new();
        for family in &self.families {
            for point in &family.points {
                let mut labels = point.labels.clone();
                labels.retain(|label| !label.value.is_empty());
                labels.sort();
                let key = format!("{}{} {labels:?}", family.name, point.suffix.as_str());
                assert!(seen.insert(key.clone()), "twice: {key}");
            }
        }
    }
}
