use std::collections::BTreeMap;
use std::path::Path;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::super::tests::peers::postgres::{PASSWORD, Postgres};
use super::super::tests::peers::until;
use super::*;

/// A folder with one file of queries.
struct Written(TempDir);

impl Written {
    fn new(yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("q.yaml"), yaml).unwrap();
        Self(folder)
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("q.yaml")
    }
}

fn settings(login: &str, file: &Path, more: &str) -> Result<Settings, Vec<String>> {
    let toml = format!("{login}\nfiles = ['{}']\n{more}", file.display());
    let raw: RawSettings =
        toml::from_str(&toml).map_err(|error| vec![error.message().to_owned()])?;
    let mut problems = Problems::default();
    let settings = raw.validate(&mut problems);
    let found = problems.into_inner();
    settings.ok_or_else(|| {
        found
            .iter()
            .map(|p| format!("{}: {}", p.key, p.message))
            .collect()
    })
}

fn source(postgres: &Postgres, yaml: &str, more: &str) -> Sql {
    let written = Written::new(yaml);
    Sql::new(settings(&postgres.login("postgres"), &written.path(), more).unwrap())
}

struct Collected {
    series: BTreeMap<String, f64>,
    gaps: Vec<String>,
    outcome: Result<(), SourceError>,
}

async fn collect(source: &mut Sql) -> Collected {
    let mut out = Gather::default();
    let outcome = source.collect(&mut out).await;
    let (families, gaps) = out.finish();
    let mut series = BTreeMap::new();
    for family in families {
        for point in family.points {
            let labels = point
                .labels
                .iter()
                .map(|l| format!("{}={}", l.name, l.value));
            let labels: Vec<String> = labels.collect();
            let name = format!(
                "{} {}{}{{{}}}",
                family.kind,
                family.name,
                point.suffix.as_str(),
                labels.join(",")
            );
            assert_eq!(series.insert(name.clone(), point.value), None, "{name}");
        }
    }
    let shown = format!("{source:?} {outcome:?} {gaps:?}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    Collected {
        series,
        gaps: gaps
            .into_iter()
            .map(|gap| format!("{}: {}", gap.what, gap.why))
            .collect(),
        outcome,
    }
}

const FRESHNESS: &str = r#"
etl:
  query: |
    SELECT job, extract(epoch FROM now() - max(finished_at) FILTER (WHERE status = 'success')) AS age_seconds,
           count(*) FILTER (WHERE status = 'failed') AS failures
    FROM audit.etl_runs GROUP BY job
  metrics:
    - job:
        usage: "LABEL"
        description: "The job"
    - age_seconds:
        usage: "GAUGE"
        description: "Age of the last success"
    - failures:
        usage: "COUNTER"
        description: "Runs that failed"
"#;

/// What the source is for: an audit table that says how fresh a warehouse is.
#[tokio::test]
async fn the_age_of_an_etl_run() {
    let postgres = Postgres::start(&[]).await;
    postgres.run("postgres", "CREATE SCHEMA audit; CREATE TABLE audit.etl_runs (job text, finished_at timestamptz, status text)").await;
    let mut source = source(&postgres, FRESHNESS, "");
    let instance = source.settings.instance("db7");
    assert_eq!(instance, format!("db7:{}", postgres.port));
    assert_eq!(source.settings.job, "sql-exporter");
    let empty = collect(&mut source).await;
    empty.outcome.unwrap();
    assert_eq!((empty.series.len(), empty.gaps.len()), (0, 0));

    postgres.run("postgres", "INSERT INTO audit.etl_runs VALUES ('loans', now() - interval '2 hours', 'success'), ('loans', now() - interval '1 hour', 'failed'), ('never', now(), 'failed')").await;
    let Collected {
        series,
        gaps,
        outcome,
    } = collect(&mut source).await;
    outcome.unwrap();
    assert_eq!(gaps, Vec::<String>::new());
    let age = series["gauge etl_age_seconds{job=loans}"];
    assert!((7_200.0..7_300.0).contains(&age), "{age}");
    assert_eq!(series["counter etl_failures{job=loans}"], 1.0);
    // A job that has never succeeded has no age, rather than one of 0.
    assert!(!series.contains_key("gauge etl_age_seconds{job=never}"));
    assert_eq!(series["counter etl_failures{job=never}"], 1.0);

    postgres
        .run(
            "postgres",
            "INSERT INTO audit.etl_runs VALUES ('loans', now(), 'success')",
        )
        .await;
    let age = collect(&mut source).await.series["gauge etl_age_seconds{job=loans}"];
    assert!((0.0..100.0).contains(&age), "{age}");
    let sessions =
        "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'nightshift-agent'";
    assert_eq!(
        postgres.value("postgres", sessions).await.as_deref(),
        Some("1")
    );
}

