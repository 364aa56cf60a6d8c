use super::*;

fn read(text: &str) -> Result<Vec<ForwardConfig>, String> {
    #[derive(Deserialize)]
    struct File {
        forward: Vec<RawForward>,
    }
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut problems = Problems::default();
    let targets = validate(file.forward, &mut problems);
    match problems.into_inner() {
        found if found.is_empty() => Ok(targets),
        found => {
            let lines: Vec<_> = found
                .iter()
                .map(|problem| format!("{}: {}", problem.key, problem.message))
                .collect();
            Err(lines.join("\n"))
        }
    }
}

#[test]
fn a_url_is_enough() {
    let targets = read("[[forward]]\nurl = \"http://[::1]:9090/api/v1/write?x=y\"").unwrap();
    let [target] = &targets[..] else {
        panic!("{targets:?}")
    };
    assert_eq!(target.name, "___1__9090");
    assert_eq!(target.endpoint.host, "::1");
    assert_eq!(target.endpoint.port, 9090);
    assert_eq!(target.endpoint.path, "/api/v1/write?x=y");
    assert_eq!((target.version, target.max_samples), (Version::V1, 2_000));
    assert_eq!((target.concurrency, target.timeout), (4, TIMEOUT));
}

#[test]
fn what_cannot_be_is_told() {
    let check = |line: &str, expected: &str| {
        let text = format!("[[forward]]\nurl = \"http://x/\"\n{line}");
        assert_eq!(read(&text).unwrap_err(), expected, "{line}");
    };
    check(
        "protocol = \"3.0\"",
        "forward[0].protocol: \"3.0\" is not a version of remote write",
    );
    check("name = \"../x\"", "forward[0].name: \"../x\" is not a name");
    check(
        "username = \"u\"",
        "forward[0].username: neither a token nor a name with a password",
    );
    check(
        "bearer_token_file = \"t\"\nusername = \"u\"\npassword_file = \"p\"",
        "forward[0].username: neither a token nor a name with a password",
    );
    check(
        "key_file = \"k\"",
        "forward[0].certificate_file: certificate_file and key_file go together",
    );
    check(
        "headers = { Authorization = \"x\" }",
        "forward[0].headers: \"Authorization\" is not a header that can be set",
    );
    check(
        "headers = { a = \"x\\ny\" }",
        "forward[0].headers: the value of a header is not text",
    );
    check(
        "max_samples = 0",
        "forward[0].max_samples: 0 is not between 1 and 100000",
    );
    check(
        "concurrency = 65",
        "forward[0].concurrency: 65 is not between 1 and 64",
    );
    check(
        "timeout = \"0s\"",
        "forward[0].timeout: not a length of time",
    );
    check(
        "[[forward]]\nurl = \"http://x/other\"",
        "forward[1].name: \"x\" is the name of two targets",
    );
    let told = read("[[forward]]\nurl = \"http://x/\"\nkeep = [\"{\"]").unwrap_err();
    assert!(
        told.starts_with("forward[0].keep: \"{\" is not a selector"),
        "{told}"
    );
    let told = read("[[forward]]\nurl = \"https://x/\"\nca_file = \"/nowhere\"").unwrap_err();
    assert!(
        told.starts_with("forward[0].ca_file: cannot read /nowhere"),
        "{told}"
    );
}

#[test]
fn what_is_no_url_is_told() {
    for url in ["", "x:9090", "ftp://x/", "http://u:p@x/", "http:///x", "/x"] {
        let told = read(&format!("[[forward]]\nurl = {url:?}")).unwrap_err();
        assert_eq!(
            told, "forward[0].url: not a URL that can be sent to",
            "{url}"
        );
    }
}
