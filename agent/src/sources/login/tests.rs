use std::os::unix::fs::{MetadataExt, PermissionsExt};

use wire::secret::Secret;

use super::super::tests::peers::postgres::{PASSWORD, Postgres};
use super::super::tests::peers::stub::Authority;
use super::super::tests::peers::{folder_of, password_file};
use super::*;

fn raw(dsn: &str) -> RawLogin {
    RawLogin {
        dsn: Some(Hidden::new(dsn)),
        ..RawLogin::default()
    }
}

fn check(raw: RawLogin) -> Result<Target, String> {
    let shown = format!("{raw:?}");
    assert!(!shown.contains("hush"), "{shown}");
    let mut problems = Problems::default();
    let target = raw.validate(Usual::POSTGRES, &mut problems);
    let found = problems.into_inner();
    target.ok_or_else(|| found.iter().map(ToString::to_string).collect())
}

#[test]
fn where_a_login_leads() {
    for (dsn, expected) in [
        ("postgresql://me@db1:6432/app", "db1:6432"),
        ("host=db1 port=6432 user=me", "db1:6432"),
        ("host=::1", "[::1]:5432"),
        ("host=/run/pg port=5433", "/run/pg:5433"),
        ("user=me", "/var/run/postgresql:5432"),
    ] {
        assert_eq!(check(raw(dsn)).unwrap().to_string(), expected, "{dsn}");
    }
    let alone = check(RawLogin::default()).unwrap();
    assert_eq!(
        (alone.user.as_str(), alone.dbname.as_str()),
        (USER, "postgres")
    );
}

#[test]
fn the_instance_of_a_local_server_has_the_hosts_name() {
    for (host, expected) in [
        ("localhost", "db7:5432"),
        ("127.0.0.1", "db7:5432"),
        ("::1", "db7:5432"),
        ("/run/postgresql", "db7:5432"),
        ("db1", "db1:5432"),
        ("10.0.0.1", "10.0.0.1:5432"),
        ("fd00::1", "[fd00::1]:5432"),
    ] {
        let target = check(raw(&format!("host={host}"))).unwrap();
        assert_eq!(target.instance("db7"), expected, "{host}");
    }
}

#[test]
fn what_is_wrong_is_named_and_not_quoted() {
    for (dsn, expected) in [
        ("host=db1 password=hush", "dsn: it holds a password"),
        ("postgresql://me:hush@db1/app", "dsn: it holds a password"),
        (
            "postgres://db1/app?password=hush",
            "dsn: it holds a password",
        ),
        ("host=db1 password=not hush=quoted", "dsn: parameter number"),
        ("host=db1 password=hu'sh hush", "dsn: it is neither"),
        ("host=db1 password='hush", "dsn: a quoted value"),
        ("hush", "dsn: it is neither"),
        ("host=db1 sslmode=hush", "dsn: the value of sslmode"),
        ("host=db1 port=hush", "dsn: the value of port"),
        ("host=a,b port=1,2", "dsn: it names several hosts"),
        (
            "host=db1 sslmode=verify-full sslrootcert=/no/such",
            "tls.ca_file: cannot read /no/such",
        ),
    ] {
        let said = check(raw(dsn)).unwrap_err();
        assert!(said.starts_with(expected), "{dsn}\nsaid {said}");
        assert!(!said.contains("hush"), "{dsn}\nsaid {said}");
    }
}

#[test]
fn what_protects_the_connection() {
    for (dsn, expected) in [
        ("host=/run/pg sslmode=verify-full", "Off"),
        ("host=db1 sslmode=disable", "Off"),
        ("host=db1", "Offered"),
        ("host=db1 sslmode=allow", "Offered"),
        ("host=db1 sslmode=require", "Required"),
        ("host=db1 sslmode=verify-ca", "Required"),
        (
            "host=db1 sslmode=verify-full sslrootcert=system",
            "Required",
        ),
    ] {
        let shown = format!("{:?}", check(raw(dsn)).unwrap().encryption);
        assert!(shown.starts_with(expected), "{dsn}: {shown}");
    }
}

