use proptest::prelude::*;
use wire::metric::{Kind, Suffix};

use super::*;
use crate::schedule::Plan;

const TARGET: [(&str, &str); 2] = [("job", "j"), ("instance", "i")];

fn identity(job: &str, instance: &str) -> Identity {
    let second = std::time::Duration::from_secs(1);
    let plan = Plan {
        source: "test",
        job: job.to_owned(),
        instance: instance.to_owned(),
        speaks_for_target: true,
        interval: second,
        timeout: second,
    };
    plan.identity()
}

fn label(pair: &str) -> Label {
    let (name, value) = pair.split_once('=').unwrap();
    Label::new(name.to_owned(), value.to_owned())
}

/// A batch of words: `name`, `name{a=1,b=2}`, `name_count`, `name@5` for a point of that time.
fn batch(words: &str, at_ms: i64) -> Batch {
    let mut families: Vec<Family> = Vec::new();
    for word in words.split_whitespace() {
        let (word, time) = word.split_once('@').unwrap_or((word, ""));
        let (name, labels) = word.split_once('{').unwrap_or((word, ""));
        let labels = labels.trim_end_matches('}').split(',');
        let labels = labels.filter(|pair| !pair.is_empty()).map(label).collect();
        let (name, suffix) = match name.strip_suffix("_count") {
            Some(name) => (name, Suffix::Count),
            None => (name, Suffix::None),
        };
        let point = Point {
            suffix,
            labels,
            value: 1.0,
            at_ms: time.parse().ok(),
        };
        match families.last_mut().filter(|family| family.name == name) {
            Some(family) => family.points.push(point),
            None => families.push(Family {
                points: vec![point],
                ..Family::new(name.to_owned(), "Help.", Kind::Gauge)
            }),
        }
    }
    Batch {
        source: "test".to_owned(),
        at_ms,
        target: TARGET.map(|(n, v)| Label::new(n, v)).to_vec(),
        families,
    }
}

/// The markers of a batch, as the words from which it would have been made.
fn ended(batch: &Batch) -> String {
    let mut words = Vec::new();
    for family in &batch.families {
        let ended = family.points.iter();
        for point in ended.filter(|point| wire::metric::is_stale(point.value)) {
            assert_eq!(point.at_ms, None, "a marker has its collection's time");
            let labels = point.labels.iter();
            let labels: Vec<_> = labels
                .map(|label| format!("{}={}", label.name, label.value))
                .collect();
            let mut word = format!("{}{}", family.name, point.suffix.as_str());
            if !labels.is_empty() {
                word += &format!("{{{}}}", labels.join(","));
            }
            words.push(word);
        }
    }
    words.join(" ")
}

fn mark(endings: &mut Endings, words: &str) -> Batch {
    let mut batch = batch(words, 7);
    endings.mark(&identity("j", "i"), &mut batch, Reading::Whole);
    batch
}

#[test]
fn what_was_there_and_is_not_has_ended() {
    let check = |before: &str, after: &str, expected: &str| {
        let mut endings = Endings::new();
        assert_eq!(ended(&mark(&mut endings, before)), "", "nothing is known");
        let batch = mark(&mut endings, after);
        assert_eq!(ended(&batch), expected, "{before} -> {after}");
        // Once only, and what comes back is simply there.
        assert_eq!(ended(&mark(&mut endings, after)), "");
        assert_eq!(ended(&mark(&mut endings, &format!("{after} {before}"))), "");
    };
    check("", "", "");
    check("a", "a", "");
    check("", "a b", "");
    check("a b", "b", "a");
    check("a b{x=1} b{x=2}", "b{x=2}", "b{x=1} a");
    check("a b c{x=1}", "", "a b c{x=1}");
    // The order of labels, an empty label and a label that the target has too make no other series.
    check("a{x=1,y=2}", "a{y=2,x=1}", "");
    check("a{x=1}", "a{x=1,y=}", "");
    check("a{job=j}", "a", "");
    check("a{job=k}", "a", "a{job=k}");
    check("a{x=1,y=2}", "a{x=1}", "a{x=1,y=2}");
    check("a{x=12}", "a{x=1}", "a{x=12}");
    // A part of a histogram, and one that a rule has made a number of its own.
    check("h_count{x=1} h", "h", "h_count{x=1}");
    // A source may say a thing twice.
    check("a a b", "b", "a");
    // Points with a time of their own do not end, and go on for what had none.
    check("a@5 b", "b", "");
    check("a", "a@5", "");
}

proptest! {
    /// Over any number of collections the markers are what sets say.
    #[test]
    fn markers_are_the_difference_of_sets(
        collections in prop::collection::vec(
            prop::collection::btree_set("(a|b|c|d_count)(|[{]x=[1-4](,y=[12])?[}])", 0..12),
            1..8,
        ),
    ) {
        let mut endings = Endings::new();
        let mut before = BTreeSet::new();
        for now in collections {
            let words: Vec<String> = now.iter().rev().cloned().collect();
            let found = ended(&mark(&mut endings, &words.join(" ")));
            let found: Vec<String> = found.split_whitespace().map(str::to_owned).collect();
            let expected: BTreeSet<String> = before.difference(&now).cloned().collect();
            prop_assert_eq!(found.len(), expected.len(), "each once");
            prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
            before = now;
        }
    }
}

