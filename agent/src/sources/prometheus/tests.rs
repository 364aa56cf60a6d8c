use std::process::Command;

use super::super::tests::peers::stub::{Answer, Authority, Stub};
use super::super::tests::peers::{Server, free_port, until};
use super::*;

const EXPOSITION: &str = r#"# TYPE hits_total counter
hits_total{job="app",path="/"} 3 1000
hits_total{job="app",path="/x"} 4
# TYPE go_threads gauge
go_threads{empty=""} 7
"#;

fn settings(toml: &str) -> Result<Settings, Vec<String>> {
    let raw: RawSettings =
        toml::from_str(toml).map_err(|error| vec![error.message().to_owned()])?;
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

/// Every series as text, sorted.
async fn collect(settings: Settings) -> Result<Vec<String>, SourceError> {
    let mut out = Gather::default();
    Scrape::new(settings).collect(&mut out).await?;
    let (families, _) = out.finish();
    let mut lines = Vec::new();
    for family in families {
        for point in family.points {
            let labels = point
                .labels
                .iter()
                .map(|l| format!("{}={}", l.name, l.value));
            let labels: Vec<String> = labels.collect();
            let at = point.at_ms.map(|at| format!(" @{at}")).unwrap_or_default();
            lines.push(format!(
                "{}{} {}{at}",
                family.name,
                labels.join(",").replacen("", " ", 1),
                point.value
            ));
        }
    }
    lines.sort();
    Ok(lines)
}

#[tokio::test]
async fn labels_times_and_rules() {
    for (more, expected) in [
        (
            "",
            vec![
                "go_threads  7",
                "hits_total exported_job=app,path=/ 3 @1000",
                "hits_total exported_job=app,path=/x 4",
            ],
        ),
        (
            "honor_labels = true\nhonor_timestamps = false",
            vec![
                "go_threads  7",
                "hits_total job=app,path=/ 3",
                "hits_total job=app,path=/x 4",
            ],
        ),
        (
            "labels = { env = 'prod', path = 'mine' }",
            vec![
                "go_threads env=prod,path=mine 7",
                "hits_total exported_job=app,exported_path=/,env=prod,path=mine 3 @1000",
                "hits_total exported_job=app,exported_path=/x,env=prod,path=mine 4",
            ],
        ),
        (
            "metric_relabel = [{ action = 'drop', source_labels = ['__name__'], regex = 'go_.*' }, { action = 'keep', source_labels = ['job', 'path'], regex = 'j;/x' }]\njob = 'j'\nsample_limit = 1",
            vec!["hits_total exported_job=app,path=/x 4"],
        ),
    ] {
        let stub = Stub::start(vec![Answer::http("200 OK", "", EXPOSITION)], None).await;
        let toml = format!("url = 'http://{}/metrics'\n{more}", stub.address);
        let settings = settings(&toml).unwrap();
        assert_eq!(settings.instance(), stub.address.to_string());
        assert_eq!(collect(settings).await.unwrap(), expected, "{more}");
    }
}

#[tokio::test]
async fn failures_say_what_and_where() {
    let torn = "a 1\nb{c=\"d";
    for (answer, more, expected) in [
        (
            Answer::http("200 OK", "", torn),
            "",
            "line 2: a label's value has no closing quote",
        ),
        (
            Answer::http(
                "200 OK",
                "Content-Type: application/openmetrics-text; version=1.0.0\r\n",
                "a 1\n",
            ),
            "",
            "ends without # EOF",
        ),
        (
            Answer::http("404 Not Found", "", ""),
            "",
            "answered 404 Not Found",
        ),
        (
            Answer::http("200 OK", "", EXPOSITION),
            "sample_limit = 2",
            "gave more than 2 samples",
        ),
        (
            Answer::http("200 OK", "", EXPOSITION),
            "max_body = '20B'",
            "longer than the limit of 20 bytes",
        ),
        (
            Answer::Hang,
            "interval = '1s'\ntimeout = '100ms'",
            "did not answer within 90ms",
        ),
    ] {
        let stub = Stub::start(vec![answer], None).await;
        let settings = settings(&format!(
            "url = 'http://{}/metrics?token=hush'\n{more}",
            stub.address
        ));
        let error = collect(settings.unwrap()).await.unwrap_err();
        let said = format!("{} | {}", error.message, error.detail);
        assert!(said.contains(expected), "said {said}");
        assert!(!said.contains("hush"), "said {said}");
    }
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "hush\n").unwrap();
    let authority = Authority::new(2050);
    for (more, expected) in [
        (
            format!("bearer_token_file = '{}'", file.display()),
            "authorization: Bearer hush",
        ),
        (
            format!(
                "basic_auth = {{ username = 'me', password_file = '{}' }}",
                file.display()
            ),
            "authorization: Basic bWU6aHVzaA==",
        ),
    ] {
        let stub = Stub::start(
            vec![Answer::http("200 OK", "", EXPOSITION)],
            Some(&authority),
        )
        .await;
        let ca = authority.file("ca.pem");
        let port = stub.address.port();
        let toml = format!(
            "url = 'https://localhost:{port}/'\n{more}\ntls = {{ ca_file = '{}' }}",
            ca.display()
        );
        let settings = settings(&toml).unwrap();
        let shown = format!("{settings:?}");
        assert!(
            !shown.contains("hush") && !shown.contains("bWU6aHVzaA"),
            "{shown}"
        );
        collect(settings).await.unwrap();
        assert!(stub.heads()[0].contains(expected), "{}", stub.heads()[0]);
    }
}

