use super::*;

/// The keys that are wrong in a section, and what was made of it.
fn validated(toml: &str) -> (Vec<String>, Option<Settings>) {
    let raw: RawSettings = toml::from_str(toml).unwrap();
    let mut problems = Problems::default();
    let settings = raw.validate(&mut problems);
    let problems = problems.into_inner();
    for problem in &problems {
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
    }
    let keys = problems.into_iter().map(|problem| problem.key).collect();
    (keys, settings)
}

fn check(toml: &str, wrong: &[&str]) {
    let (keys, settings) = validated(toml);
    assert_eq!(keys, wrong, "{toml}");
    assert_eq!(settings.is_some(), wrong.is_empty(), "{toml}");
}

#[test]
fn sections() {
    check("endpoints = ['http://db:7700', 'http://[::1]']", &[]);
    check("", &["endpoints"]);
    check(
        "endpoints = ['db:7700', 'ftp://db', 'http://db/path', 'http://me:hunter2@db', '']",
        &[
            "endpoints[0]",
            "endpoints[1]",
            "endpoints[2]",
            "endpoints[3]",
            "endpoints[4]",
        ],
    );
    check("endpoints = ['https://db']", &["ca_file"]);
    check("endpoints = ['http://db']\nca_file = '/ca'", &["endpoints"]);
    check(
        "endpoints = ['https://db']\nca_file = '/no/ca'\ncertificate_file = '/no/cert'",
        &["ca_file", "certificate_file"],
    );
    check(
        "endpoints = ['http://db']\nbackoff = '0s'\nbackoff_limit = '0s'\nrequest_timeout = '0s'",
        &["request_timeout", "backoff"],
    );
    check(
        "endpoints = ['http://db']\nbackoff = '9s'\nbackoff_limit = '1s'",
        &["backoff_limit"],
    );
    check(
        "endpoints = ['http://db']\nrequest_batches = 0\nrequest_size = '1GiB'",
        &["request_batches", "request_size"],
    );
    assert!(toml::from_str::<RawSettings>("endpoint = 'http://db'").is_err());
}

#[test]
fn the_port_of_the_collector_is_understood() {
    let (_, settings) = validated("endpoints = ['http://db', 'http://[::1]', 'http://x:1']");
    let addresses: Vec<String> = settings
        .unwrap()
        .endpoints
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        addresses,
        ["http://db:7700/", "http://[::1]:7700/", "http://x:1/"]
    );
}

#[test]
fn files_without_a_certificate_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "hunter2").unwrap();
    let toml = format!("endpoints = ['https://db']\nca_file = '{}'", file.display());
    check(&toml, &["ca_file"]);
}
