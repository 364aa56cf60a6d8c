use super::*;
use crate::alert::Alert;
use crate::notification::Reason;
use store::labels::Labels;

const START: i64 = 1_709_528_706_078;
const NOW: i64 = START + 250_000;

pub(crate) fn alert(pairs: &[(&str, &str)], annotations: &[(&str, &str)]) -> Alert {
    Alert {
        labels: Labels::from_pairs(pairs.iter().copied()),
        annotations: annotations
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        starts_at_ms: START,
        ends_at_ms: None,
        updated_at_ms: START,
        generator_url: "https://mon.example.com/graph?a=1&b=2".into(),
    }
}

pub(crate) fn notification() -> Notification {
    let down = alert(
        &[
            ("alertname", "PostgresDown"),
            ("instance", "db-1:5432"),
            ("job", "postgres"),
            ("severity", "high"),
        ],
        &[
            ("summary", "PostgreSQL db-1:5432 cannot be reached"),
            ("description", "On the host:\n  <systemctl> status & df -h."),
            ("runbook_url", "https://wiki.example.com/down"),
        ],
    );
    let mut lag = alert(
        &[
            ("alertname", "ReplicaLags"),
            ("instance", "db-2:5432"),
            ("job", "postgres"),
            ("severity", "high"),
        ],
        &[("value", "93 s"), ("threshold", "30 s")],
    );
    lag.ends_at_ms = Some(START + 200_000);
    Notification {
        receiver: "team-db".into(),
        group_key: "{}:{job=\"postgres\"}".into(),
        group_labels: Labels::from_pairs([("job", "postgres")]),
        alerts: vec![down, lag],
        truncated: 0,
        at_ms: NOW,
        external_url: "https://nightshift.example.com".into(),
        reason: Reason::First,
    }
}

fn templates(files: &[(&str, &str)]) -> Templates {
    Templates::new(files.iter().copied()).unwrap()
}

fn check(text: &str, expected: &str) {
    let page = Page::new(&notification(), NOW);
    let written = templates(&[]).text("t", text, &page);
    assert_eq!(written.as_deref(), Ok(expected), "{text}");
}

#[test]
fn data_is_alertmanagers() {
    check(
        "{{ .Receiver }} {{ .Status }} {{ .ExternalURL }}",
        "team-db firing https://nightshift.example.com",
    );
    check(
        "{{ len .Alerts }} {{ .Alerts.Firing | len }} {{ len .Alerts.Resolved }}",
        "2 1 1",
    );
    check(
        "{{ range .Alerts }}{{ .Status }}:{{ .Labels.alertname }} {{ end }}",
        "firing:PostgresDown resolved:ReplicaLags ",
    );
    check(
        "{{ (index .Alerts 1).Annotations.value }} {{ (index .Alerts.Firing 0).Fingerprint | len }}",
        "93 s 16",
    );
    check(
        "{{ .GroupLabels }} {{ .CommonLabels }} {{ .CommonAnnotations }}",
        "job=postgres job=postgres, severity=high ",
    );
    check(
        "{{ .CommonLabels.nothing }}{{ .GroupKey }} {{ .TruncatedAlerts }} {{ .Reason }}",
        "{}:{job=\"postgres\"} 0 first",
    );
    let first = "{{ with index .Alerts 0 }}";
    check(
        &format!(
            "{first}{{{{ range .Labels.SortedPairs }}}}{{{{ .Name }}}}={{{{ .Value }}}} {{{{ end }}}}{{{{ end }}}}"
        ),
        "alertname=PostgresDown instance=db-1:5432 job=postgres severity=high ",
    );
    check(
        &format!(
            "{first}{{{{ .Labels.Names | join \",\" }}}} {{{{ .Labels.Values | join \" \" }}}}{{{{ end }}}}"
        ),
        "alertname,instance,job,severity PostgresDown db-1:5432 postgres high",
    );
    check(
        "{{ with index .Alerts 0 }}{{ (.Labels.Remove $.GroupLabels.Names).Names }}{{ end }}",
        "[alertname instance severity]",
    );
    check("{{ gt (len .CommonLabels) (len .GroupLabels) }}", "true");
    check(
        "{{ with .CommonLabels.Remove .GroupLabels.Names }}{{ range $i, $l := .SortedPairs }}{{ if $i }}, {{ end }}{{ $l.Name }}={{ $l.Value }}{{ end }}{{ end }}",
        "severity=high",
    );
    check(
        "{{ .CommonLabels.SortedPairs.Values | join \"/\" }}",
        "postgres/high",
    );
}