#[test]
fn wrong_settings_are_named() {
    for (toml, expected) in [
        ("", "missing field `url`"),
        ("url = 'db1:9100'", "url: not a URL"),
        (
            "url = 'http://me:hush@db1/'",
            "url: the URL holds a user or password",
        ),
        (
            "url = 'http://db1/'\ninterval = '5s'\ntimeout = '6s'",
            "timeout: must be above 0s and not above the interval of 5s",
        ),
        (
            "url = 'http://db1/'\nlabels = { job = 'x' }",
            "labels: \"job\" cannot be a label of its own",
        ),
        (
            "url = 'http://db1/'\nmetric_relabel = [{ regex = '(' }]",
            "metric_relabel[0].regex: not a regular expression",
        ),
        (
            "url = 'http://db1/'\nbasic_auth = { username = 'x' }",
            "basic_auth.password_file: no password is set",
        ),
        (
            "url = 'http://db1/'\nbearer_token_env = 'NIGHTSHIFT_NOT_SET'",
            "bearer_token_env: the environment variable",
        ),
        ("url = 'http://db1/'\ntypo = 1", "unknown field `typo`"),
        (
            "url = 'https://db1/'\ntls = { ca_file = '/nowhere' }",
            "tls.ca_file: cannot read /nowhere",
        ),
    ] {
        let problems = settings(toml).unwrap_err().join("\n");
        assert!(problems.contains(expected), "{toml}\nsaid {problems}");
        assert!(!problems.contains("hush"));
    }
}

/// The most used exporter of all, as Debian ships it.
#[tokio::test]
async fn a_real_node_exporter() {
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("prometheus-node-exporter");
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let _exporter = Server::start(&mut command, &folder.path().join("log"));
    let settings = settings(&format!("url = 'http://127.0.0.1:{port}/metrics'")).unwrap();
    let lines = until("the exporter answers", async || {
        collect(settings.clone()).await.ok()
    });
    let lines = lines.await;
    let of = |name: &str| lines.iter().find(|line| line.starts_with(name)).cloned();
    let total = of("node_memory_MemTotal_bytes ").unwrap();
    let total: f64 = total.rsplit(' ').next().unwrap().parse().unwrap();
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let kilobytes: f64 = meminfo.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert_eq!(total, kilobytes * 1024.0);
    assert!(of("node_cpu_seconds_total cpu=0,mode=idle ").is_some());
    assert!(lines.len() > 300, "{}", lines.len());
}
