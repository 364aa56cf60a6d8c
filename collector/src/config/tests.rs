use super::*;

const SAMPLE: &str = include_str!("../../nightshift.toml");

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, &Overrides::default()).map_err(|problems| {
        let lines: Vec<_> = problems
            .iter()
            .map(|p| format!("{}: {}", p.key, p.message))
            .collect();
        lines.join("\n")
    })
}

#[test]
fn the_sample_parses_and_says_the_defaults() {
    let default = parse("").unwrap();
    assert_eq!(parse(SAMPLE).unwrap(), default);
    let uncommented: Vec<_> = SAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
            _ => line,
        })
        .collect();
    let mut said = parse(&uncommented.join("\n")).unwrap();
    assert_eq!(said.otlp_grpc, OtlpPort::Wanted("127.0.0.1:4317".into()));
    assert_eq!(said.otlp_http, OtlpPort::Wanted("127.0.0.1:4318".into()));
    assert_eq!(said.otlp_endpoint.as_deref(), Some("http://127.0.0.1:4317"));
    said.otlp_grpc = OtlpPort::Usual("127.0.0.1:4317".into());
    said.otlp_http = OtlpPort::Usual("127.0.0.1:4318".into());
    said.otlp_endpoint = None;
    assert_eq!(said.store.max_size, Some(100 << 30));
    said.store.max_size = None;
    let url = said.rules.external_url.take();
    assert_eq!(url.as_deref(), Some("http://nightshift.example:7700"));
    let usual = said.notify.config.take();
    assert_eq!(usual, Some(notify::USUAL_FILE.into()));
    let oncall = said.incidents.oncall.take();
    assert_eq!(oncall.as_deref(), Some(Path::new(incidents::USUAL_FILE)));
    assert_eq!(said, default);
}

#[test]
fn every_option_is_in_the_sample() {
    for key in [
        "data",
        "listen",
        "grpc",
        "http",
        "max_request_size",
        "max_decompressed_size",
        "max_concurrent_requests",
        "retention",
        "max_size",
        "max_samples",
        "max_series",
        "segment_size",
        "timeout",
        "max_memory",
        "concurrency",
        "lookback",
        "files",
        "evaluation_interval",
        "external_labels",
        "external_url",
        "history",
        "oncall",
        "window",
        "resolve_after",
        "format",
        "level",
        "otlp_endpoint",
    ] {
        assert!(SAMPLE.contains(&format!("\n#{key} = ")), "{key}");
    }
}

/// A file in which nearly everything is wrong.
const WRONG: &str = r#"
        listen = "nowhere"
        [otlp]
        grpc = "1.2.3.4:99999"
        max_request_size = "16"
        max_concurrent_requests = 0
        [store]
        retention = "5s"
        max_samples = -1
        segment_size = "1 parsec"
        [query]
        timeout = "0s"
        max_samples = 0
        max_memory = "1KiB"
        concurrency = -4
        lookback = "5"
        [rules]
        evaluation_interval = "1ms"
        history = "1h"
        concurrency = 0
        external_url = "here"
        [incidents]
        window = "long"
        resolve_after = "9999d"
        keep = "1h"
        [log]
        format = "xml"
        level = "loud=very=much"
        [telemetry]
        otlp_endpoint = "localhost"
    "#;

#[test]
fn all_problems_are_told_at_once() {
    let problems = Config::parse(WRONG, &Overrides::default()).unwrap_err();
    let keys: Vec<_> = problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    let expected = [
        "listen",
        "otlp.grpc",
        "otlp.max_request_size",
        "otlp.max_concurrent_requests",
        "store.retention",
        "store.max_samples",
        "store.segment_size",
        "query.timeout",
        "query.lookback",
        "query.max_samples",
        "query.concurrency",
        "query.max_memory",
        "rules.evaluation_interval",
        "rules.history",
        "rules.concurrency",
        "rules.external_url",
        "incidents.window",
        "incidents.resolve_after",
        "incidents.keep",
        "log.format",
        "log.level",
        "telemetry.otlp_endpoint",
    ];
    assert_eq!(keys, expected);
    assert!(problems.iter().all(|problem| !problem.hint.is_empty()));
}

#[test]
fn what_is_no_configuration_is_refused_with_its_line() {
    for (text, expected) in [
        (
            "data = 5",
            "line 1: invalid type: integer `5`, expected path string",
        ),
        (
            "\n\ndatta = \"x\"",
            "line 3: unknown field `datta`, expected one of",
        ),
        ("[store]\nretention = 7200", "line 2: invalid type: integer"),
        ("[", "line 1: "),
        ("\u{0}", "line 1: "),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
}

#[test]
fn the_command_line_counts_more() {
    let overrides = Overrides {
        data: Some("/elsewhere".into()),
        listen: Some("[::1]:0".into()),
        otlp_grpc: Some("off".into()),
        log_format: Some(LogFormat::Json),
        otlp_endpoint: Some("http://a:1".into()),
        ..Overrides::default()
    };
    let text = "data = \"/here\"\nlisten = \"0.0.0.0:1\"\n[log]\nformat = \"text\"";
    let config = Config::parse(text, &overrides).unwrap();
    assert_eq!(config.data, Path::new("/elsewhere"));
    assert_eq!(config.listen, "[::1]:0");
    assert_eq!(config.otlp_grpc, OtlpPort::Off);
    assert_eq!(config.otlp_http, OtlpPort::Usual("[::1]:4318".into()));
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.otlp_endpoint.as_deref(), Some("http://a:1"));
    let wrong = Overrides {
        listen: Some("x".into()),
        ..Overrides::default()
    };
    assert_eq!(Config::parse("", &wrong).unwrap_err()[0].key, "--listen");
}
