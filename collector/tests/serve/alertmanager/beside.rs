//! Beside Debian's Alertmanager 0.25 with the same file, alerts and silences: it answers the same, up
//! to times and ids. What differs is named, with the reason.

use http::Method;
use serde_json::{Map, Value, json};

use super::{FILE, Site, shown, until_routed};
use crate::client::{Answer, JSON, encoded, send};
use crate::peer::{self, Peer};
use crate::server::{Server, until};

/// Both with the same file.
struct Both {
    site: Site,
    server: Server,
    theirs: Peer,
}

impl Both {
    async fn start() -> Self {
        let site = Site::new(FILE);
        let server = site.start().await;
        let address = peer::free_address();
        let arguments = [
            format!("--config.file={}", shown(&site.file())),
            format!("--storage.path={}", shown(&site.path("theirs"))),
            format!("--web.listen-address={address}"),
            "--cluster.listen-address=".to_owned(),
        ];
        let theirs = peer::spawn("prometheus-alertmanager", &arguments, address);
        until("Alertmanager listens", async || {
            tokio::net::TcpStream::connect(address).await.is_ok()
        })
        .await;
        until_routed(&server).await;
        Self {
            site,
            server,
            theirs,
        }
    }

    /// Our answer and theirs.
    async fn ask(&self, method: &Method, path: &str, kind: &str, body: &str) -> [Answer; 2] {
        let path = format!("/api/v2/{path}");
        let headers = [("content-type", kind)];
        let ask = |address| {
            let body = body.to_owned().into();
            send(address, method.clone(), &path, &headers, body)
        };
        let ours = ask(self.server.listen()).await;
        [ours, ask(self.theirs.address).await]
    }

    async fn post(&self, path: &str, body: &Value) -> [Answer; 2] {
        let answers = self.ask(&Method::POST, path, JSON, &body.to_string()).await;
        for answer in &answers {
            assert_eq!(answer.status, 200, "{body}: {}", answer.text());
        }
        answers
    }

    async fn stop(self) {
        self.server.stop(&[]).await;
        drop(self.theirs);
        drop(self.site);
    }
}

fn alerts() -> Value {
    let alert =
        |labels: Value| json!({"labels": labels, "annotations": {"summary": "s", "empty": ""}});
    let timed = |labels: Value, starts: &str, ends: &str| json!({"labels": labels, "startsAt": starts, "endsAt": ends, "generatorURL": "http://p:9090/graph"});
    json!([
        alert(
            json!({"alertname": "A", "host": "h", "severity": "critical", "team": "db", "none": ""})
        ),
        alert(json!({"alertname": "A", "host": "h", "severity": "warning", "team": "db"})),
        alert(json!({"alertname": "A", "host": "h", "severity": "page", "team": "db"})),
        alert(json!({"alertname": "B", "job": "j", "instance": "i2"})),
        alert(json!({"alertname": "B", "job": "j", "instance": "i1"})),
        alert(json!({"alertname": "B", "instance": "i0"})),
        alert(json!({"host": "quiet", "alertname": "Quiet"})),
        timed(
            json!({"alertname": "B", "host": "x"}),
            "2020-01-01T00:00:00Z",
            "2040-01-01T00:00:00.5+01:00"
        ),
        timed(
            json!({"alertname": "B", "host": "y"}),
            "2020-01-01T00:00:00.123456Z",
            "0001-01-01T00:00:00Z"
        ),
        timed(
            json!({"alertname": "B", "host": "z"}),
            "2039-01-01 00:00:00",
            "2040-01-01T00:00:00"
        ),
        timed(
            json!({"alertname": "B", "host": "over"}),
            "2020-01-01T00:00:00Z",
            "2020-01-02T00:00:00Z"
        ),
    ])
}

