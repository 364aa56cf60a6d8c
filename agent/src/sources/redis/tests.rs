use std::collections::BTreeMap;
use std::process::Command;

use nix::sys::signal::Signal;
use proptest::prelude::*;
use tempfile::TempDir;

use super::super::tests::peers::stub::{Answer, Authority, Stub};
use super::super::tests::peers::{Server, free_port, password_file, until};
use super::*;

const PASSWORD: &str = "hush-hush-42";

/// A real Redis of its own.
struct Real {
    port: u16,
    server: Server,
    folder: TempDir,
}

impl Real {
    async fn start(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new("redis-server");
        command
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .arg("--dir")
            .arg(folder.path())
            .arg("--unixsocket")
            .arg(folder.path().join("socket"))
            .args(settings);
        let server = Server::start(&mut command, &folder.path().join("log"));
        let real = Self {
            port,
            server,
            folder,
        };
        until("Redis answers", async || real.try_ask(&[&["PING"]]).await).await;
        real
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("socket")
    }

    async fn ask(&self, commands: &[&[&str]]) -> Vec<Reply> {
        self.try_ask(commands).await.unwrap()
    }

    async fn try_ask(&self, commands: &[&[&str]]) -> Option<Vec<Reply>> {
        let stream = UnixStream::connect(self.socket()).await.ok()?;
        Connection::new(Box::new(stream)).ask(commands).await.ok()
    }
}

