use std::fmt::Write as _;

use serde_json::json;

use super::*;
use crate::scope::{Directory, Key};

/// Servers `pgN:5432` on hosts `pgN`; those below 5 are of cluster 77, the others of 88.
struct Fleet;

impl Directory for Fleet {
    fn clusters_of(&self, instance: &str) -> Vec<String> {
        let number = instance
            .strip_prefix("pg")
            .and_then(|rest| rest.strip_suffix(":5432"));
        let number: Option<u32> = number.and_then(|number| number.parse().ok());
        let cluster = number.map(|number| if number < 5 { "77" } else { "88" });
        cluster.into_iter().map(str::to_owned).collect()
    }

    fn clusters_on(&self, host: &str) -> Vec<String> {
        self.clusters_of(&format!("{host}:5432"))
    }

    fn behind(&self, instance: &str, _database: Option<&str>) -> Vec<String> {
        match instance {
            "pool:6432" => vec!["pg1".to_owned(), "pg5".to_owned()],
            _ => Vec::new(),
        }
    }
}

const RULES: Rules = Rules {
    window: Duration::from_secs(600),
    resolve_after: Duration::from_secs(300),
};

const ON_CALL: &str = r#"
people:
  - {name: ann, receivers: [ann-phone]}
  - {name: bob, receivers: [bob-phone]}
schedules:
  - name: dba
    layers: [{start: 1970-01-01, people: [ann]}]
  - name: nobody
    layers: [{start: 2100-01-01, people: [ann]}]
policies:
  - name: high
    severities: [high]
    steps:
      - {after: 1m, notify: [{schedule: dba}]}
      - {after: 5m, notify: [{person: bob}, {receiver: mail}]}
    repeat: {after: 10m, times: 1}
  - name: low
    severities: [low]
    steps:
      - {after: 1m, notify: [{schedule: nobody}]}
      - {after: 60m, notify: [{receiver: mail}]}
"#;

/// A book that is written out and read back after every line of a script, as if it crashed each time.
struct Site {
    incidents: Vec<Incident>,
    last: i64,
    on_call: OnCall,
    told: String,
}

impl Site {
    /// `MINUTES fires ALERT INSTANCE SEVERITY`, `MINUTES over ALERT INSTANCE`, `MINUTES passes`, `MINUTES clock MINUTES`,
    /// `MINUTES ann acks|resolves|reopens|notes 1`.
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let minutes: f64 = words[0].parse().unwrap();
        let at_ms = (minutes * 60_000.0) as i64;
        let mut book = Book::new(RULES, std::mem::take(&mut self.incidents), self.last);
        match words[1..] {
            ["fires", name, instance, severity] => {
                let labels = [
                    ("alertname", name),
                    ("instance", instance),
                    ("severity", severity),
                ];
                observe(&mut book, Became::Fired, &labels, at_ms);
            }
            ["over", name, instance, severity] => {
                let labels = [
                    ("alertname", name),
                    ("instance", instance),
                    ("severity", severity),
                ];
                observe(&mut book, Became::Resolved, &labels, at_ms);
            }
            ["clock", by] => book.clock_set(by.parse::<i64>().unwrap() * 60_000),
            ["passes"] => {
                let is_muted = |labels: &Labels| labels.get("alertname") == Some("Muted");
                book.pass(at_ms, &self.on_call, &is_muted);
            }
            [who, deed, id] => {
                let deed = match deed {
                    "acks" => Deed::Acknowledge,
                    "resolves" => Deed::Resolve,
                    "reopens" => Deed::Reopen,
                    "owns" => Deed::Own(Some("cem".to_owned())),
                    _ => Deed::Note("looking".to_owned()),
                };
                if let Err(refused) = book.act(id.parse().unwrap(), who, &deed, at_ms) {
                    writeln!(self.told, "{line}: {refused}").unwrap();
                }
            }
            _ => panic!("{line}"),
        }
        let mut all = book.incidents.clone();
        let outcome = book.into_outcome();
        all.extend(outcome.changed.into_iter().map(|one| (one.id, one)));
        self.incidents = all.into_values().collect();
        self.last = outcome.last;
        for (id, entry) in outcome.entries {
            let minutes = entry.at_ms as f64 / 60_000.0;
            writeln!(self.told, "{minutes} {id} {}", entry.sentence()).unwrap();
        }
        for page in outcome.pages {
            let (key, to, alerts) = (page.key, page.receivers.join(" "), page.alerts.len());
            writeln!(self.told, "  page {key} to {to}: {alerts} alerts").unwrap();
        }
    }
}