#[test]
fn times_are_written_as_go_writes_them() {
    check(
        "{{ (index .Alerts 0).StartsAt }}",
        "2024-03-04 05:05:06.078 +0000 UTC",
    );
    check(
        "{{ (index .Alerts 0).StartsAt.Format \"2006-01-02 15:04:05\" }}",
        "2024-03-04 05:05:06",
    );
    check(
        "{{ (index .Alerts 0).StartsAt | tz \"Europe/Paris\" | date \"15:04 MST\" }}",
        "06:05 CET",
    );
    check(
        "{{ ((index .Alerts 0).StartsAt | tz \"Europe/Paris\").UTC.Hour }}",
        "5",
    );
    check(
        "{{ since (index .Alerts 0).StartsAt }} {{ since (index .Alerts 0).StartsAt | humanizeDuration }}",
        "4m10s 4m 10s",
    );
    check(
        "{{ (index .Alerts 1).EndsAt.Sub (index .Alerts 1).StartsAt }}",
        "3m20s",
    );
    check(
        "{{ (index .Alerts 0).EndsAt.IsZero }} {{ (index .Alerts 0).EndsAt }}",
        "true 0001-01-01 00:00:00 +0000 UTC",
    );
    check(
        "{{ (index .Alerts 0).StartsAt.Unix }} {{ (index .Alerts 0).StartsAt.Weekday }}",
        "1709528706 Monday",
    );
    check(
        "{{ (index .Alerts 0).StartsAt.Before now }} {{ now.Year }}",
        "true 2024",
    );
    check("{{ (now.Add -250000000000).Minute }}", "5");
}

#[test]
fn functions_are_alertmanagers() {
    check(
        "{{ toUpper \"é\" }}{{ \"ÀB\" | toLower }} {{ \"fOO bar_x\" | title }} [{{ trimSpace \" a\\n\" }}]",
        "Éàb Foo Bar_x [a]",
    );
    check(
        "{{ stringSlice \"a\" \"b\" | join \"-\" }} {{ match \"^a.\" \"ab\" }} {{ reReplaceAll \"(.)b\" \"$1$1\" \"xab\" }}",
        "a-b true xaa",
    );
    check(
        "{{ safeHtml \"<b>\" }}{{ urlUnescape \"a%20b+c\" }}",
        "<b>a b c",
    );
    check(
        "{{ dict \"a\" 1 \"b\" (list 1 \"x\") | toJson }} {{ append (list 1) 2 }}",
        r#"{"a":1,"b":[1,"x"]} [1 2]"#,
    );
    check(
        "{{ .GroupLabels | toJson }} {{ .Alerts.Resolved | toJson }}",
        concat!(
            r#"{"job":"postgres"} [{"annotations":{"threshold":"30 s","value":"93 s"},"endsAt":"2024-03-04T05:08:26.078Z","#,
            r#""fingerprint":"fc306de2d138df3a","generatorURL":"https://mon.example.com/graph?a=1&b=2","#,
            r#""labels":{"alertname":"ReplicaLags","instance":"db-2:5432","job":"postgres","severity":"high"},"#,
            r#""startsAt":"2024-03-04T05:05:06.078Z","status":"resolved"}]"#
        ),
    );
    let page = Page::new(&notification(), NOW);
    let fails = |text: &str, expected: &str| {
        let wrong = templates(&[])
            .text("t", text, &page)
            .unwrap_err()
            .to_string();
        assert!(wrong.contains(expected), "{wrong}");
    };
    fails("{{ tz \"Mars/Base\" now }}", "unknown time zone Mars/Base");
    fails("{{ date \"15\" 1 }}", "expected time.Time; got int");
    fails("{{ join \",\" (list 1) }}", "expected string; got int");
    fails("{{ dict \"a\" }}", "dict needs a value");
    fails("{{ urlUnescape \"%z1\" }}", "invalid URL escape");
    fails("{{ nothing }}", "\"nothing\"");
    fails(
        "{{ .CommonLabels.Remove \"a\" }}",
        "expected []string; got string",
    );
}

#[test]
fn users_files_override_ours() {
    let page = Page::new(&notification(), NOW);
    let set = templates(&[
        (
            "a.tmpl",
            "{{ define \"__subject\" }}mine {{ template \"__state\" . }}{{ end }}",
        ),
        (
            "b.tmpl",
            "{{ define \"own\" }}<i>{{ .Receiver }}</i>{{ end }}",
        ),
    ]);
    let subject = set.text("t", "{{ template \"slack.default.title\" . }}", &page);
    assert_eq!(subject.as_deref(), Ok("mine FIRING"));
    assert_eq!(
        set.html("t", "{{ template \"own\" . }}", &page).as_deref(),
        Ok("<i>team-db</i>")
    );
    let wrong = Templates::new([("a", "{{ end }}"), ("b", "fine"), ("c", "{{ x }}")]).unwrap_err();
    assert_eq!(wrong.len(), 2);
}