#[tokio::test]
async fn a_failed_login_is_not_quoted_either() {
    let port = super::super::tests::peers::free_port();
    let mut target = check(raw(&format!("host=127.0.0.1 port={port} user=me"))).unwrap();
    target.given_password = Some(Password::Fixed(Secret::new("hush")));
    let error = Session::open(&target).await.unwrap_err();
    assert_eq!(error.message, format!("cannot log in at 127.0.0.1:{port}"));
    assert!(error.detail.contains("refused"), "{}", error.detail);
    assert!(!format!("{error:?} {target:?}").contains("hush"));
}

/// Copies the certificate to where PostgreSQL takes it: a key that is its own.
fn server_settings(authority: &Authority, folder: &Path) -> Vec<String> {
    let owner = std::fs::metadata(folder).unwrap();
    let mut settings = vec!["ssl=on".to_owned()];
    for (name, key) in [
        ("server.pem", "ssl_cert_file"),
        ("server.key", "ssl_key_file"),
    ] {
        let copy = folder.join(name);
        std::fs::copy(authority.file(name), &copy).unwrap();
        std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&copy, Some(owner.uid()), Some(owner.gid())).unwrap();
        settings.push(format!("{key}={}", copy.display()));
    }
    settings
}

#[tokio::test]
async fn encryption_is_as_libpq_has_it() {
    let (authority, other) = (Authority::new(2050), Authority::new(2050));
    let folder = folder_of("postgres");
    let settings = server_settings(&authority, folder.path());
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let postgres = Postgres::start(&settings).await;
    let (port, ca) = (
        postgres.port,
        authority.file("ca.pem").display().to_string(),
    );
    let stranger = other.file("ca.pem").display().to_string();
    let password = password_file(folder.path(), PASSWORD);
    let path = password.split('\'').nth(1).unwrap();
    let encrypted = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    for (words, expected) in [
        ("host=localhost sslmode=disable".to_owned(), Ok("false")),
        ("host=localhost".to_owned(), Ok("true")),
        ("host=localhost sslmode=require".to_owned(), Ok("true")),
        (
            format!("host=localhost sslmode=verify-full sslrootcert={ca}"),
            Ok("true"),
        ),
        // The certificate is for localhost.
        (
            format!("host=127.0.0.1 sslmode=verify-ca sslrootcert={ca}"),
            Ok("true"),
        ),
        (
            format!("host=127.0.0.1 sslmode=verify-full sslrootcert={ca}"),
            Err("the certificate is for another name"),
        ),
        (
            format!("host=localhost sslmode=verify-ca sslrootcert={stranger}"),
            Err("the certificate's authority is not trusted"),
        ),
    ] {
        let mut raw = raw(&format!("{words} port={port} user=postgres"));
        raw.password_file = Some(PathBuf::from(path));
        let target = check(raw).unwrap();
        let found = match Session::open(&target).await {
            Ok(session) => Ok(session.rows(encrypted).await.unwrap()[0]
                .get(0)
                .unwrap()
                .to_owned()),
            Err(error) => Err(error.detail),
        };
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(found, expected, "{words}");
    }
}

#[tokio::test]
async fn a_server_without_encryption_is_refused_where_it_is_required() {
    let postgres = Postgres::start(&[]).await;
    for (mode, works) in [("prefer", true), ("require", false)] {
        let words = format!("{} sslmode={mode}", postgres.place("postgres"));
        let mut target = check(raw(&words)).unwrap();
        target.given_password = Some(Password::Fixed(Secret::new(PASSWORD)));
        let opened = Session::open(&target).await;
        assert_eq!(opened.is_ok(), works, "{mode}: {opened:?}");
    }
}

#[tokio::test]
async fn a_password_file_is_read_at_each_login() {
    let postgres = Postgres::start(&[]).await;
    let key = password_file(postgres.folder(), "wrong");
    let mut raw = raw(&postgres.place("postgres"));
    let path = PathBuf::from(key.split('\'').nth(1).unwrap());
    raw.password_file = Some(path.clone());
    let target = check(raw).unwrap();
    Session::open(&target).await.unwrap_err();
    std::fs::write(&path, PASSWORD).unwrap();
    Session::open(&target).await.unwrap();
}
