use std::sync::Arc;
use std::time::Duration;

use wire::metric::{Kind, Point, Suffix};

use super::*;
use crate::schedule::Plan;

fn pipeline(settings: &str) -> Pipeline {
    let mut problems = Problems::default();
    let settings = toml::from_str::<RawSettings>(settings)
        .unwrap()
        .validate(&mut problems);
    assert_eq!(problems.into_inner(), []);
    Pipeline::new(settings.unwrap(), vec![Label::new("cluster", "loans")])
}

fn collection(families: Vec<Family>) -> Collection {
    let plan = Plan {
        source: "test",
        job: "test-exporter".into(),
        instance: "db1".into(),
        speaks_for_target: true,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(8),
    };
    Collection {
        plan: Arc::new(plan),
        at_ms: 7,
        families,
        gaps: Vec::new(),
    }
}

fn family(name: &'static str, labels: &[(&'static str, &str)]) -> Family {
    let mut family = Family::new(name, "", Kind::Gauge);
    for (name, value) in labels {
        let labels = vec![Label::new(*name, (*value).to_owned())];
        family.points.push(Point {
            suffix: Suffix::None,
            labels,
            value: 1.0,
            at_ms: None,
        });
    }
    family
}

fn names(batch: &Batch) -> Vec<(&str, usize)> {
    batch
        .families
        .iter()
        .map(|family| (&*family.name, family.points.len()))
        .collect()
}

#[test]
fn the_target_and_the_operators_labels_stand_on_the_batch() {
    let batch = pipeline("").pass(collection(vec![family("a", &[("x", "1")])]));
    let target: Vec<_> = batch.target.iter().map(|l| (&*l.name, &*l.value)).collect();
    assert_eq!(
        target,
        [
            ("job", "test-exporter"),
            ("instance", "db1"),
            ("cluster", "loans")
        ]
    );
}

#[test]
fn a_rule_drops_and_a_secret_is_hidden() {
    let mut pipeline = pipeline(
        r#"
        [[relabel]]
        source_labels = ["__name__"]
        regex = "secret_.*"
        action = "drop"
        "#,
    );
    let families = vec![
        family("secret_thing", &[("x", "1")]),
        family("q", &[("query", "ALTER ROLE a PASSWORD 'hunter2'")]),
    ];
    let batch = pipeline.pass(collection(families));
    assert_eq!(names(&batch), [("q", 1)]);
    assert_eq!(
        batch.families[0].points[0].labels[0].value,
        "ALTER ROLE a PASSWORD '***'"
    );
}

#[test]
fn the_cap_cuts_from_the_back_and_spares_the_sources_own_series() {
    let mut pipeline = pipeline("max_series_per_source = 4");
    let families = vec![
        family("a", &[("x", "1"), ("x", "2")]),
        family("b", &[("x", "1"), ("x", "2")]),
        family("nightshift_source_up", &[("source", "test")]),
        family("up", &[("x", "")]),
    ];
    let batch = pipeline.pass(collection(families));
    assert_eq!(
        names(&batch),
        [("a", 2), ("nightshift_source_up", 1), ("up", 1)]
    );
    let mut out = Gather::default();
    pipeline.describe(&mut out);
    let (families, _) = out.finish();
    assert_eq!(families[0].points[0].value, 2.0);
}