#[test]
fn gaps_end_nothing_the_first_time() {
    use Reading::{Whole, WithGaps};
    let check = |steps: &[(Reading, &str, &str)]| {
        let mut endings = Endings::new();
        for (step, (reading, words, expected)) in steps.iter().enumerate() {
            let mut batch = batch(words, 1_000);
            endings.mark(&identity("j", "i"), &mut batch, *reading);
            assert_eq!(ended(&batch), *expected, "step {step} of {steps:?}");
        }
    };
    // What was not looked at is back, and what is gone has ended.
    check(&[
        (Whole, "a b c", ""),
        (WithGaps, "a", ""),
        (Whole, "a b", "c"),
    ]);
    // What a gap hid the first time and never came back has ended, too.
    check(&[
        (Whole, "a b", ""),
        (WithGaps, "a", ""),
        (WithGaps, "a", "b"),
        (WithGaps, "a c", ""),
        (WithGaps, "a", "c"),
    ]);
    // Known before the gap, and during it.
    check(&[
        (Whole, "a b", ""),
        (WithGaps, "a d", ""),
        (Whole, "d", "a b"),
    ]);
}

#[test]
fn a_part_of_a_histogram_is_the_same_series_under_its_whole_name() {
    let mut endings = Endings::new();
    mark(&mut endings, "h_count");
    let mut renamed = batch("x", 7);
    renamed.families[0].name = "h_count".into();
    endings.mark(&identity("j", "i"), &mut renamed, Reading::Whole);
    assert_eq!(ended(&renamed), "");
}

#[test]
fn markers_stand_in_the_family_that_is_still_there() {
    let mut endings = Endings::new();
    mark(&mut endings, "a{x=1} a{x=2} b");
    let batch = mark(&mut endings, "a{x=2}");
    let families = batch.families.iter();
    let families: Vec<_> = families
        .map(|family| (&*family.name, &*family.help, family.points.len()))
        .collect();
    assert_eq!(families, [("a", "Help.", 2), ("b", "", 1)]);
}

#[test]
fn sources_are_apart_and_end_when_they_are_not_watched() {
    let mut endings = Endings::new();
    let (first, second) = (identity("j", "1"), identity("j", "2"));
    let other_job = identity("k", "2");
    for source in [&first, &second, &other_job] {
        let mut batch = batch("a b", 7);
        endings.mark(source, &mut batch, Reading::Whole);
        assert_eq!(ended(&batch), "");
    }
    let mut watched = BTreeSet::from([first.clone(), second]);
    let batches = endings.end_others(&watched, 9);
    let [only] = &batches[..] else {
        panic!("{batches:?}")
    };
    assert_eq!((only.at_ms, &*only.source), (9, "test"));
    assert_eq!((ended(only), only.target.len()), ("a b".to_owned(), 2));
    assert_eq!(endings.end_others(&watched, 10), []);
    watched.clear();
    assert_eq!(endings.end_others(&watched, 11).len(), 2);
    let mut again = batch("b", 12);
    endings.mark(&first, &mut again, Reading::Whole);
    assert_eq!(ended(&again), "", "what was forgotten does not end again");
}

fn own(endings: &Endings) -> Vec<(String, f64)> {
    let mut out = Gather::default();
    endings.describe(&mut out);
    let (families, _) = out.finish();
    let points = families.into_iter().flat_map(|family| {
        let name = family
            .name
            .trim_start_matches("nightshift_pipeline_")
            .to_owned();
        let points = family.points.into_iter();
        points.map(move |point| (name.clone(), point.value))
    });
    points
        .filter(|(name, _)| name != "remembered_bytes")
        .collect()
}

#[test]
fn what_does_not_fit_is_counted_and_gets_no_marker() {
    let check = |most_bytes: usize, expected: &str, unremembered: f64| {
        let mut endings = Endings::with_bound(most_bytes);
        mark(&mut endings, "a{x=1} a{x=2} b");
        let mut own_series = vec![("staleness_markers_total".to_owned(), 0.0)];
        if unremembered > 0.0 {
            own_series.push(("unremembered_series".to_owned(), unremembered));
        }
        assert_eq!(own(&endings), own_series);
        assert_eq!(ended(&mark(&mut endings, "")), expected);
        let made = expected.split_whitespace().count() as f64;
        assert_eq!(
            own(&endings),
            [("staleness_markers_total".to_owned(), made)]
        );
    };
    check(MOST_BYTES, "a{x=1} a{x=2} b", 0.0);
    // A family takes four bytes here, a series with a label up to seven.
    check(11, "a{x=1}", 2.0);
    check(0, "", 3.0);
}