fn observe(book: &mut Book, became: Became, labels: &[(&str, &str)], at_ms: i64) {
    let labels = Labels::from_pairs(labels.iter().copied());
    let scope = Scope::of(&labels, &Fleet);
    let event = AlertEvent {
        at_ms,
        became,
        group: "g".to_owned(),
        rule: labels.get("alertname").unwrap_or_default().to_owned(),
        labels,
        annotations: Vec::new(),
        value: "1".to_owned(),
        active_at_ms: at_ms,
        evidence: json!([]),
    };
    book.observe(&event, &scope);
}

fn play(script: &str) -> Site {
    let mut site = Site {
        incidents: Vec::new(),
        last: 0,
        on_call: OnCall::parse(ON_CALL.as_bytes(), None).unwrap(),
        told: String::new(),
    };
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        site.line(line);
    }
    site
}

/// The alerts of each incident.
fn check(script: &str, expected: &[&str]) -> Site {
    let site = play(script);
    let found: Vec<String> = site
        .incidents
        .iter()
        .map(|incident| {
            let names: Vec<&str> = incident.alerts.iter().map(Member::name).collect();
            format!("{}: {}", incident.status().word(), names.join(" "))
        })
        .collect();
    assert_eq!(found, expected, "{script}\n{}", site.told);
    site
}

#[test]
fn alerts_of_a_cluster_become_one_incident() {
    // Primary, its host, its replica, the replica's host and the pooler; another cluster is another.
    let site = check(
        "0 fires Down pg1:5432 high
         1 fires Lag pg2:5432 medium
         2 fires Disk pg1 high
         3 fires Memory pg2 low
         4 fires Pool pool:6432 high
         5 fires Down pg6:5432 high
         6 fires Nothing localhost:1 low
         7 fires Odd here low",
        &[
            "open: Down Lag Disk Memory Pool",
            "open: Down",
            "open: Nothing",
            "open: Odd",
        ],
    );
    let keys: Vec<String> = site.incidents[0].keys.iter().map(Key::to_string).collect();
    // What the pooler leads to beside this cluster is not taken on.
    assert_eq!(keys, ["cluster 77", "host pg1", "host pg2", "host pool"]);
    assert_eq!(site.incidents[0].title, "Down on pg1:5432");
    // Begun by the host or the pooler, the server's alerts come to it all the same.
    check(
        "0 fires Disk pg1 high\n1 fires Lag pg2:5432 low",
        &["open: Disk Lag"],
    );
    check(
        "0 fires Pool pool:6432 low\n1 fires Lag pg2:5432 low",
        &["open: Pool Lag"],
    );
}

#[test]
fn the_window_counts_from_what_last_came_to_pass() {
    check("0 fires A pg1 low\n10 fires B pg1 low", &["open: A B"]);
    check(
        "0 fires A pg1 low\n10.1 fires B pg1 low",
        &["open: A", "open: B"],
    );
    check(
        "0 fires A pg1 low\n9 fires B pg1 low\n18 over A pg1 low\n27 fires C pg1 low",
        &["open: A B C"],
    );
    check(
        "0 fires A pg1 low\n9 ann notes 1\n18 fires B pg1 low",
        &["open: A B"],
    );
    // An alert that the incident has belongs to it for as long as it lasts.
    let site = check(
        "0 fires A pg1 low\n1 fires B pg1 low\n2 over A pg1 low\n60 fires A pg1 low",
        &["open: A B"],
    );
    assert_eq!(site.incidents[0].alerts[0].spans.len(), 2);
}

#[test]
fn incidents_end_and_go_on() {
    let site = check(
        "0 fires A pg1 low
         1 fires B pg1 low
         2 over A pg1 low
         8 passes
         10 over B pg1 low
         14.9 passes
         15 passes",
        &["resolved: A B"],
    );
    assert_eq!(site.incidents[0].ended_at_ms(), Some(600_000));
    // Within the window it goes on, later another begins.
    check(
        "0 fires A pg1 low\n1 over A pg1 low\n6 passes\n11 fires A pg1 low",
        &["open: A"],
    );
    check(
        "0 fires A pg1 low\n1 over A pg1 low\n6 passes\n11.1 fires A pg1 low",
        &["resolved: A", "open: A"],
    );
    // What a person resolved stays resolved, and what still fires then ends in it.
    let site = check(
        "0 fires A pg1 low\n1 ann resolves 1\n2 over A pg1 low\n3 fires A pg1 low",
        &["resolved: A", "open: A"],
    );
    assert_eq!(site.incidents[0].ended_at_ms(), Some(60_000));
    assert!(!site.incidents[0].alerts[0].is_firing());
    // What a person opened again is theirs to end.
    check(
        "0 fires A pg1 low\n1 over A pg1 low\n6 passes\n7 ann reopens 1\n60 passes",
        &["open: A"],
    );
    check(
        "0 fires A pg1 low\n1 over A pg1 low\n6 passes\n7 ann reopens 1
         8 fires A pg1 low\n9 over A pg1 low\n14 passes",
        &["resolved: A"],
    );
}