fn settings(toml: &str) -> Result<Settings, Vec<String>> {
    let raw: RawSettings =
        toml::from_str(toml).map_err(|error| vec![error.message().to_owned()])?;
    assert!(!format!("{raw:?}").contains("hush"));
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

struct Collected {
    series: BTreeMap<String, f64>,
    gaps: Vec<String>,
    outcome: Result<(), SourceError>,
}

async fn collect(toml: &str) -> Collected {
    let mut out = Gather::default();
    let outcome = Redis::new(settings(toml).unwrap()).collect(&mut out).await;
    let (series, gaps) = flatten(out);
    Collected {
        series,
        gaps,
        outcome,
    }
}

fn flatten(out: Gather) -> (BTreeMap<String, f64>, Vec<String>) {
    let (families, gaps) = out.finish();
    let mut series = BTreeMap::new();
    for family in families {
        for point in family.points {
            let labels = point
                .labels
                .iter()
                .map(|l| format!("{}={}", l.name, l.value));
            let labels: Vec<String> = labels.collect();
            let name = format!(
                "{}{}{{{}}}",
                family.name,
                point.suffix.as_str(),
                labels.join(",")
            );
            assert_eq!(series.insert(name.clone(), point.value), None, "{name}");
        }
    }
    (series, gaps.into_iter().map(|gap| gap.what).collect())
}

/// What must show behind the commands of the test below.
const DONE: &[(&str, f64)] = &[
    ("redis_up{}", 1.0),
    ("redis_memory_max_bytes{}", 67_108_864.0),
    ("redis_config_maxmemory{}", 67_108_864.0),
    ("redis_config_maxclients{}", 50.0),
    ("redis_db_keys{db=db0}", 2.0),
    ("redis_db_keys_expiring{db=db0}", 1.0),
    ("redis_db_keys{db=db3}", 1.0),
    ("redis_db_keys{db=db15}", 0.0),
    ("redis_keyspace_hits_total{}", 1.0),
    ("redis_keyspace_misses_total{}", 1.0),
    ("redis_commands_total{cmd=set}", 3.0),
    ("redis_commands_rejected_calls_total{cmd=incr}", 1.0),
    ("redis_latency_percentiles_usec_count{cmd=set}", 3.0),
    ("redis_errors_total{err=ERR}", 1.0),
    ("redis_connected_slaves{}", 0.0),
    ("redis_rdb_last_bgsave_status{}", 1.0),
    ("redis_aof_enabled{}", 0.0),
];

#[tokio::test]
async fn what_was_done_shows() {
    let real = Real::start(&[
        "--maxmemory",
        "64mb",
        "--maxclients",
        "50",
        "--slowlog-log-slower-than",
        "0",
    ])
    .await;
    let answers = real.ask(&[
        &["SET", "a", "1"],
        &["SET", "b", "2", "EX", "1000"],
        &["GET", "a"],
        &["GET", "absent"],
        &["INCR", "a", "extra"],
        &["SELECT", "3"],
        &["SET", "c", "3"],
    ]);
    assert!(matches!(answers.await[4], Reply::Error(_)));
    for address in [
        format!("127.0.0.1:{}", real.port),
        real.socket().display().to_string(),
    ] {
        let Collected {
            series,
            gaps,
            outcome,
        } = collect(&format!("address = '{address}'")).await;
        outcome.unwrap();
        assert_eq!(gaps, Vec::<String>::new());
        for (name, expected) in DONE {
            assert_eq!(series.get(*name), Some(expected), "{name} at {address}");
        }
        assert!(!series.contains_key("redis_db_keys{db=db16}"));
        assert!(series["redis_slowlog_length{}"] >= 7.0);
        assert!(series["redis_memory_used_bytes{}"] > 500_000.0);
        // Microseconds, as seconds.
        assert!(series["redis_commands_duration_seconds_total{cmd=set}"] < 1.0);
        let identity = series
            .keys()
            .find(|name| name.starts_with("redis_instance_info"));
        let identity = identity.unwrap();
        assert!(
            identity.contains("role=master") && identity.contains("redis_version=7."),
            "{identity}"
        );
    }
    let ours = SocketAddr::from(([127, 0, 0, 1], real.port));
    assert!(discover().contains(&ours), "{:?}", discover());
}

#[tokio::test]
async fn a_replica_and_its_master() {
    let master = Real::start(&["--repl-diskless-sync-delay", "0"]).await;
    let replica = Real::start(&["--replicaof", &format!("127.0.0.1 {}", master.port)]).await;
    let link = format!(
        "redis_master_link_up{{master_host=127.0.0.1,master_port={}}}",
        master.port
    );
    let of_replica = format!("address = '127.0.0.1:{}'", replica.port);
    let of_master = format!("address = '127.0.0.1:{}'", master.port);
    let online = format!(
        "{{slave_ip=127.0.0.1,slave_port={},slave_state=online}}",
        replica.port
    );
    until("the replica follows", async || {
        let up = collect(&of_replica).await.series.get(&link) == Some(&1.0);
        let seen = collect(&of_master).await.series;
        (up && seen.contains_key(&format!("redis_connected_slave_lag_seconds{online}")))
            .then_some(())
    })
    .await;
    master.ask(&[&["SET", "a", "1"], &["WAIT", "1", "0"]]).await;
    let seen = until("the offsets agree", async || {
        let seen = collect(&of_master).await.series;
        let offset = seen
            .get(&format!("redis_connected_slave_offset_bytes{online}"))
            .copied();
        (offset == seen.get("redis_master_repl_offset{}").copied()).then_some(seen)
    })
    .await;
    assert_eq!(seen["redis_connected_slaves{}"], 1.0);
    let at_replica = collect(&of_replica).await.series;
    assert_eq!(at_replica["redis_db_keys{db=db0}"], 1.0);
    let info = format!(
        "redis_slave_info{{master_host=127.0.0.1,master_port={},read_only=1}}",
        master.port
    );
    assert_eq!(at_replica[&info], 1.0);

    drop(master);
    until("the link is down", async || {
        (collect(&of_replica).await.series.get(&link) == Some(&0.0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn logins() {
    let acl = format!("watch on >{PASSWORD} ~* -@all +info +client|setname +slowlog|len");
    let mut settings = vec!["--requirepass", PASSWORD, "--user"];
    settings.extend(acl.split(' '));
    let real = Real::start(&settings).await;
    let folder = tempfile::tempdir().unwrap();
    let right = password_file(folder.path(), PASSWORD);
    let other = tempfile::tempdir().unwrap();
    let wrong = password_file(other.path(), "hush-but-wrong");
    for (more, expected) in [
        (right.clone(), Ok(vec![])),
        (
            format!("user = 'watch'\n{right}"),
            Ok(vec![
                "CONFIG GET maxmemory",
                "CONFIG GET maxclients",
                "SLOWLOG GET",
            ]),
        ),
        (String::new(), Err("refused: NOAUTH")),
        (wrong.clone(), Err("refused: WRONGPASS")),
        (
            format!("user = 'nobody'\n{right}"),
            Err("refused: WRONGPASS"),
        ),
    ] {
        let address = format!("address = '127.0.0.1:{}'", real.port);
        let Collected {
            series,
            gaps,
            outcome,
        } = collect(&format!("{address}\n{more}")).await;
        match expected {
            Ok(expected) => {
                outcome.unwrap();
                assert_eq!(gaps, expected, "{more}");
                assert_eq!(series["redis_up{}"], 1.0);
            }
            Err(expected) => {
                let error = outcome.unwrap_err();
                assert!(error.message.ends_with(expected), "{more}\nsaid {error:?}");
                assert!(!format!("{error:?}").contains("hush"), "{error:?}");
                assert_eq!(
                    series.into_iter().collect::<Vec<_>>(),
                    [("redis_up{}".to_owned(), 0.0)]
                );
            }
        }
    }
    let unneeded = Real::start(&[]).await;
    let address = format!("address = '127.0.0.1:{}'", unneeded.port);
    let error = collect(&format!("{address}\n{right}"))
        .await
        .outcome
        .unwrap_err();
    assert!(error.message.ends_with("refused: ERR"), "{error:?}");
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
}

#[tokio::test]
async fn servers_that_are_none() {
    let hasty = "interval = '1s'\ntimeout = '200ms'";
    for (answer, expected) in [
        (
            Answer::text("HTTP/1.1 400 Bad Request\r\n\r\n"),
            "not Redis' protocol",
        ),
        (Answer::Bytes(vec![0xff; 1_000_000]), "longer than 65536"),
        (Answer::text(""), "the connection was closed"),
        (Answer::Hang, "did not answer within 180ms"),
    ] {
        // The stub waits for the end of an HTTP head, which the password here gives it.
        let stub = Stub::start(vec![answer.clone()], None).await;
        let folder = tempfile::tempdir().unwrap();
        let password = password_file(folder.path(), "hush\r\n\r\nhush");
        let toml = format!("address = '{}'\n{hasty}\n{password}", stub.address);
        let error = collect(&toml).await.outcome.unwrap_err();
        let said = format!("{} {}", error.message, error.detail);
        assert!(said.contains(expected), "said {said}");
        assert!(!said.contains("hush"));
    }
    let nobody = free_port();
    let error = collect(&format!("address = '127.0.0.1:{nobody}'"))
        .await
        .outcome
        .unwrap_err();
    assert!(error.detail.contains("refused"), "{error:?}");

    let real = Real::start(&[]).await;
    let toml = format!("address = '127.0.0.1:{}'\n{hasty}", real.port);
    until("it is read", async || collect(&toml).await.outcome.ok()).await;
    real.server.signal(Signal::SIGSTOP);
    let error = collect(&toml).await.outcome.unwrap_err();
    assert!(
        error.message.ends_with("did not answer within 180ms"),
        "{error:?}"
    );
    real.server.signal(Signal::SIGCONT);
    until("it is read again", async || {
        collect(&toml).await.outcome.ok()
    })
    .await;
}

#[tokio::test]
async fn tls() {
    let authority = Authority::new(2050);
    let file = |name: &str| authority.file(name).display().to_string();
    let port = free_port().to_string();
    let _real = Real::start(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &file("server.pem"),
        "--tls-key-file",
        &file("server.key"),
        "--tls-ca-cert-file",
        &file("ca.pem"),
        "--tls-auth-clients",
        "no",
    ])
    .await;
    let toml = format!(
        "address = 'rediss://localhost:{port}'\ntls = {{ ca_file = '{}' }}",
        file("ca.pem")
    );
    let seen = collect(&toml).await;
    seen.outcome.unwrap();
    assert_eq!(seen.series["redis_connected_clients{}"], 1.0);
}

#[test]
fn wrong_settings_are_named() {
    for (toml, expected) in [
        ("", "missing field `address`"),
        (
            "address = 'redis://me:hush@db1'",
            "address: it holds a user or a password",
        ),
        (
            "address = 'db1'\nuser = 'me'",
            "user: a user is set, and no password",
        ),
        (
            "address = 'db1'\npassword_file = '/nowhere'",
            "password_file: cannot read /nowhere",
        ),
        (
            "address = 'db1'\ntimeout = '1h'",
            "timeout: must be above 0s",
        ),
        (
            "address = 'db1'\npassword = 'hush'",
            "unknown field `password`",
        ),
    ] {
        let said = settings(toml).unwrap_err().join("\n");
        assert!(said.contains(expected), "{toml}\nsaid {said}");
        assert!(!said.contains("hush"), "{toml}\nsaid {said}");
    }
}

#[test]
fn torn_and_odd_info() {
    for (text, databases, expected) in [
        ("", None, vec![]),
        (
            "used_memory:12\r\nmaxmemory",
            None,
            vec!["redis_memory_used_bytes{} 12"],
        ),
        (
            "rdb_last_bgsave_status:err",
            None,
            vec!["redis_rdb_last_bgsave_status{} 0"],
        ),
        ("used_memory:lots", None, vec!["gap INFO used_memory"]),
        ("used_memory:nan", None, vec!["gap INFO used_memory"]),
        (
            "cmdstat_get:calls=2,usec=x,usec_per_call=1",
            None,
            vec!["redis_commands_total{cmd=get} 2"],
        ),
        (
            "db0:keys=1",
            Some(2),
            vec![
                "redis_db_keys_expiring{db=db1} 0",
                "redis_db_keys{db=db0} 1",
                "redis_db_keys{db=db1} 0",
            ],
        ),
        (
            "slave0:ip=::1,port=1,state=wait_bgsave,offset=0,lag=-1",
            None,
            vec![
                "redis_connected_slave_offset_bytes{slave_ip=::1,slave_port=1,slave_state=wait_bgsave} 0",
            ],
        ),
        ("slavex:ip=1\ndbx:keys=1\n:::\n====", None, vec![]),
    ] {
        let mut out = Gather::default();
        info::read(text, databases, &mut out);
        let (series, gaps) = flatten(out);
        let mut got: Vec<String> = series
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        got.extend(gaps.iter().map(|gap| format!("gap {gap}")));
        assert_eq!(got, expected, "{text}");
    }
}

proptest! {
    #[test]
    fn hostile_info_does_not_panic(text in "((slave|db|cmdstat_|errorstat_|latency_percentiles_usec_)?[a-z0-9]{0,3}:([a-z]{0,5}=?[0-9.,=p-]{0,6}){0,3}\n|\\PC){0,20}") {
        let mut out = Gather::default();
        info::read(&text, Some(1), &mut out);
    }
}
