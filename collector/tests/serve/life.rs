//! Starting, being told things, and stopping.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Agent, batch, get, now_ms};
use crate::limits::hold_a_place;
use crate::server::{PROGRAM, Server, run, until, with_log};

#[test]
fn help_and_version_say_what_there_is() {
    let (code, help, _) = run(&["--help"]);
    assert_eq!(code, 0);
    for text in ["serve", "check-config", "Exit codes", "Examples"] {
        assert!(help.contains(text), "{text} in {help}");
    }
    let (code, help, _) = run(&["serve", "--help"]);
    assert_eq!(code, 0);
    for text in [
        "--data",
        "--listen",
        "--otlp-grpc",
        "--otlp-http",
        "--config",
        "[default: 127.0.0.1:7700]",
        "endpoints.json",
    ] {
        assert!(help.contains(text), "{text} in {help}");
    }
    assert_eq!(
        run(&["--version"]).1,
        format!("nightshift {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(run(&["serve", "--nothing"]).0, 2);
}

#[test]
fn check_config_tells_all_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    let file = path.to_str().unwrap();
    std::fs::write(&path, "listen = \"x\"\n[store]\nretention = \"1s\"\n").unwrap();
    let (code, _, told) = run(&["check-config", file]);
    assert_eq!(code, 2);
    for text in [
        file,
        "2 problems",
        "listen: ",
        "store.retention: ",
        "hint: ",
    ] {
        assert!(told.contains(text), "{text} in {told}");
    }
    assert_eq!(run(&["serve", "--config", file]).0, 2);
    std::fs::write(&path, include_str!("../../nightshift.toml")).unwrap();
    assert_eq!(
        run(&["check-config", file]),
        (0, format!("{file}: ok\n"), String::new())
    );
    let (code, _, told) = run(&["check-config", "/nowhere/at/all"]);
    assert_eq!((code, told.contains("cannot be read")), (2, true));
}

#[tokio::test]
async fn a_folder_is_for_one_collector_at_a_time() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let arguments = [
        "serve",
        "--data",
        data.path().to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ];
    let (code, _, log) = run(&arguments);
    assert_eq!(code, 1);
    assert!(
        log.contains(&format!(
            "in use by another collector (process {})",
            server.pid()
        )),
        "{log}"
    );
    assert_eq!(get(server.listen(), "/-/ready").await.status, 200);
    server.kill().await;
    Server::start(data.path()).await.stop(&[]).await;
}

#[tokio::test]
async fn a_busy_port_that_was_asked_for_is_an_error() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let busy = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let _holder = TcpListener::bind(busy).unwrap();
    let busy = busy.to_string();
    for option in ["--listen", "--otlp-grpc", "--otlp-http"] {
        let mut arguments = vec!["serve", "--data", folder, option, &busy];
        if option != "--listen" {
            arguments.extend(["--listen", "127.0.0.1:0"]);
        }
        let (code, _, log) = run(&arguments);
        assert_eq!(code, 1, "{option}");
        assert!(log.contains(&format!("cannot listen on {busy}")), "{log}");
    }
}

#[tokio::test]
async fn a_busy_port_that_nobody_asked_for_is_a_warning() {
    let data = tempfile::tempdir().unwrap();
    // On an address of the loopback net that nothing else uses, the standard ports are free.
    let _grpc = TcpListener::bind("127.43.17.1:4317").unwrap();
    let _http = TcpListener::bind("127.43.17.1:4318").unwrap();
    let mut command = Command::new(PROGRAM);
    command
        .args(["serve", "--listen", "127.43.17.1:0", "--data"])
        .arg(data.path());
    let (mut child, log, reader) = with_log(&mut command);
    until("it is ready without", async || {
        log.lock().unwrap().contains("app: ready")
    })
    .await;
    let log = log.lock().unwrap().clone();
    for key in ["otlp.grpc", "otlp.http"] {
        let line = log
            .lines()
            .find(|line| line.contains(" WARN ") && line.contains(key))
            .unwrap();
        assert!(line.contains("to off"), "{line}");
    }
    let endpoints = std::fs::read_to_string(data.path().join("endpoints.json")).unwrap();
    assert!(endpoints.contains("\"otlp_grpc\": null"), "{endpoints}");
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
}

#[tokio::test]
async fn stopping_lets_a_request_end() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let data = tempfile::tempdir().unwrap();
        let mut server = Server::start(data.path()).await;
        let bytes = Agent::new().encode(1, &batch("probe", now_ms(), &[("a", 1.0)]));
        let mut request = hold_a_place(&server, bytes.len()).await;
        let (first, second) = bytes.split_at(10);
        request.write_all(first).await.unwrap();
        // Answered behind it, so the request before it is with the server.
        assert_eq!(get(server.listen(), "/-/ready").await.status, 200);
        server.signal(signal);
        until("it is stopping", async || server.log().contains("stopping")).await;
        request.write_all(second).await.unwrap();
        let mut answer = String::new();
        request.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(server.ended().await.success());
        let server = Server::start(data.path()).await;
        assert_eq!(server.metric("nightshift_store_samples").await, 1.0);
        server.stop(&[]).await;
    }
}

#[tokio::test]
async fn a_hang_up_reloads_what_can_be_and_says_what_cannot() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("c.toml");
    std::fs::write(&path, "[log]\nlevel = \"info\"\n").unwrap();
    let server = Server::start_with(data.path(), &["--config", path.to_str().unwrap()]).await;
    let reload = async |text: &str, expected: &str| {
        std::fs::write(&path, text).unwrap();
        server.signal(Signal::SIGHUP);
        until(expected, async || server.log().contains(expected)).await;
    };
    reload(
        "[store]\nretention = \"1s\"\n",
        "cannot reload the configuration",
    )
    .await;
    reload(
        "[store]\nsegment_size = \"1MiB\"\n[log]\nlevel = \"debug\"\n",
        "takes effect at the next start",
    )
    .await;
    reload("[log]\nlevel = \"info\"\n", "configuration reloaded").await;
    assert_eq!(get(server.listen(), "/-/ready").await.status, 200);
    server
        .stop(&[
            "cannot reload the configuration",
            "takes effect at the next start",
        ])
        .await;
}

#[tokio::test]
async fn the_service_manager_is_told() {
    let data = tempfile::tempdir().unwrap();
    let socket = data.path().join("notify");
    let listener = UnixDatagram::bind(&socket).unwrap();
    let folder = data.path().join("data");
    let mut command = Command::new(PROGRAM);
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--otlp-grpc",
        "off",
        "--otlp-http",
        "off",
        "--data",
    ]);
    command.arg(&folder).env("NOTIFY_SOCKET", &socket);
    let (mut child, _log, reader) = with_log(&mut command);
    listener
        .set_read_timeout(Some(crate::server::PATIENCE))
        .unwrap();
    let mut buffer = [0; 64];
    let length = listener.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"READY=1");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id().cast_signed()),
        Signal::SIGTERM,
    )
    .unwrap();
    let length = listener.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"STOPPING=1");
    assert!(child.wait().unwrap().success());
    reader.join().unwrap();
}

#[tokio::test]
async fn logs_can_be_json() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(data.path(), &["--log-format", "json"]).await;
    server.signal(Signal::SIGTERM);
    assert!(server.ended().await.success());
    let log = server.log();
    assert!(log.lines().count() >= 3);
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            line["message"].is_string() && line["level"].is_string(),
            "{line}"
        );
    }
}
