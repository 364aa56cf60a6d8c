use proptest::prelude::*;

use super::*;

fn read(text: &str) -> (Config, Vec<String>) {
    let (config, notes) = Config::parse(text.as_bytes()).unwrap();
    (config, notes.iter().map(|note| note.in_file("f")).collect())
}

const SMALL: &str = "route: {receiver: r}\nreceivers: [{name: r}]\n";

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let text = "\
global:
  smtp_smarthost: mail
  slack_api_url: hunter2
route:
  receiver: nobody
  group_wait: 1 s
  routes:
    - matchers: ['a=~(']
      continue: maybe
      mute_time_intervals: [nights]
receivers:
  - name: r
    discord_configs: [{webhook_url: 'https://x'}]
    irc_configs: []
inhibit_rules:
  - equals: []
time_intervals:
  - name: t
    time_intervals:
      - weekdays: [mon]
";
    let problems = Config::parse(text.as_bytes()).unwrap_err();
    let told: Vec<_> = problems
        .iter()
        .map(|it| {
            let place = it.place.unwrap();
            format!("{}:{} {}", place.line, place.column, it.message)
        })
        .collect();
    let expected = [
        "2:19 smtp_smarthost: expected host:port, got \"mail\"",
        "3:18 slack_api_url: not an address: it has no scheme, such as https",
        "13:5 discord_configs: this kind of receiver is not supported",
        "14:5 unknown key \"irc_configs\"",
        "20:20 weekdays: \"mon\" is none",
        "16:5 unknown key \"equals\"",
        "5:13 undefined receiver \"nobody\"",
        "6:15 group_wait: not a duration: \"1 s\"",
        "8:18 not a regular expression: \"(\"",
        "10:29 undefined time interval \"nights\"",
        "9:17 continue: expected true or false, got \"maybe\"",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_is_worth_knowing_is_told() {
    let text = format!(
        "{SMALL}  - name: x\ntracing: {{}}\ninhibit_rules: [{{target_matchers: ['a=']}}]\n"
    )
    .replace("[{name: r}]\n", "\n  - name: r\n");
    let (_, notes) = read(&text);
    assert_eq!(
        notes,
        [
            "f:5:1: tracing is not read here\n  hint: nightshift.toml says where traces go",
            "f:6:36: \"a=\" is a matcher only in the classic way of writing\n  hint: write a=\"\"",
            "f:6:17: no source matchers: every alert is a source",
            "f:4:5: no route leads to the receiver \"x\"",
        ]
    );
}

#[test]
fn defaults_are_those_of_alertmanager() {
    let (config, notes) = read(SMALL);
    assert_eq!(notes, Vec::<String>::new());
    let global = &config.global;
    assert_eq!(global.resolve_timeout.as_secs(), 300);
    assert_eq!(global.smtp.hello, "localhost");
    assert!(global.smtp.require_tls && global.http.follow_redirects && global.http.enable_http2);
    assert_eq!(config.route.receiver, "r");
    assert_eq!(config.route.group_wait.as_secs(), 30);
    let resolved: Vec<_> = Kind::ALL
        .into_iter()
        .filter(|kind| !kind.sends_resolved())
        .collect();
    assert_eq!(resolved, [Kind::Email, Kind::Slack]);
}

#[test]
fn integrations_are_found_by_their_names() {
    let hooks = "webhook_configs: [{url: 'http://a/', send_resolved: false}, {url: 'http://b/'}]";
    let text = format!("route: {{receiver: a/b}}\nreceivers: [{{name: a/b, {hooks}}}]\n");
    let (config, _) = read(&text);
    let check = |id: &str, expected: Option<bool>| {
        let found = config.integration(&id.parse().unwrap());
        assert_eq!(found.map(|it| it.send_resolved), expected, "{id}");
    };
    check("a/b/webhook[0]", Some(false));
    check("a/b/webhook[1]", Some(true));
    check("a/b/webhook[2]", None);
    check("a/webhook[0]", None);
}

#[test]
fn no_secret_is_shown_or_told() {
    let text = "\
global:
  smtp_auth_password: hunter2
  slack_api_url: https://hunter2.example/hunter2
  opsgenie_api_key: hunter2
  telegram_bot_token: hunter2
  http_config:
    proxy_url: http://user:hunter2@proxy:1
    proxy_connect_header: {X: [hunter2]}
    oauth2: {client_id: me, client_secret: hunter2, token_url: 'https://x', tls_config: {cert: c, key: hunter2}}
route: {receiver: r}
receivers:
  - name: r
    webhook_configs:
      - url: https://host/hunter2
        http_config: {basic_auth: {username: u, password: hunter2}, http_headers: {X: {secrets: [hunter2]}}}
    slack_configs:
      - api_url: https://host/hunter2
        http_config: {authorization: {credentials: hunter2}}
    pagerduty_configs: [{routing_key: hunter2}, {service_key: hunter2}]
    telegram_configs: [{bot_token: hunter2, chat_id: -1}]
    msteamsv2_configs: [{webhook_url: 'https://hunter2'}]
    opsgenie_configs: [{api_key: hunter2}]
    email_configs: [{to: a@b, from: c@d, smarthost: 'h:1', auth_password: hunter2, auth_secret: hunter2}]
";
    let (config, _) = read(text);
    assert!(!config.shown.contains("hunter2"), "{}", config.shown);
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    for kept in [
        "username: u",
        "url: \"https://host/<secret>\"",
        "chat_id: -1",
        "http://user:xxxxx@proxy:1",
    ] {
        assert!(config.shown.contains(kept), "{kept}: {}", config.shown);
    }
    // Nor where something is wrong.
    let wrong = text.replace("https://", "ftp://");
    let problems = Config::parse(wrong.as_bytes()).unwrap_err();
    assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
}

#[test]
fn hostile_files_are_refused() {
    let check = |bytes: &[u8], expected: &str| {
        let problems = Config::parse(bytes).unwrap_err();
        let told = format!("{problems:?}");
        assert!(told.contains(expected), "{told}");
    };
    check(b"\xff", "not UTF-8 at byte 0");
    check(&vec![b'#'; MAX_BYTES + 1], "more than");
    check("[".repeat(100_000).as_bytes(), "brackets");
    let deep = "routes: [{".repeat(200);
    check(format!("route: {{{deep}").as_bytes(), "");
    check(b"route: &a [*a]", "");
}

#[test]
fn addresses_are_read_as_go_reads_them() {
    let check = |text: &str, expected: Option<&str>| {
        let read = Url::parse(text).ok().map(|url| url.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    };
    check("http://x", Some("http://x/"));
    check("HTTPS://X/a b", Some("https://x/a%20b"));
    check("http://[::1]:9/", Some("http://[::1]:9/"));
    for wrong in [
        "",
        "x",
        "http:",
        "http:x",
        "http://",
        "http:///x",
        "ftp://x",
        "http:\\\\x",
        "http://x\n",
    ] {
        check(wrong, None);
    }
    let ports = |text: &str| HostPort::parse(text).map(|it| it.to_string());
    assert_eq!(ports("a:25").as_deref(), Some("a:25"));
    assert_eq!(ports("[::1]:smtp").as_deref(), Some("[::1]:smtp"));
    assert_eq!(ports(":25").as_deref(), Some(":25"));
    for wrong in ["a", "a:", "::1:25", "[::1]", "[a:25", "a]:25", "a:b:c"] {
        assert_eq!(ports(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn whatever_stands_there_nothing_panics(text in "(route|receivers|name|match|[:\\-{}\\[\\], \n'\"&*a-c0-9]){0,60}") {
        let _either = Config::parse(text.as_bytes());
    }

    /// What is shown says the same again.
    #[test]
    fn what_is_shown_reads_back(values in proptest::collection::vec("\\PC{0,12}|[ #:'\"\n-]{0,5}|[\u{7f}-\u{a0}\u{2028}\u{2029}\u{feff}]|null|true|~|-?[0-9]{1,3}", 1..5)) {
        let entries = values.iter().enumerate();
        let entries = entries.map(|(place, value)| (format!("k{place} {value}"), yaml::Node::Scalar(value.clone())));
        let node = yaml::Node::Map(entries.collect());
        let shown = shown::show(&node);
        let again = yaml::document(&shown).map(|document| document.root);
        prop_assert_eq!(again, Ok(node), "{}", shown);
    }
}
