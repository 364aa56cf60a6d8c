use super::*;

const PLANTED: &str = "xPlantedSecretx";

/// A section that names files of keys.
fn parse(text: &str) -> (Place, String) {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Section {
        blocks: Option<String>,
        s3: Option<RawS3>,
    }
    let section: Section = toml::from_str(text).unwrap();
    let mut problems = Problems::default();
    let place = validate(
        &mut problems,
        section.blocks.as_deref(),
        section.s3.as_ref(),
    );
    let found = problems.into_inner();
    let lines: Vec<String> = found
        .iter()
        .map(|problem| format!("{}: {}", problem.key, problem.message))
        .collect();
    (place, lines.join("\n"))
}

fn bucket(text: &str) -> S3Config {
    match parse(text) {
        (Place::Bucket(config), problems) if problems.is_empty() => config,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn blocks_lie_in_the_folder_unless_told() {
    assert_eq!(parse(""), (Place::Folder, String::new()));
    let (_, said) = parse("s3 = { region = \"eu\" }");
    assert!(
        said.starts_with("store.s3: it says how to reach a bucket"),
        "{said}"
    );
}

#[test]
fn addresses_are_taken_apart() {
    for (text, bucket, prefix, shown) in [
        ("s3://b", "b", "", "s3://b"),
        ("s3://b/", "b", "", "s3://b"),
        (
            "s3://my.bucket-1/a/b",
            "my.bucket-1",
            "a/b",
            "s3://my.bucket-1/a/b",
        ),
        ("s3://b/a/b/", "b", "a/b", "s3://b/a/b"),
    ] {
        let address = Address::parse(text).unwrap();
        assert_eq!(
            (address.bucket.as_str(), address.prefix.as_ref()),
            (bucket, prefix)
        );
        assert_eq!(address.to_string(), shown);
    }
    for text in [
        "",
        "b",
        "/var/lib",
        "s3:/b",
        "s3://",
        "s3:///a",
        "gs://b/a",
        "S3://b",
        "s3://user:key@b/a",
        "s3://b/a//b",
        "s3://b/../c",
        "s3://b/a?x=1",
        "s3://b c",
    ] {
        assert_eq!(Address::parse(text), None, "{text}");
    }
}

#[test]
fn endpoints_name_the_bucket_as_they_are_told() {
    let plain = "s3 = { endpoint = \"http://127.0.0.1:9000\" }";
    for (more, endpoint) in [
        ("", "http://127.0.0.1:9000"),
        ("path_style = true", "http://127.0.0.1:9000"),
        ("path_style = false", "http://b.127.0.0.1:9000"),
    ] {
        let plain = plain
            .replace(" }", &format!(", {more} }}"))
            .replace(",  }", " }");
        let config = bucket(&format!("blocks = \"s3://b/a\"\n{plain}"));
        let told = config.endpoint.unwrap().of_bucket("b", config.style);
        assert_eq!(told, endpoint, "{plain}");
    }
    assert_eq!(bucket("blocks = \"s3://b/a\"").style, Style::Host);
}

fn check_mistake(section: &str, expected: &str) {
    let (place, said) = parse(&format!("blocks = \"s3://b/a\"\n[s3]\n{section}"));
    assert!(said.contains(expected), "{section}: {said}");
    let shown = format!("{said}{place:?}");
    assert!(!shown.contains(PLANTED), "{section}: {shown}");
}

#[test]
fn mistakes_are_told() {
    for (section, expected) in [
        (
            "endpoint = \"minio:9000\"",
            "store.s3.endpoint: not the address of an S3",
        ),
        (
            "endpoint = \"https://minio/path\"",
            "store.s3.endpoint: not the address",
        ),
        (
            "endpoint = \"https://me:xPlantedSecretx@minio:9000\"",
            "store.s3.endpoint: not the address",
        ),
        (
            "endpoint = \"ftp://minio\"",
            "store.s3.endpoint: not the address",
        ),
        (
            "access_key_id_file = \"/dev/null\"",
            "access_key_id_file and secret_access_key_file go together",
        ),
        (
            "ca_file = \"/nonexistent\"",
            "store.s3.ca_file: cannot read /nonexistent",
        ),
        (
            "ca_file = \"/dev/null\"",
            "store.s3.ca_file: no authority in /dev/null",
        ),
        (
            "endpoint = \"http://minio:9000\"\nca_file = \"/dev/null\"",
            "store.s3.ca_file: there is no TLS at an endpoint with http",
        ),
    ] {
        check_mistake(section, expected);
    }
}

#[test]
fn keys_are_read_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let two_lines = file("two", &format!("{PLANTED}\n{PLANTED}\n"));
    let key = file("key", &format!("{PLANTED}\n"));
    let empty = file("empty", "");
    let keys = |id: &str, secret: &str| {
        format!("access_key_id_file = {id:?}\nsecret_access_key_file = {secret:?}")
    };
    for (id, secret, expected) in [
        (&key, &two_lines, "two does not hold a key, in one line"),
        (&empty, &key, "empty does not hold a key, in one line"),
        (&key, &"/nonexistent".to_owned(), "cannot read /nonexistent"),
    ] {
        check_mistake(&keys(id, secret), expected);
    }
    let config = bucket(&format!(
        "blocks = \"s3://b/a\"\n[s3]\n{}",
        keys(&key, &key)
    ));
    assert!(!format!("{config:?}").contains(PLANTED));
}
