use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use super::super::tests::peers::postgres::Postgres;
use super::super::tests::peers::stub::{Answer, Authority, Stub};
use super::super::tests::peers::{free_port, password_file, until};
use super::*;

fn settings(toml: &str) -> Result<Settings, Vec<String>> {
    let raw: RawSettings =
        toml::from_str(toml).map_err(|error| vec![error.message().to_owned()])?;
    let shown = format!("{raw:?}");
    assert!(!shown.contains("hush"), "{shown}");
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

/// What one probe gave: its series, and why it failed if it did.
struct Probed {
    series: BTreeMap<String, f64>,
    why: Option<String>,
    fix: String,
}

async fn probe(toml: &str) -> Probed {
    let mut out = Gather::default();
    let mut probe = Probe::new(settings(toml).unwrap_or_else(|wrong| panic!("{wrong:?}")));
    probe.collect(&mut out).await.unwrap();
    let shown = format!("{probe:?} {out:?}");
    assert!(!shown.contains("hush"), "{shown}");
    let (families, gaps) = out.finish();
    let mut series = BTreeMap::new();
    for family in families {
        for point in family.points {
            let labels = point.labels.iter().map(|l| format!("{{{}}}", l.value));
            let name = format!("{}{}", family.name, labels.collect::<String>());
            assert_eq!(series.insert(name.clone(), point.value), None, "{name}");
        }
    }
    let success = series["probe_success"];
    assert_eq!(success, f64::from(u8::from(gaps.is_empty())));
    assert!(series["probe_duration_seconds"] > 0.0);
    let fix = gaps.first().map(|gap| gap.fix.clone()).unwrap_or_default();
    Probed {
        series,
        why: gaps.into_iter().next().map(|gap| gap.why),
        fix,
    }
}

/// An answer, what the settings say beside the URL, and why the probe then fails if it does.
type Case = (Answer, &'static str, Option<&'static str>);

async fn check_http(cases: Vec<Case>) {
    for (answer, more, expected) in cases {
        let stub = Stub::start(vec![answer], None).await;
        let toml = format!(
            "kind = 'http'\nurl = 'http://{}/x?token=hush'\n{more}",
            stub.address
        );
        let Probed { series, why, .. } = probe(&toml).await;
        assert_eq!(why.as_deref(), expected, "{more}");
        assert_eq!(series["probe_ip_protocol"], 4.0);
        let by_regex =
            expected.is_some_and(|why| why.starts_with("the body") && why.contains("match"));
        let told = series.get("probe_failed_due_to_regex");
        assert_eq!(
            told.copied().unwrap_or(0.0),
            f64::from(u8::from(by_regex)),
            "{more}"
        );
    }
}

#[tokio::test]
async fn http_by_status() {
    let page = || Answer::http("200 OK", "", "all is well");
    let moved = || Answer::http("301 Moved", "Location: /\r\n", "");
    check_http(vec![
        (page(), "", None),
        (
            page(),
            "expect_status = [204, 418]",
            Some("the status is 200"),
        ),
        (
            Answer::http("418 Teapot", "", ""),
            "expect_status = [204, 418]",
            None,
        ),
        (
            Answer::http("503 No", "", ""),
            "",
            Some("the status is 503"),
        ),
        (moved(), "", Some("more than 10 redirects")),
        (
            moved(),
            "follow_redirects = false\nexpect_status = [301]",
            None,
        ),
        (
            Answer::Hang,
            "interval = '1s'\ntimeout = '100ms'",
            Some("no result within 90ms"),
        ),
        (
            Answer::text("junk"),
            "",
            Some("no whole HTTP answer from 127.0.0.1: invalid HTTP version parsed"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn http_by_body() {
    let page = || Answer::http("200 OK", "", "all is well");
    check_http(vec![
        (page(), "fail_if_body_not_matches = ['w.ll$', 'all']", None),
        (
            page(),
            "fail_if_body_not_matches = ['ill']",
            Some("the body does not match ill"),
        ),
        (
            page(),
            "fail_if_body_matches = ['ill', 'well']",
            Some("the body matches well"),
        ),
        (
            page(),
            "max_body = '5B'",
            Some("the body is longer than the limit of 5 bytes"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn http_numbers() {
    let page = "all is well";
    let first = Answer::http("302 Found", "Location: /y\r\n", "");
    let second = Answer::http(
        "200 OK",
        "Last-Modified: Thu, 01 Jan 1970 00:01:00 GMT\r\n",
        page,
    );
    let authority = Authority::new(2050);
    let stub = Stub::start(vec![first, second], Some(&authority)).await;
    let toml = format!(
        "kind = 'http'\nmethod = 'post'\nbody = 'hush'\nurl = 'https://localhost:{}/x'\nheaders = {{ X-Key = 'hush' }}\ntls = {{ ca_file = '{}' }}",
        stub.address.port(),
        authority.file("ca.pem").display(),
    );
    let Probed { series, why, .. } = probe(&toml).await;
    assert_eq!(why, None);
    for (name, expected) in [
        ("probe_http_status_code", 200.0),
        ("probe_http_redirects", 1.0),
        ("probe_http_ssl", 1.0),
        ("probe_http_version", 1.1),
        ("probe_http_content_length", 11.0),
        ("probe_http_uncompressed_body_length", 11.0),
        ("probe_http_last_modified_timestamp_seconds", 60.0),
        ("probe_failed_due_to_regex", 0.0),
        // 2050-01-01.
        ("probe_ssl_earliest_cert_expiry", 2_524_608_000.0),
        (
            "probe_ssl_last_chain_expiry_timestamp_seconds",
            2_524_608_000.0,
        ),
        ("probe_tls_version_info{TLS 1.3}", 1.0),
    ] {
        assert_eq!(series.get(name), Some(&expected), "{name}");
    }
    for phase in ["resolve", "connect", "tls", "processing", "transfer"] {
        let took = series[&format!("probe_http_duration_seconds{{{phase}}}")];
        assert!(
            (0.0..series["probe_duration_seconds"]).contains(&took),
            "{phase}: {took}"
        );
    }
    let heads = stub.heads();
    assert!(heads[0].starts_with("POST /x HTTP/1.1\r\n") && heads[0].contains("x-key: hush"));
}

#[tokio::test]
async fn tcp_and_tls() {
    let authority = Authority::new(2050);
    let expired = Authority::new(2001);
    let plain = Stub::start(vec![Answer::Hang], None).await;
    let secure = Stub::start(vec![Answer::Hang], Some(&authority)).await;
    let old = Stub::start(vec![Answer::Hang], Some(&expired)).await;
    let trust = |authority: &Authority| {
        format!(
            "tls = {{ ca_file = '{}' }}",
            authority.file("ca.pem").display()
        )
    };
    let closed = free_port();
    for (port, more, expected) in [
        (plain.address.port(), String::new(), None),
        (secure.address.port(), trust(&authority), None),
        (
            secure.address.port(),
            trust(&expired),
            Some("no TLS with localhost: the certificate's authority is not trusted"),
        ),
        (
            old.address.port(),
            trust(&expired),
            Some("no TLS with localhost: the certificate has expired"),
        ),
        (closed, String::new(), Some("refused")),
        (
            plain.address.port(),
            format!("interval = '1s'\ntimeout = '100ms'\n{}", trust(&authority)),
            Some("no result within 90ms"),
        ),
    ] {
        let toml = format!("kind = 'tcp'\naddress = 'localhost:{port}'\n{more}");
        assert_eq!(
            settings(&toml).unwrap().instance(),
            format!("localhost:{port}")
        );
        let Probed { series, why, .. } = probe(&toml).await;
        match expected {
            Some(expected) => assert!(
                why.as_ref().unwrap().contains(expected),
                "{more}\nsaid {why:?}"
            ),
            None => assert_eq!(why, None, "{more}"),
        }
        let expiry = series.get("probe_ssl_earliest_cert_expiry").copied();
        let passed_tls = expected.is_none() && more.contains("tls");
        assert_eq!(expiry, passed_tls.then_some(2_524_608_000.0), "{more}");
    }
    let nowhere = probe("kind = 'tcp'\naddress = 'nowhere.invalid:1'").await;
    assert!(
        nowhere
            .why
            .unwrap()
            .starts_with("cannot resolve nowhere.invalid")
    );
    assert!(!nowhere.series.contains_key("probe_ip_protocol"));
}

#[tokio::test]
async fn postgres_logins_and_writes() {
    let postgres = Postgres::start(&[]).await;
    let login = format!("kind = 'postgres'\n{}", postgres.login("postgres"));
    let Probed { series, why, .. } = probe(&login).await;
    assert_eq!(why, None);
    assert!(series.contains_key("probe_postgres_login_seconds"));
    assert!(!series.contains_key("probe_postgres_write_seconds"));
    let instance = format!("127.0.0.1:{}/postgres", postgres.port);
    assert_eq!(settings(&login).unwrap().instance(), instance);

    // The table is made by the first write, and never has more than one row.
    postgres.run("postgres", "CREATE SCHEMA \"Odd one\"").await;
    let write = format!("{login}\nwrite = true\ntable = 'Odd one.it\"s'\nrow = 'o''clock\\'")
        .replace("o''clock", "oclock");
    for number in 1..=3 {
        let Probed { series, why, .. } = probe(&write).await;
        assert_eq!(why, None);
        assert!(series["probe_postgres_write_seconds"] > 0.0);
        let rows = "SELECT string_agg(probe || ' ' || writes, ',') FROM \"Odd one\".\"it\"\"s\"";
        let rows = postgres.value("postgres", rows).await;
        assert_eq!(rows.as_deref(), Some(format!("oclock\\ {number}").as_str()));
    }
    let sessions =
        "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'nightshift-agent'";
    until("no session stays", async || {
        (postgres.value("postgres", sessions).await.as_deref() == Some("0")).then_some(())
    })
    .await;
    let log = std::fs::read_to_string(postgres.folder().join("log")).unwrap();
    assert!(!log.contains("open transaction"), "{log}");
}

#[tokio::test]
async fn postgres_that_fails() {
    let postgres = Postgres::start(&["default_transaction_read_only=on"]).await;
    let fast = "interval = '1s'\ntimeout = '500ms'";
    let ask = |login: &str, more: &str| format!("kind = 'postgres'\n{login}\n{more}");
    let login = postgres.login("postgres");
    let Probed { series, why, fix } = probe(&ask(&login, "write = true")).await;
    let why = why.unwrap();
    assert!(
        why.starts_with("cannot write: ERROR: cannot execute"),
        "{why}"
    );
    assert!(fix.contains("probe its primary"), "{fix}");
    assert!(series.contains_key("probe_postgres_login_seconds"));
    assert!(!series.contains_key("probe_postgres_write_seconds"));

    let wrong = password_file(postgres.folder(), "hush-wrong");
    let wrong = format!("dsn = '{}'\n{wrong}", postgres.place("postgres"));
    let why = probe(&ask(&wrong, "")).await.why.unwrap();
    assert!(why.contains("password authentication failed"), "{why}");
    let why = probe(&ask(&postgres.login("absent"), ""))
        .await
        .why
        .unwrap();
    assert!(why.contains("database \"absent\" does not exist"), "{why}");
    let why = probe(&ask(
        &format!("dsn = 'host=127.0.0.1 port={}'", free_port()),
        "",
    ))
    .await
    .why
    .unwrap();
    assert!(why.contains("refused"), "{why}");

    postgres.server.signal(Signal::SIGSTOP);
    let why = probe(&ask(&login, fast)).await.why.unwrap();
    assert_eq!(why, "no result within 360ms");
    postgres.server.signal(Signal::SIGCONT);
}

/// A synchronous standby that is gone: the commit never returns, and must not pile up sessions.
#[tokio::test]
async fn a_write_that_hangs_leaves_no_session_behind() {
    let postgres =
        Postgres::start(&["synchronous_standby_names=gone", "synchronous_commit=local"]).await;
    let login = postgres.login("postgres");
    let login = login.replacen("'\n", " options=-csynchronous_commit=on'\n", 1);
    let write =
        format!("kind = 'postgres'\n{login}\nwrite = true\ninterval = '1s'\ntimeout = '500ms'");
    let create = "CREATE TABLE nightshift_probe (probe text PRIMARY KEY, written_at timestamptz NOT NULL, writes bigint NOT NULL)";
    postgres.run("postgres", create).await;
    for _ in 0..3 {
        assert_eq!(
            probe(&write).await.why.as_deref(),
            Some("no result within 360ms")
        );
    }
    let sessions =
        "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'nightshift-agent'";
    until("no session stays", async || {
        (postgres.value("postgres", sessions).await.as_deref() == Some("0")).then_some(())
    })
    .await;
}

#[test]
fn wrong_settings_are_named() {
    for (toml, expected) in [
        ("url = 'http://db1/'", "missing field `kind`"),
        ("kind = 'icmp'", "unknown variant `icmp`"),
        ("kind = 'http'\nurl = 'db1'", "url: not a URL"),
        (
            "kind = 'http'\nurl = 'http://u:hush@db1'",
            "url: the URL holds a user",
        ),
        (
            "kind = 'http'\nurl = 'http://db1'\nmethod = 'A B'",
            "method: \"A B\" is not a method",
        ),
        (
            "kind = 'http'\nurl = 'http://db1'\nfail_if_body_matches = ['(']",
            "fail_if_body_matches: not a regular",
        ),
        (
            "kind = 'http'\nurl = 'http://db1'\nheaders = { 'X Y' = 'hush' }",
            "headers: \"X Y\" is not a header",
        ),
        (
            "kind = 'http'\nurl = 'http://db1'\ndsn = 'hush'",
            "unknown field `dsn`",
        ),
        (
            "kind = 'tcp'\naddress = 'db1'",
            "address: not an address with a port",
        ),
        (
            "kind = 'tcp'\naddress = '::1'",
            "address: not an address with a port",
        ),
        (
            "kind = 'tcp'\naddress = 'db1:1'\ntls = { ca_file = '/nowhere' }",
            "tls.ca_file: cannot read",
        ),
        (
            "kind = 'postgres'\ndsn = 'host=db1'\ntable = 'x'",
            "write: table or row is set",
        ),
        (
            "kind = 'postgres'\ndsn = 'host=db1'\nwrite = true\ntable = 'a.b.c'",
            "table: \"a.b.c\" is not a table's name",
        ),
        (
            "kind = 'postgres'\ndsn = 'host=db1'\ntimeout = '1h'",
            "timeout: must be",
        ),
    ] {
        let said = settings(toml).unwrap_err().join("\n");
        assert!(said.contains(expected), "{toml}\nsaid {said}");
        assert!(!said.contains("hush"), "{toml}\nsaid {said}");
    }
}
