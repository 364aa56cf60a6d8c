use store::append::{Arrival, Delivery, Row};
use store::tail::Position;

use super::*;
use crate::config::{Config, Overrides};

fn cutter(options: &str) -> Cutter {
    let text = format!("[[forward]]\nurl = \"http://x/\"\n{options}");
    Cutter::new(&Config::parse(&text, &Overrides::default()).unwrap().forward[0])
}

fn row(name: &str, at_ms: i64) -> Row {
    Row {
        labels: Labels::from_pairs([("__name__", name), ("job", "a")]),
        sample: read::Sample { at_ms, value: 0.5 },
    }
}

fn chunk(rows: Vec<Row>, metadata: &[(&str, Kind)]) -> Stretch {
    let said = |(family, kind): &(&str, Kind)| {
        let said = read::Metadata {
            kind: *kind,
            help: "h".into(),
            unit: String::new(),
        };
        ((*family).to_owned(), said)
    };
    let delivery = Delivery {
        origin: None,
        arrival: Arrival {
            wall_ms: 1,
            steady_ms: 1,
            sent_ms: None,
        },
        rows,
        metadata: metadata.iter().map(said).collect(),
        exemplars: Vec::new(),
    };
    Stretch {
        deliveries: vec![(delivery, Position::default())],
        ..Stretch::default()
    }
}

/// The requests of each shard: names with times.
fn shown(shards: &[Vec<Request>]) -> Vec<Vec<String>> {
    let request = |request: &Request| {
        let series = request.series.iter().map(|(labels, samples)| {
            let times: Vec<_> = samples
                .iter()
                .map(|sample| sample.at_ms.to_string())
                .collect();
            format!("{}@{}", labels.metric_name(), times.join(","))
        });
        series.collect::<Vec<_>>().join(" ")
    };
    let shard = |requests: &Vec<Request>| requests.iter().map(request).collect();
    shards.iter().map(shard).collect()
}

#[test]
fn requests_are_cut_in_the_order_of_arrival() {
    let rows = vec![
        row("a", 2),
        row("b", 1),
        row("a", 1),
        row("c", 1),
        row("a", 3),
    ];
    let shards = cutter("max_samples = 3\nconcurrency = 1").cut(chunk(rows, &[]));
    assert_eq!(shown(&shards), [["a@1,2 b@1", "c@1 a@3"]]);
}

#[test]
fn a_series_stays_in_its_shard_and_cutting_is_repeatable() {
    let rows = || (0..100).map(|n| row(&format!("m{}", n % 10), n)).collect();
    let options = "max_samples = 7\nconcurrency = 3";
    let once = shown(&cutter(options).cut(chunk(rows(), &[])));
    assert_eq!(once, shown(&cutter(options).cut(chunk(rows(), &[]))));
    for name in 0..10 {
        let name = format!("m{name}@");
        let holding = once
            .iter()
            .filter(|shard| shard.iter().any(|one| one.contains(&name)));
        assert_eq!(holding.count(), 1, "{name}");
    }
}

#[test]
fn series_are_chosen_and_labelled() {
    let check = |options: &str, expected: &[&str]| {
        let rows = vec![row("pg_up", 1), row("up", 1)];
        let shards = cutter(&format!("concurrency = 1\n{options}")).cut(chunk(rows, &[]));
        let requests = shards.iter().flatten();
        let labels: Vec<_> = requests
            .flat_map(|request| &request.series)
            .map(|(labels, _)| format!("{labels:?}"))
            .collect();
        assert_eq!(labels, expected, "{options}");
    };
    let pg = r#"{"__name__": "pg_up", "job": "a"}"#;
    let up = r#"{"__name__": "up", "job": "a"}"#;
    check("", &[pg, up]);
    check("keep = ['{__name__=~\"pg_.+\"}']", &[pg]);
    check("keep = ['up', 'pg_up']\ndrop = ['up{job=\"a\"}']", &[pg]);
    check("drop = ['{job=\"a\"}']", &[]);
    check("drop = ['{nothing=\"\", job=\"b\"}']", &[pg, up]);
    check(
        "keep = ['up']\nlabels = { region = \"eu\", job = \"z\" }",
        &[r#"{"__name__": "up", "job": "a", "region": "eu"}"#],
    );
}

#[test]
fn families_are_told_once_a_change() {
    let mut cutter = cutter("concurrency = 2");
    let told = |shards: Vec<Vec<Request>>| -> Vec<String> {
        let requests = shards.iter().flatten();
        requests
            .flat_map(|request| request.families.keys().cloned())
            .collect()
    };
    let said = [("up", Kind::Gauge), ("took", Kind::Histogram)];
    assert_eq!(told(cutter.cut(chunk(vec![], &said))), ["took", "up"]);
    assert!(cutter.cut(chunk(vec![], &said)).iter().all(Vec::is_empty));
    assert_eq!(
        told(cutter.cut(chunk(vec![], &[("up", Kind::Counter)]))),
        ["up"]
    );
    let kind = |name: &str| {
        let labels = Labels::from_pairs([("__name__", name)]);
        cutter.metadata(&labels).map(|said| said.kind)
    };
    assert_eq!(kind("took_bucket"), Some(Kind::Histogram));
    assert_eq!(kind("up"), Some(Kind::Counter));
    assert_eq!((kind("up_sum"), kind("other")), (None, None));
}