const KINDS: &str = r#"
k:
  query: |
    SELECT 'a' AS name, NULL::text AS nothing, 1.5 AS gauge, 7::bigint AS counter, true AS flag,
      'on' AS mode, '1m0.5s' AS wait, '-1' AS endless, timestamptz '1970-01-01 01:00:00+01' + interval '90 s' AS since,
      ARRAY[0.1, 1]::float8[] AS h, ARRAY[2, 5]::bigint[] AS h_bucket, 3.5 AS h_sum, 6 AS h_count,
      42 AS extra, 'x' AS words, NULL::int AS missing, 9 AS hidden
  metrics:
    - name: {usage: LABEL}
    - nothing: {usage: LABEL}
    - gauge: {usage: GAUGE, description: G}
    - counter: {usage: COUNTER}
    - flag: {usage: GAUGE}
    - mode: {usage: MAPPEDMETRIC, metric_mapping: {"on": 1, "off": 0}}
    - wait: {usage: DURATION}
    - endless: {usage: DURATION}
    - since: {usage: GAUGE}
    - h: {usage: HISTOGRAM}
    - missing: {usage: GAUGE}
    - hidden: {usage: DISCARD}
wrong:
  query: SELECT 'text' AS a, 'odd' AS b, '{1}' AS h
  metrics:
    - a: {usage: GAUGE}
    - b: {usage: MAPPEDMETRIC, metric_mapping: {even: 1}}
    - h: {usage: HISTOGRAM}
    - absent: {usage: COUNTER}
"#;

