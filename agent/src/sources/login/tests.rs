use super::*;

fn login(dsn: &str) -> Result<Login, String> {
    let raw = RawLogin {
        dsn: Hidden::new(dsn),
        password_file: None,
        password_env: None,
        tls: RawTls::default(),
    };
    let shown = format!("{raw:?}");
    assert!(!shown.contains("hush"), "{shown}");
    let mut problems = Problems::default();
    let login = raw.validate(5432, &mut problems);
    let found = problems.into_inner();
    login.ok_or_else(|| found.iter().map(ToString::to_string).collect())
}

#[test]
fn addresses() {
    for (dsn, expected) in [
        ("postgresql://me:hush@db1:6432/app", "db1:6432"),
        ("postgres://db1/app?password=hush", "db1:5432"),
        ("host=db1 port=6432 user=me password=hush", "db1:6432"),
        ("host=db1 password='hush hush'", "db1:5432"),
        ("host=::1", "[::1]:5432"),
        ("host=/run/pg port=5433", "/run/pg:5433"),
        ("user=me", "/var/run/postgresql:5432"),
        ("", "/var/run/postgresql:5432"),
        ("host=a,b port=1,2", "a:1"),
    ] {
        let login = login(dsn).unwrap();
        assert_eq!(login.address(), expected, "{dsn}");
        assert!(!format!("{login:?}").contains("hush"));
    }
}

#[test]
fn what_cannot_be_parsed_is_not_quoted() {
    for (dsn, expected) in [
        (
            "host=db1 password=not hush=quoted",
            "dsn: the DSN cannot be parsed",
        ),
        (
            "host=db1 password=hu'sh hush",
            "dsn: the DSN cannot be parsed",
        ),
        ("host=db1 password='hush", "dsn: the DSN cannot be parsed"),
        ("hush", "dsn: the DSN cannot be parsed"),
        (
            "host=db1 sslmode=verify-full",
            "dsn: the DSN's sslmode is not",
        ),
        ("host=db1 sslrootcert=/x", "dsn: the DSN names sslrootcert"),
        ("host=db1 port=hush", "dsn: the DSN's port has no value"),
    ] {
        let said = login(dsn).unwrap_err();
        assert!(said.starts_with(expected), "{dsn}\nsaid {said}");
        assert!(!said.contains("hush"), "{dsn}\nsaid {said}");
    }
}

#[tokio::test]
async fn a_failed_login_is_not_quoted_either() {
    let port = super::super::peers::free_port();
    let login = login(&format!("postgresql://me:hush@127.0.0.1:{port}/app")).unwrap();
    let error = login.connect().await.unwrap_err();
    assert_eq!(error.message, format!("cannot log in at 127.0.0.1:{port}"));
    assert!(error.detail.contains("refused"), "{}", error.detail);
    assert!(!format!("{error:?}").contains("hush"));
}
