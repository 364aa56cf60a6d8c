use super::*;

fn dsn(host: &str, port: u16, user: &str, dbname: &str, password: Option<&str>) -> Dsn {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Dsn {
        host: some(host),
        port: (port > 0).then_some(port),
        user: some(user),
        dbname: some(dbname),
        password: password.map(Secret::new),
        ..Dsn::default()
    }
}

#[test]
fn reads_each_form() {
    for (text, expected) in [
        ("postgresql://", dsn("", 0, "", "", None)),
        ("postgres://db1", dsn("db1", 0, "", "", None)),
        (
            "postgresql://u:p@db1:5433/shop",
            dsn("db1", 5433, "u", "shop", Some("p")),
        ),
        (
            "postgresql://u:p%40%2F%3A@db1/shop?application_name=x",
            dsn("db1", 0, "u", "shop", Some("p@/:")),
        ),
        (
            "postgresql://u:p/q@r@db1/shop",
            dsn("db1", 0, "u", "shop", Some("p/q@r")),
        ),
        (
            "postgresql://[::1]:5433/shop",
            dsn("::1", 5433, "", "shop", None),
        ),
        (
            "postgresql:///shop?host=/run/postgresql&port=5433&user=u&password=p",
            dsn("/run/postgresql", 5433, "u", "shop", Some("p")),
        ),
        (
            "postgresql://%2Frun%2Fpostgresql/shop",
            dsn("/run/postgresql", 0, "", "shop", None),
        ),
        (
            "host=db1 port=5433 user=u dbname=shop password=p",
            dsn("db1", 5433, "u", "shop", Some("p")),
        ),
        (
            r"  host = db1  password = 'a b\'c\\d' user=u ",
            dsn("db1", 0, "u", "", Some(r"a b'c\d")),
        ),
        (
            "host=/run/postgresql connect_timeout=3",
            dsn("/run/postgresql", 0, "", "", None),
        ),
    ] {
        assert_eq!(Dsn::parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn reads_the_mode_of_encryption() {
    for (text, expected) in [
        ("host=a sslmode=disable", SslMode::Disable),
        ("host=a sslmode=allow", SslMode::Prefer),
        ("host=a sslmode=verify-ca", SslMode::VerifyCa),
        ("host=a sslmode=verify-full", SslMode::VerifyFull),
        ("postgres://a/?sslmode=require", SslMode::Require),
        ("postgres://a/?ssl=true", SslMode::Require),
    ] {
        assert_eq!(Dsn::parse(text).unwrap().sslmode, Some(expected), "{text}");
    }
}

#[test]
fn refuses_what_is_not_one() {
    for (text, expected) in [
        ("", DsnError::Form),
        ("db1", DsnError::Form),
        ("mysql://u:p@h/d", DsnError::Form),
        ("http://a=b", DsnError::Form),
        ("host=a password='p", DsnError::Quote),
        ("host=a port=70000", DsnError::Value("port")),
        ("host=a port=x", DsnError::Value("port")),
        ("host=a,b", DsnError::Hosts),
        ("postgres://a,b/d", DsnError::Hosts),
        ("postgres://a/d?x", DsnError::Form),
        ("postgres://u:%zz@a/d", DsnError::Percent),
        ("postgres://u:%f@a/d", DsnError::Percent),
        ("postgres://u:%ff@a/d", DsnError::Percent),
        ("host=a sslmode=sometimes", DsnError::Value("sslmode")),
        ("host=a passwrod=p", DsnError::Key(2)),
        ("host=a\0b\0=c", DsnError::Key(1)),
    ] {
        let found = Dsn::parse(text);
        if text.contains('\0') {
            // A NUL within a value is the server's to refuse; only that nothing panics counts.
            continue;
        }
        assert_eq!(found, Err(expected), "{text}");
    }
}

#[test]
fn no_error_shows_the_secret() {
    const SECRET: &str = "hunter2";
    for text in [
        "postgresql://u:hunter2@db1:port/shop",
        "postgresql://u:hunter2%@db1/shop",
        "postgresql://u:hunter2@a,b/shop",
        "postgresql://db1/shop?password=hunter2&hunter2",
        "postgresql://db1/shop?hunter2=1",
        "host=db1 password=hunter2 hunter2",
        "host=db1 password=x hunter2=y",
        "host=db1 password='hunter2",
        "host=db1 port=hunter2 ",
        "host=db1 sslmode=hunter2",
        "hunter2",
        "://hunter2",
    ] {
        let error = Dsn::parse(text).expect_err(text);
        assert!(
            !format!("{error} {error:?}").contains(SECRET),
            "{text}: {error}"
        );
    }
    let whole = Dsn::parse("postgresql://u:hunter2@db1/shop").unwrap();
    assert!(!format!("{whole:?}").contains(SECRET));
}