fn silences() -> [Value; 3] {
    let silence = |matchers: Value, starts: &str, ends: &str, comment: &str| {
        json!({"matchers": matchers, "startsAt": starts, "endsAt": ends, "createdBy": "ana",
               "comment": comment})
    };
    let host = json!([{"name": "host", "value": "qu.*", "isRegex": true}]);
    let many = json!([
        {"name": "alertname", "value": "Nothing", "isRegex": false, "isEqual": true},
        {"name": "host", "value": "é\\.|", "isRegex": true, "isEqual": false},
    ]);
    [
        silence(
            host,
            "2020-01-01T00:00:00Z",
            "2040-01-01T00:00:00Z",
            "quiet",
        ),
        silence(
            many.clone(),
            "2030-01-01T00:00:00Z",
            "2031-01-01T00:00:00.25Z",
            "",
        ),
        silence(
            many,
            "0001-01-01T00:00:00Z",
            "2039-01-01T00:00:00+02:00",
            "many",
        ),
    ]
}

/// What is read.
const READ: [&str; 26] = [
    "receivers",
    "alerts",
    "alerts?active=false",
    "alerts?active=no&silenced=yes",
    "alerts?silenced=false",
    "alerts?inhibited=false",
    "alerts?unprocessed=false",
    "alerts?active=true&active=false",
    "alerts?filter=host=h",
    "alerts?filter=host=h&filter=severity!=page",
    "alerts?filter=host=~\"h|x\"",
    "alerts?filter=host=",
    "alerts?filter=host!=\"\"",
    "alerts?receiver=pager",
    "alerts?receiver=p.*|db",
    "alerts?receiver=page",
    "alerts/groups",
    "alerts/groups?receiver=log",
    "alerts/groups?receiver=db|log&filter=alertname=A",
    "alerts/groups?silenced=false&inhibited=false",
    "alerts/groups?active=false",
    "silences",
    "silences?filter=host=~\"qu.*\"",
    "silences?filter=host=quiet",
    "silences?filter=alertname=Nothing",
    "silences?filter=alertname=Nothing&filter=host=~\"qu.*\"",
];

#[tokio::test]
async fn what_is_read_is_the_same() {
    let both = Both::start().await;
    both.post("alerts", &alerts()).await;
    for silence in silences() {
        both.post("silences", &silence).await;
    }
    // It routes, groups and inhibits in its own time.
    until("Alertmanager has processed them", async || {
        let path = "alerts/groups";
        let [_, groups] = both.ask(&Method::GET, path, "", "").await;
        let text = groups.text();
        text.matches("\"fingerprint\"").count() >= 11
    })
    .await;
    let mut wrong = Vec::new();
    for path in READ {
        let path = match path.split_once('?') {
            None => path.to_owned(),
            Some((path, query)) => {
                let pairs = query.split('&').map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap();
                    format!("{name}={}", encoded(value))
                });
                format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
            }
        };
        let [ours, theirs] = both.ask(&Method::GET, &path, "", "").await;
        assert_eq!((ours.status, theirs.status), (200, 200), "{path}");
        assert_eq!(ours.header("content-type"), theirs.header("content-type"));
        let [ours, theirs] = [ours, theirs].map(|answer| Plain::default().of(answer.json()));
        if ours != theirs {
            wrong.push(format!("{path}\n  ours   {ours}\n  theirs {theirs}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let [ours, theirs] = both.ask(&Method::GET, "status", "", "").await;
    let keys = |answer: Answer| {
        let mut keys = Vec::new();
        gather(&answer.json(), "", &mut keys);
        keys
    };
    assert_eq!(keys(ours), keys(theirs));
    both.stop().await;
}

/// The paths of all values.
fn gather(value: &Value, path: &str, paths: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                gather(value, &format!("{path}.{name}"), paths);
            }
        }
        _ => paths.push(path.to_owned()),
    }
}

/// Alertmanager keeps the offset in which a moment was posted; here all are in UTC.
const OFFSETS: [(&str, &str); 2] = [
    ("2040-01-01T00:00:00.500+01:00", "2039-12-31T23:00:00.500Z"),
    ("2039-01-01T00:00:00.000+02:00", "2038-12-31T22:00:00.000Z"),
];

/// Makes answers comparable: ids by their order, times that depend on when it was asked by a word.
#[derive(Default)]
struct Plain {
    ids: Vec<String>,
}

