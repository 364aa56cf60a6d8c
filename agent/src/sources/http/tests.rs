use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::tests::peers::stub::{Answer, Authority, Stub};
use super::*;
use crate::config::Problems;

fn request(url: &str) -> Request {
    Request {
        endpoint: Endpoint::parse(url).unwrap(),
        method: Method::GET,
        headers: Vec::new(),
        authorization: None,
        body: Bytes::new(),
        redirects: Redirects::Follow,
        max_body: 1_000,
        tls: None,
    }
}

async fn ask(answer: Answer) -> Result<(u16, Vec<u8>), String> {
    let stub = Stub::start(vec![answer], None).await;
    let request = request(&format!("http://{}/", stub.address));
    match fetch(&request, &mut Trace::default()).await {
        Ok(response) => Ok((response.status.as_u16(), response.body.to_vec())),
        Err(error) => Err(error.to_string()),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn answers() {
    let zipped = "Content-Encoding: gzip\r\n";
    for (answer, status, body) in [
        (Answer::http("200 OK", "", "hi"), 200, b"hi".to_vec()),
        (Answer::http("503 No", "", ""), 503, Vec::new()),
        (
            Answer::http("200 OK", "", vec![b'x'; 1_000]),
            200,
            vec![b'x'; 1_000],
        ),
        (
            Answer::http("200 OK", zipped, gzip(b"hello")),
            200,
            b"hello".to_vec(),
        ),
        (
            Answer::text(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            ),
            200,
            b"hi".to_vec(),
        ),
        (
            Answer::text("HTTP/1.0 200 OK\r\n\r\nto the end"),
            200,
            b"to the end".to_vec(),
        ),
    ] {
        let asked = format!("{answer:?}");
        assert_eq!(ask(answer).await, Ok((status, body)), "{asked}");
    }
}

#[tokio::test]
async fn answers_that_are_none() {
    let zipped = "Content-Encoding: gzip\r\n";
    for (answer, expected) in [
        (Answer::text(""), "no whole HTTP answer"),
        (Answer::text("SSH-2.0-OpenSSH\r\n"), "no whole HTTP answer"),
        (Answer::Bytes(vec![0xff; 10_000]), "no whole HTTP answer"),
        (
            Answer::text("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ntorn"),
            "no whole HTTP answer",
        ),
        (
            Answer::http("200 OK", "", vec![b'x'; 1_001]),
            "longer than the limit of 1000 bytes",
        ),
        (
            Answer::http("200 OK", zipped, gzip(&[0; 1_000_000])),
            "longer than the limit",
        ),
        (
            Answer::http("200 OK", zipped, "not gzip"),
            "not the gzip it says",
        ),
        (
            Answer::http("302 Found", "Location: /\r\n", ""),
            "more than 10 redirects",
        ),
        (
            Answer::http("302 Found", "Location: gopher://x\r\n", ""),
            "redirected to no usable address",
        ),
    ] {
        let asked = format!("{answer:?}").chars().take(200).collect::<String>();
        let error = ask(answer).await.unwrap_err();
        assert!(error.contains(expected), "{asked}\nsaid {error}");
    }
}

#[tokio::test]
async fn a_credential_stays_with_its_server() {
    let other = Stub::start(vec![Answer::http("200 OK", "", "there")], None).await;
    let elsewhere = format!("Location: http://{}/x\r\n", other.address);
    let here = Answer::http("302 Found", "Location: /next\r\n", "");
    let there = Answer::http("307 Temporary", &elsewhere, "");
    let stub = Stub::start(vec![here, there], None).await;
    let mut request = request(&format!("http://{}/", stub.address));
    request.authorization = Some(HeaderValue::from_static("Bearer hush"));
    let mut trace = Trace::default();
    let response = fetch(&request, &mut trace).await.unwrap();
    assert_eq!(response.body, "there");
    assert_eq!(trace.redirects, 2);
    let asked = stub.heads();
    assert!(asked[0].contains("hush") && asked[1].contains("hush"));
    assert!(
        asked[1].starts_with("GET /next HTTP/1.1\r\n"),
        "{}",
        asked[1]
    );
    assert!(!other.heads()[0].contains("hush"));

    request.redirects = Redirects::Keep;
    let stub = Stub::start(vec![Answer::http("301 Moved", "Location: /\r\n", "")], None).await;
    request.endpoint = Endpoint::parse(&format!("http://{}/", stub.address)).unwrap();
    let response = fetch(&request, &mut Trace::default()).await.unwrap();
    assert_eq!(response.status, 301);
}

#[tokio::test]
async fn tls_is_verified_unless_told_otherwise() {
    let authority = Authority::new(2050);
    let stranger = Authority::new(2050);
    let ok = vec![Answer::http("200 OK", "", "hi")];
    let stub = Stub::start(ok, Some(&authority)).await;
    let port = stub.address.port();
    let trusting = |ca: &Authority| RawTls {
        ca_file: Some(ca.file("ca.pem")),
        ..RawTls::default()
    };
    let renamed = RawTls {
        server_name: Some("localhost".to_owned()),
        ..trusting(&authority)
    };
    let insecure = RawTls {
        insecure_skip_verify: true,
        ..RawTls::default()
    };
    for (host, raw, expected) in [
        ("localhost", trusting(&authority), Ok(())),
        (
            "localhost",
            trusting(&stranger),
            Err("no TLS with localhost"),
        ),
        (
            "127.0.0.1",
            trusting(&authority),
            Err("no TLS with 127.0.0.1"),
        ),
        ("127.0.0.1", renamed, Ok(())),
        ("127.0.0.1", insecure, Ok(())),
    ] {
        let mut request = request(&format!("https://{host}:{port}/"));
        request.tls = raw.clone().validate(&mut Problems::default());
        let mut trace = Trace::default();
        let fetched = fetch(&request, &mut trace).await;
        match expected {
            Ok(()) => {
                assert_eq!(fetched.unwrap().body, "hi", "{host} {raw:?}");
                let seen = trace.tls.unwrap();
                assert_eq!(seen.version, "TLS 1.3");
                // 2050-01-01.
                assert_eq!(seen.expiry.unwrap().chain, 2_524_608_000);
            }
            Err(expected) => {
                let error = fetched.unwrap_err().to_string();
                assert!(error.contains(expected), "{host} {raw:?}\nsaid {error}");
            }
        }
    }
}

#[test]
fn tls_settings_that_cannot_work_are_named() {
    let authority = Authority::new(2050);
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let base = RawTls::default;
    for (raw, expected) in [
        (
            RawTls {
                ca_file: Some("/nowhere.pem".into()),
                ..base()
            },
            "ca_file: cannot read /nowhere.pem",
        ),
        (
            RawTls {
                ca_file: Some(empty),
                ..base()
            },
            "ca_file: no authority in",
        ),
        (
            RawTls {
                server_name: Some("a b".to_owned()),
                ..base()
            },
            "server_name: \"a b\" is neither",
        ),
        (
            RawTls {
                cert_file: Some(authority.file("server.pem")),
                ..base()
            },
            "cert_file: cert_file and key_file go together",
        ),
        (
            RawTls {
                cert_file: Some(authority.file("server.pem")),
                key_file: Some(authority.file("ca.pem")),
                ..base()
            },
            "key_file: cannot read a key",
        ),
    ] {
        let mut problems = Problems::default();
        assert!(raw.clone().validate(&mut problems).is_none(), "{raw:?}");
        let found = problems.into_inner();
        let said = format!("{}: {}", found[0].key, found[0].message);
        assert!(said.starts_with(expected), "{raw:?}\nsaid {said}");
    }
}