#[test]
fn escalation_goes_step_by_step() {
    let site = play(
        "0 fires Down pg1:5432 high
         0.5 passes
         1 passes
         1 passes
         4.9 passes
         5 passes
         14 passes
         15 passes
         19 passes
         60 passes",
    );
    insta::assert_snapshot!("steps", site.told);
    // Nobody is passed over because nobody was there to make the steps.
    let site = play("0 fires Down pg1:5432 high\n100 passes\n103 passes\n104 passes");
    insta::assert_snapshot!("late", site.told);
}

#[test]
fn a_step_that_reaches_nobody_is_followed_by_the_next() {
    let site = play("0 fires Slow pg1:5432 low\n1 passes\n2 passes\n90 passes");
    insta::assert_snapshot!("nobody", site.told);
}

#[test]
fn an_acknowledgement_stops_escalation_until_it_gets_worse() {
    let site = play(
        "0 fires Slow pg1:5432 low
         1 ann acks 1
         2 bob acks 1
         3 bob owns 1
         90 passes
         91 fires Lag pg1:5432 low
         92 over Slow pg1:5432 low
         93 fires Down pg2:5432 high
         94 passes
         95 bob acks 1
         99 passes
         100 bob resolves 1
         101 ann acks 1
         102 ann reopens 1
         103 ann reopens 1
         104 passes
         105 ann notes 7",
    );
    insta::assert_snapshot!("acknowledged", site.told);
    let incident = &site.incidents[0];
    assert_eq!(incident.first_acknowledged_at_ms, Some(60_000));
    assert_eq!(incident.owner.as_deref(), Some("cem"));
}

#[test]
fn nobody_is_paged_for_what_is_over_or_muted() {
    let silent = |script: &str| {
        let site = play(script);
        assert!(!site.told.contains("page"), "{}", site.told);
        site
    };
    silent("0 fires Down pg1:5432 high\n0.9 over Down pg1:5432 high\n1 passes\n5 passes");
    let mut muted = silent("0 fires Muted pg1:5432 high\n1 passes\n5 passes");
    // The time of a step does not pass while nothing may be said.
    muted.line("6 fires Down pg1:5432 high");
    muted.line("6 passes");
    assert!(
        muted.told.contains("to ann-phone: 2 alerts"),
        "{}",
        muted.told
    );
}

#[test]
fn the_next_change_is_known() {
    let on_call = OnCall::parse(ON_CALL.as_bytes(), None).unwrap();
    let check = |script: &str, expected: Option<f64>| {
        let site = play(script);
        let book = Book::new(RULES, site.incidents, site.last);
        let next = book.next_at(&on_call).map(|ms| ms as f64 / 60_000.0);
        assert_eq!(next, expected, "{script}");
    };
    check("0 passes", None);
    check("0 fires Down pg1 high", Some(1.0));
    check("0 fires Down pg1 high\n1 passes", Some(5.0));
    check("0 fires Down pg1 high\n1 ann acks 1", None);
    check("0 fires Down pg1 high\n2 over Down pg1 high", Some(7.0));
    check("0 fires Down pg1 medium", None);
}

#[test]
fn a_clock_that_is_set_is_no_time_that_passed() {
    let check = |script: &str, expected: &str| {
        let site = play(script);
        let last = site.told.lines().last().unwrap_or_default();
        assert_eq!(last, expected, "{}", site.told);
    };
    let fires = "0 fires Down pg1:5432 high";
    let begin = "0 1 Down fires: Down on pg1:5432 (value 1)";
    check(&format!("{fires}\n600 clock 600\n600.5 passes"), begin);
    let call = "  page incident/1/36000000/0/1 to ann-phone: 1 alerts";
    check(&format!("{fires}\n600 clock 600\n601 passes"), call);
    let call = "  page incident/1/6000000/0/1 to ann-phone: 1 alerts";
    let late = "700 fires Down pg1:5432 high";
    check(&format!("{late}\n100 clock -600\n101 passes"), call);
    let over = "2 1 Down on pg1:5432 is over";
    let ends = format!("{fires}\n2 over Down pg1:5432 high\n602 clock 600\n");
    check(&format!("{ends}606 passes"), over);
    let end = "607 1 resolved by itself: all alerts are over";
    check(&format!("{ends}607 passes"), end);
}

#[test]
fn a_flapping_alert_is_kept_in_bounds() {
    let mut site = play("0 fires A pg1 low");
    for minute in 1..300 {
        site.line(&format!("{minute} over A pg1 low"));
        site.line(&format!("{minute}.5 fires A pg1 low"));
    }
    let member = &site.incidents[0].alerts[0];
    assert_eq!((member.spans.len(), member.firings()), (100, 300));
}