impl Plain {
    fn of(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.into_iter().map(|item| self.of(item)).collect(),
            Value::Object(mut fields) => {
                // Alertmanager has it since 0.28, for groups.
                if let Some(muted) = fields.remove("mutedBy")
                    && muted != json!([])
                    && fields["silencedBy"] == json!([])
                    && fields["inhibitedBy"] == json!([])
                {
                    // Without it 0.25 cannot say that nobody is told.
                    fields["state"] = "active".into();
                }
                let plain: Map<String, Value> = fields
                    .into_iter()
                    .map(|(name, value)| (name, self.of(value)))
                    .collect();
                plain.into()
            }
            other => other,
        }
    }

    fn text(&mut self, text: String) -> String {
        if uuid::Uuid::try_parse(&text).is_ok() && text.len() == 36 {
            let known = self.ids.iter().position(|id| *id == text);
            let place = known.unwrap_or(self.ids.len());
            if known.is_none() {
                self.ids.push(text);
            }
            return format!("id {place}");
        }
        if let Some((_, utc)) = OFFSETS.iter().find(|(offset, _)| *offset == text) {
            return (*utc).to_owned();
        }
        let is_time = text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
        // What was posted stands as it was.
        let fixed = ["2020-", "2030-", "2031-", "2038-", "2039-", "2040-"];
        if is_time && !fixed.iter().any(|year| text.starts_with(year)) {
            assert_eq!(text.len(), "2026-01-31T08:00:00.000Z".len(), "{text}");
            return "a time".to_owned();
        }
        text
    }
}

/// How far an answer to something wrong may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Differs {
    Nowhere,
    /// The words after this.
    Words(&'static str),
    /// Altogether: the status that it is with us.
    Status(u16),
}

use Differs::{Nowhere, Status, Words};

const BECAUSE: &str = "failed, because ";