#[test]
fn our_own_templates_say_what_where_since_when_and_what_to_do() {
    let set = templates(&[]);
    let one = Notification {
        alerts: notification().alerts[..1].to_vec(),
        ..notification()
    };
    let page = Page::new(&one, NOW);
    let text = |name: &str| {
        set.text("t", &format!("{{{{ template {name:?} . }}}}"), &page)
            .unwrap()
    };
    assert_eq!(
        text("__subject"),
        "[FIRING] PostgreSQL db-1:5432 cannot be reached"
    );
    assert_eq!(text("slack.default.color"), "danger");
    assert_eq!(
        text("slack.default.text").trim(),
        "*PostgreSQL db-1:5432 cannot be reached*\n\
         PostgresDown, high, `db-1:5432`, since 05:05 UTC, 4 Mar (4m 10s)\n\
         >On the host: &lt;systemctl&gt; status &amp; df -h.\n\
         <https://mon.example.com/graph?a=1&b=2|Graph> <https://wiki.example.com/down|Runbook>"
    );
    assert_eq!(
        text("__text").trim(),
        "● PostgreSQL db-1:5432 cannot be reached\n\
         \x20 PostgresDown, high, db-1:5432, since 05:05 UTC, 4 Mar (4m 10s)\n\
         \x20 job=postgres\n\
         \x20 Do: On the host: <systemctl> status & df -h.\n\
         \x20 Runbook: https://wiki.example.com/down\n\
         \x20 Graph: https://mon.example.com/graph?a=1&b=2\n\n\
         All alerts: https://nightshift.example.com"
    );
    let html = |name: &str| {
        set.html("t", &format!("{{{{ template {name:?} . }}}}"), &page)
            .unwrap()
    };
    assert_eq!(
        html("telegram.default.message"),
        "<b>[FIRING] PostgreSQL db-1:5432 cannot be reached</b>\n\n\
         🔴 <b>PostgreSQL db-1:5432 cannot be reached</b>\n\
         PostgresDown, high, <code>db-1:5432</code>, since 05:05 UTC, 4 Mar (4m 10s)\n\
         On the host: &lt;systemctl&gt; status &amp; df -h.\n\
         <a href=\"https://mon.example.com/graph?a=1&amp;b=2\">Graph</a> <a href=\"https://wiki.example.com/down\">Runbook</a> \n\n\
         <a href=\"https://nightshift.example.com\">All alerts</a>"
    );
    let mail = html("email.default.html");
    assert!(
        mail.contains("&lt;systemctl&gt; status &amp; df -h."),
        "{mail}"
    );
    assert!(
        mail.contains("<a href=\"https://wiki.example.com/down\""),
        "{mail}"
    );
    assert!(mail.starts_with("<!DOCTYPE html>"), "{mail}");
}

#[test]
fn our_own_templates_stay_short_however_many_alerts_there_are() {
    let set = templates(&[]);
    let mut many = notification();
    let one = many.alerts[0].clone();
    many.alerts = (0..1000)
        .map(|number| {
            let host = format!("db-{number}");
            let labels = Labels::from_pairs([("alertname", "Down"), ("instance", &host)]);
            Alert {
                labels,
                ..one.clone()
            }
        })
        .collect();
    many.truncated = 7;
    many.reason = Reason::Digest;
    let page = Page::new(&many, NOW);
    let names = [
        "__text",
        "slack.default.text",
        "telegram.default.message",
        "msteamsv2.default.text",
        "opsgenie.default.description",
        "email.default.html",
        "email.default.text",
    ];
    for name in names {
        let text = format!("{{{{ template {name:?} . }}}}");
        for written in [set.text("t", &text, &page), set.html("t", &text, &page)] {
            let written = written.unwrap();
            assert!(written.len() < 40_000, "{name}: {}", written.len());
            assert!(written.contains("of 1000"), "{name}: {written}");
            assert!(written.contains("7 more alerts"), "{name}: {written}");
        }
    }
    let subject = set
        .text("t", "{{ template \"__subject\" . }}", &page)
        .unwrap();
    assert_eq!(
        subject,
        "[FIRING:1000] [DIGEST] PostgreSQL db-1:5432 cannot be reached"
    );
}

#[test]
fn every_template_of_ours_is_written_for_alerts_without_anything() {
    let set = templates(&[]);
    let bare = Notification {
        alerts: vec![alert(&[], &[])],
        group_labels: Labels::from_pairs([]),
        external_url: String::new(),
        ..notification()
    };
    let none = Notification {
        alerts: Vec::new(),
        ..notification()
    };
    let names = OWN
        .iter()
        .flat_map(|(_, text)| text.split("define \"").skip(1));
    let names = names.map(|rest| rest.split('"').next().unwrap());
    for name in
        names.filter(|name| !name.starts_with("__") && *name != "pagerduty.default.instances")
    {
        for page in [&bare, &none] {
            let text = format!("{{{{ template {name:?} . }}}}");
            let page = Page::new(page, NOW);
            set.text("t", &text, &page).unwrap();
            set.html("t", &text, &page).unwrap();
        }
    }
}