#[tokio::test]
async fn every_usage() {
    let postgres = Postgres::start(&[]).await;
    let Collected {
        series,
        gaps,
        outcome,
    } = collect(&mut source(&postgres, KINDS, "")).await;
    outcome.unwrap();
    let expected: BTreeMap<String, f64> = [
        ("gauge k_gauge{name=a}", 1.5),
        ("counter k_counter{name=a}", 7.0),
        ("gauge k_flag{name=a}", 1.0),
        ("gauge k_mode{name=a}", 1.0),
        ("gauge k_wait_milliseconds{name=a}", 60_500.0),
        ("gauge k_since{name=a}", 90.0),
        ("histogram k_h_bucket{name=a,le=0.1}", 2.0),
        ("histogram k_h_bucket{name=a,le=1}", 5.0),
        ("histogram k_h_bucket{name=a,le=+Inf}", 6.0),
        ("histogram k_h_sum{name=a}", 3.5),
        ("histogram k_h_count{name=a}", 6.0),
        ("untyped k_extra{name=a}", 42.0),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    assert_eq!(series, expected);
    let gaps = gaps.join("\n");
    for expected in [
        "wrong.a: not a number",
        "wrong.b: not a number, nor a word",
        "wrong.h: no histogram",
        "wrong.absent: the result has no such column",
    ] {
        assert!(gaps.contains(expected), "{gaps}");
    }
}

const FAILING: &str = r#"
first: {query: "SELECT 1/0 AS one", metrics: [{one: {usage: GAUGE}}]}
writes: {query: "CREATE TABLE sneaky (a int)", metrics: []}
locked: {query: "SELECT count(*) AS rows FROM held", metrics: [{rows: {usage: GAUGE}}]}
many: {query: "SELECT i AS id, 1 AS one FROM generate_series(1, 200000) i", metrics: [{id: {usage: LABEL}}]}
typo: {query: "SELEC 1", metrics: []}
old: {query: "SELECT 1 AS one", runonserver: "<15.0.0", metrics: []}
last: {query: "SELECT 1 AS one;", runonserver: ">=15.0.0 <16.0.0", metrics: [{one: {usage: GAUGE}}]}
"#;

#[tokio::test]
async fn a_query_that_fails_is_a_gap_and_others_go_on() {
    let postgres = Postgres::start(&[]).await;
    postgres.run("postgres", "CREATE TABLE held (a int)").await;
    let holder = postgres.connect("postgres").await.unwrap();
    holder
        .batch_execute("BEGIN; LOCK TABLE held")
        .await
        .unwrap();
    let mut source = source(&postgres, FAILING, "max_rows = 100");
    let Collected {
        series,
        gaps,
        outcome,
    } = collect(&mut source).await;
    outcome.unwrap();
    assert_eq!(
        series.into_iter().collect::<Vec<_>>(),
        [("gauge last_one{}".to_owned(), 1.0)]
    );
    assert_eq!(
        gaps,
        [
            "first: ERROR: division by zero",
            "writes: ERROR: cannot execute CREATE TABLE in a read-only transaction",
            "locked: ERROR: canceling statement due to lock timeout",
            "many: gives more than 100 rows",
            "typo: ERROR: syntax error at or near \"SELEC\"",
        ]
    );
    let sneaky = "SELECT to_regclass('sneaky')::text";
    assert_eq!(postgres.value("postgres", sneaky).await, None);
}

#[tokio::test]
async fn results_are_kept_and_databases_told_apart() {
    let postgres = Postgres::start(&[]).await;
    postgres.run("postgres", "CREATE DATABASE other").await;
    for database in ["postgres", "other"] {
        postgres.run(database, "CREATE TABLE t (a int)").await;
    }
    let yaml = r#"
kept: {query: "SELECT count(*) AS rows FROM t", cache_seconds: 3600, metrics: [{rows: {usage: GAUGE}}]}
fresh: {query: "SELECT count(*) AS rows FROM t", master: true, metrics: [{rows: {usage: GAUGE}}]}
named: {query: "SELECT current_database() AS datname, 1 AS one", metrics: [{datname: {usage: LABEL}}, {one: {usage: GAUGE}}]}
"#;
    let mut source = source(&postgres, yaml, "databases = ['other', 'absent']");
    for rows in [0.0, 1.0] {
        let Collected {
            series,
            gaps,
            outcome,
        } = collect(&mut source).await;
        outcome.unwrap();
        assert_eq!(series["gauge kept_rows{datname=postgres}"], 0.0);
        assert_eq!(series["gauge kept_rows{datname=other}"], 0.0);
        assert_eq!(series["gauge fresh_rows{}"], rows);
        assert_eq!(series["gauge named_one{datname=other}"], 1.0);
        assert_eq!(series.len(), 5);
        assert_eq!(gaps.len(), 1);
        assert!(
            gaps[0].starts_with("database absent: cannot log in at 127.0.0.1"),
            "{gaps:?}"
        );
        postgres.run("postgres", "INSERT INTO t VALUES (1)").await;
    }
}

#[tokio::test]
async fn a_server_that_hangs_or_goes() {
    let postgres = Postgres::start(&[]).await;
    let yaml = "a: {query: SELECT 1 AS one, metrics: []}";
    let mut source = source(&postgres, yaml, "interval = '1s'\ntimeout = '1s'");
    until("it is read", async || {
        collect(&mut source).await.outcome.ok()
    })
    .await;
    postgres.run("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nightshift-agent'").await;
    until("it is read again", async || {
        collect(&mut source).await.outcome.ok()
    })
    .await;
    postgres.server.signal(Signal::SIGSTOP);
    // The postmaster sleeps and the session's own process does not: a new session is what hangs.
    source.sessions.clear();
    let error = collect(&mut source).await.outcome.unwrap_err();
    assert_eq!(error.message, "the queries did not finish within 900ms");
    postgres.server.signal(Signal::SIGCONT);
    until("it is read again", async || {
        collect(&mut source).await.outcome.ok()
    })
    .await;
}

/// A file, and the beginning of what is said of it.
const WRONG: &[(&str, &str)] = &[
    (
        "a: {query: SELECT 1, metrics: [{b: {usage: GAUGES}}]}",
        "q.yaml: a.metrics[0].b.usage: \"GAUGES\" is none of LABEL",
    ),
    (
        "a: {query: SELECT 1, metrics: [{b: {usage: GAUGE, descripton: x}}]}",
        "q.yaml: a.metrics[0].b: unknown field `descripton`",
    ),
    (
        "a: {query: SELECT 1, metrics: [{b: {description: x}}]}",
        "q.yaml: a.metrics[0].b: missing field `usage`",
    ),
    (
        "a: {query: SELECT 1, metrics: [{b: {usage: MAPPEDMETRIC}}]}",
        "q.yaml: a.metrics[0].b.metric_mapping: MAPPEDMETRIC needs it",
    ),
    (
        "a: {query: SELECT 1, metrics: [{b: {usage: GAUGE}, c: {usage: GAUGE}}]}",
        "q.yaml: a.metrics[0]: must be one column",
    ),
    (
        "a: {query: SELECT 1, metrics: [{b: {usage: GAUGE}}, {b: {usage: LABEL}}]}",
        "q.yaml: a.metrics[1]: b is there twice",
    ),
    (
        "a: {query: SELECT 1, metrics: [{b-c: {usage: GAUGE}}]}",
        "q.yaml: a.metrics[0]: \"b-c\" cannot be in a metric's name",
    ),
    ("a: {queri: SELECT 1}", "q.yaml: a: unknown field `queri`"),
    ("a: {metrics: []}", "q.yaml: a: missing field `query`"),
    ("a: {query: '  '}", "q.yaml: a.query: is empty"),
    (
        "a: {query: COMMIT; DROP TABLE t}",
        "q.yaml: a.query: holds more than one statement",
    ),
    (
        "a: {query: SELECT 1, runonserver: ten}",
        "q.yaml: a.runonserver: \"ten\" is no range",
    ),
    (
        "a: {query: SELECT 1, cache_seconds: -1}",
        "q.yaml: a: invalid value: integer `-1`",
    ),
    (
        "a-b: {query: SELECT 1}",
        "q.yaml: a-b: not the beginning of a metric's name",
    ),
    ("1: {query: SELECT 1}", "q.yaml: a namespace is not a text"),
    ("a: SELECT 1", "q.yaml: a: invalid type"),
    ("- a", "q.yaml: not a YAML file of namespaces"),
    ("a: [", "q.yaml: not a YAML file of namespaces"),
    ("", "q.yaml: holds no query"),
    (
        "a: {query: x}\na: {query: y}",
        "q.yaml: not a YAML file of namespaces: duplicate entry",
    ),
];

#[test]
fn wrong_files_are_named() {
    for (yaml, expected) in WRONG {
        let written = Written::new(yaml);
        let said = settings("dsn = 'host=db1'", &written.path(), "")
            .unwrap_err()
            .join("\n");
        assert!(
            said.starts_with("files[0]: ") && said.contains(expected),
            "{yaml}\nsaid {said}"
        );
    }
    let said = settings("dsn = 'host=db1'", Path::new("/nowhere.yaml"), "").unwrap_err();
    assert!(
        said[0].starts_with("files[0]: /nowhere.yaml: cannot read it"),
        "{said:?}"
    );
    let written = Written::new("a: {query: SELECT 1}");
    let twice = format!(
        "dsn = 'host=db1'\nfiles = ['{0}', '{0}']",
        written.path().display()
    );
    let mut problems = Problems::default();
    let raw: RawSettings = toml::from_str(&twice).unwrap();
    assert!(raw.validate(&mut problems).is_none());
    assert!(
        problems.into_inner()[0]
            .message
            .ends_with("q.yaml: a: another file has it too")
    );
}