/// What is wrong, and whether it is told otherwise.
const WRONG: [(&str, &str, &str, Differs); 50] = [
    ("POST", "alerts", "", Nowhere),
    // The words of the JSON reader, with line and column, and all places at once.
    ("POST", "alerts", "{}", Words(BECAUSE)),
    ("POST", "alerts", "[", Words(BECAUSE)),
    ("POST", "alerts", "[{\"labels\":{\"a\":5}}]", Words(BECAUSE)),
    (
        "POST",
        "alerts",
        "[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"x\"}]",
        Words(BECAUSE),
    ),
    (
        "POST",
        "alerts",
        "[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"2026-02-30T00:00:00Z\"}]",
        Words(BECAUSE),
    ),
    (
        "POST",
        "alerts",
        "[{\"labels\":{\"a\":\"b\"},\"startsAt\":5}]",
        Words(BECAUSE),
    ),
    (
        "POST",
        "alerts",
        "[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"2026-10-10\"}]",
        Words(BECAUSE),
    ),
    ("POST", "alerts", "[{\"labels\":7}]", Words(BECAUSE)),
    ("POST", "alerts", "[{}]", Nowhere),
    ("POST", "alerts", "[{\"labels\":null}]", Nowhere),
    ("POST", "alerts", "[{\"labels\":{}}]", Nowhere),
    ("POST", "alerts", "[{\"labels\":{\"a\":\"\"}}]", Nowhere),
    ("POST", "alerts", "[{\"labels\":{\"\":\"b\"}}]", Nowhere),
    (
        "POST",
        "alerts",
        "[{\"labels\":{\"alertname\":\"Right\"}},{\"labels\":{\"\":\"b\"}},{\"labels\":{}}]",
        Nowhere,
    ),
    (
        "POST",
        "alerts",
        "[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"2030-01-01T00:00:00Z\",\"endsAt\":\"2029-01-01T00:00:00Z\"}]",
        Nowhere,
    ),
    (
        "POST",
        "alerts",
        "[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"2039-01-01T00:00:00Z\"}]",
        Nowhere,
    ),
    (
        "POST",
        "alerts",
        "[{\"labels\":{\"a\":\"b\"},\"generatorURL\":\"::\"}]",
        Nowhere,
    ),
    (
        "POST",
        "alerts",
        "[{\"labels\":{\"a\":\"b\"},\"generatorURL\":\"foo bar\"}]",
        Nowhere,
    ),
    ("POST", "alerts", "null", Nowhere),
    ("POST", "alerts", "[]", Nowhere),
    // Alertmanager 0.27 and later take any name.
    (
        "POST",
        "alerts",
        "[{\"labels\":{\"a-b\":\"x\"}}]",
        Status(200),
    ),
    (
        "POST",
        "alerts",
        "[{\"labels\":{\"a\":\"b\"},\"annotations\":{\"a-b\":\"x\"}}]",
        Status(200),
    ),
    // Alertmanager reads no further than the first value.
    ("POST", "alerts", "[] []", Status(400)),
    ("PUT", "alerts", "[]", Nowhere),
    ("DELETE", "silences", "", Nowhere),
    ("POST", "status", "{}", Nowhere),
    (
        "PUT",
        "silence/11111111-1111-1111-1111-111111111111",
        "",
        Nowhere,
    ),
    ("GET", "nothing", "", Nowhere),
    ("GET", "silence/x", "", Nowhere),
    (
        "GET",
        "silence/11111111-1111-1111-1111-111111111111",
        "",
        Nowhere,
    ),
    ("DELETE", "silence/x", "", Nowhere),
    // Alertmanager 0.26 and later say 404, where 0.25 says 500.
    (
        "DELETE",
        "silence/11111111-1111-1111-1111-111111111111",
        "",
        Status(404),
    ),
    ("GET", "alerts?filter=x", "", Nowhere),
    ("GET", "alerts?filter=", "", Nowhere),
    // The words of another library of patterns.
    ("GET", "alerts?filter=a=~%28", "", Words("")),
    (
        "GET",
        "alerts?receiver=%28",
        "",
        Words("failed to parse receiver param: "),
    ),
    ("GET", "alerts/groups?filter=a", "", Nowhere),
    ("GET", "silences?filter=a", "", Nowhere),
    ("GET", "alerts?filter=a-b=c", "", Status(200)),
    ("POST", "silences", "", Nowhere),
    // All that is missing, where Alertmanager tells one.
    ("POST", "silences", "{}", Words("")),
    ("POST", "silences", "[]", Words("")),
    ("POST", "silences", "{\"matchers\"", Words(BECAUSE)),
    ("POST", "silences", SILENCE_OF_NOTHING, Nowhere),
    ("POST", "silences", SILENCE_OF_ALL, Nowhere),
    ("POST", "silences", SILENCE_BACKWARDS, Nowhere),
    ("POST", "silences", SILENCE_OVER, Nowhere),
    ("POST", "silences", SILENCE_UNKNOWN, Nowhere),
    (
        "POST",
        "silences",
        SILENCE_PATTERN,
        Words("silence invalid: invalid label matcher 0: "),
    ),
];

const SILENCE_OF_NOTHING: &str = r#"{"matchers":[],"startsAt":"2026-01-01T00:00:00Z",
    "endsAt":"2040-01-01T00:00:00Z","createdBy":"a","comment":"b"}"#;
const SILENCE_OF_ALL: &str = r#"{"matchers":[{"name":"a","value":"","isRegex":false}],
    "startsAt":"2026-01-01T00:00:00Z","endsAt":"2040-01-01T00:00:00Z","createdBy":"a","comment":"b"}"#;
const SILENCE_BACKWARDS: &str = r#"{"matchers":[{"name":"a","value":"b","isRegex":false}],
    "startsAt":"2040-01-01T00:00:00Z","endsAt":"2039-01-01T00:00:00Z","createdBy":"a","comment":"b"}"#;
const SILENCE_OVER: &str = r#"{"matchers":[{"name":"a","value":"b","isRegex":false}],
    "startsAt":"2020-01-01T00:00:00Z","endsAt":"2020-01-02T00:00:00Z","createdBy":"a","comment":"b"}"#;
const SILENCE_UNKNOWN: &str = r#"{"id":"11111111-1111-1111-1111-111111111111",
    "matchers":[{"name":"a","value":"b","isRegex":false}],
    "startsAt":"2026-01-01T00:00:00Z","endsAt":"2040-01-01T00:00:00Z","createdBy":"a","comment":"b"}"#;
const SILENCE_PATTERN: &str = r#"{"matchers":[{"name":"a","value":"(","isRegex":true}],
    "startsAt":"2026-01-01T00:00:00Z","endsAt":"2040-01-01T00:00:00Z","createdBy":"a","comment":"b"}"#;

