use std::os::unix::fs::PermissionsExt;

use super::super::Encryption;
use super::*;

fn target(host: &str) -> Target {
    Target {
        host: Host::new(host),
        port: 5432,
        user: "nightshift".to_owned(),
        dbname: "postgres".to_owned(),
        encryption: Encryption::Off,
        given_password: None,
        passfile: None,
        options: None,
    }
}

fn check(file: &str, host: &str, expected: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pgpass");
    std::fs::write(&path, file).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let found = PassFile(path).password_for(&target(host));
    assert_eq!(found, expected.map(Secret::new), "{file:?} for {host}");
}

#[test]
fn the_first_line_that_matches_counts() {
    check(
        "db1:5432:*:nightshift:one\n*:*:*:*:two\n",
        "db1",
        Some("one"),
    );
    check(
        "db1:5432:*:nightshift:one\n*:*:*:*:two\n",
        "db2",
        Some("two"),
    );
    check("# comment\ndb1:5433:*:*:other\n", "db1", None);
    check(
        "localhost:*:*:nightshift:local\n",
        "/run/postgresql",
        Some("local"),
    );
    check(
        r"db1:5432:postgres:nightshift:a\:b\\c",
        "db1",
        Some(r"a:b\c"),
    );
    check(
        "db1:5432:postgres:nightshift:with:colon",
        "db1",
        Some("with:colon"),
    );
}

#[test]
fn what_is_not_a_line_is_passed_over() {
    for file in ["", "\n\n", "::::", "a:b", "db1:5432:x\\", "\u{0}\u{0}"] {
        check(file, "db1", None);
    }
}

#[test]
fn a_file_that_others_may_read_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pgpass");
    std::fs::write(&path, "*:*:*:*:secret").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(PassFile(path).password_for(&target("db1")), None);
    assert_eq!(
        PassFile(PathBuf::from("/")).password_for(&target("db1")),
        None
    );
    assert_eq!(
        PassFile(PathBuf::from("/no/such")).password_for(&target("db1")),
        None
    );
}