#[tokio::test]
async fn what_is_wrong_is_refused_alike() {
    let both = Both::start().await;
    let mut wrong = Vec::new();
    for (method, path, body, differs) in WRONG {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let [ours, theirs] = both.ask(&method, path, JSON, body).await;
        let status = match differs {
            Status(status) => status,
            Nowhere | Words(_) => theirs.status,
        };
        // With us an empty answer has no type, so only what is said is compared.
        // The order of methods is chance with Alertmanager.
        let text = |answer: &Answer| match serde_json::from_slice::<Value>(&answer.body) {
            Ok(Value::String(text)) => text,
            Ok(told) => {
                let message = told["message"].as_str().unwrap_or_default();
                message
                    .replace("[POST,GET]", "[GET,POST]")
                    .replace("[GET,DELETE]", "[DELETE,GET]")
            }
            Err(_empty) => answer.text(),
        };
        let part = |text: String| match differs {
            Nowhere => text,
            Words("") | Status(_) => String::new(),
            Words(after) => text
                .split_inclusive(after)
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        let is_same = ours.status == status
            && part(text(&ours)) == part(text(&theirs))
            && (differs != Nowhere || allowed(&ours) == allowed(&theirs));
        if !is_same {
            let (ours, theirs) = (
                format!("{} {}", ours.status, ours.text()),
                format!("{} {}", theirs.status, theirs.text()),
            );
            wrong.push(format!(
                "{method} {path} {body}\n  ours   {ours}\n  theirs {theirs}"
            ));
        }
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let [ours, theirs] = both.ask(&Method::POST, "alerts", kind, "[]").await;
        assert_eq!(
            (ours.status, ours.text().trim()),
            (theirs.status, theirs.text().trim())
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    both.stop().await;
}

/// The methods that an answer allows, whose order is chance with Alertmanager.
fn allowed(answer: &Answer) -> Vec<&str> {
    let mut methods: Vec<&str> = answer.header("allow").split(',').collect();
    methods.sort_unstable();
    methods
}

#[tokio::test]
async fn a_silence_is_edited_alike() {
    let both = Both::start().await;
    let [first, ..] = silences();
    let ids = |answers: &[Answer; 2]| {
        let id = |answer: &Answer| answer.json()["silenceID"].as_str().unwrap().to_owned();
        [id(&answers[0]), id(&answers[1])]
    };
    let before = ids(&both.post("silences", &first).await);
    // Each edit with whether it keeps the id, as Alertmanager sees it.
    let edits = [
        ("comment", json!("another")),
        ("endsAt", json!("2039-01-01T00:00:00Z")),
        ("createdBy", json!("bob")),
        (
            "matchers",
            json!([{"name": "host", "value": "q", "isRegex": false}]),
        ),
    ];
    let mut last = before;
    for (key, value) in edits {
        let mut kept = Vec::new();
        let mut now = Vec::new();
        for (address, id) in [both.server.listen(), both.theirs.address]
            .into_iter()
            .zip(&last)
        {
            let path = format!("/api/v2/silence/{id}");
            let mut silence = send(address, Method::GET, &path, &[], Default::default())
                .await
                .json();
            silence[key] = value.clone();
            let body = silence.to_string().into();
            let headers = [("content-type", JSON)];
            let answer = send(address, Method::POST, "/api/v2/silences", &headers, body).await;
            let after = answer.json()["silenceID"].as_str().unwrap().to_owned();
            kept.push(after == *id);
            now.push(after);
        }
        assert_eq!(kept[0], kept[1], "{key}");
        last = [now[0].clone(), now[1].clone()];
    }
    let [ours, theirs] = both.ask(&Method::GET, "silences", "", "").await;
    let plain = |answer: Answer| {
        let mut states = Vec::new();
        for silence in answer.json().as_array().unwrap() {
            states.push((
                silence["status"].clone(),
                silence["comment"].clone(),
                silence["matchers"].clone(),
            ));
        }
        states
    };
    assert_eq!(plain(ours), plain(theirs));
    both.stop().await;
}
