use std::time::Duration;

use incidents::book::{AlertEvent, Deed, Refused};
use incidents::incident::Status;
use incidents::oncall::OnCall;
use incidents::scope::{Key, Scope};
use incidents::timeline::Became as Turn;
use notify::config::IntegrationId;
use notify::dispatch::Telling;
use notify::notification::{Notification, Reason};

use super::*;

const RULES: Rules = Rules {
    window: Duration::from_secs(600),
    resolve_after: Duration::from_secs(300),
};

const ON_CALL: &[u8] = b"
people: [{name: ann, receivers: [ann]}]
policies: [{name: all, steps: [{after: 1m, notify: [{person: ann}]}]}]
";

async fn open() -> (tempfile::TempDir, StateDb) {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = StateDb::open(folder.path(), 0).await.unwrap();
    (folder, db)
}

fn opening(cursor: Option<i64>) -> Opening {
    Opening {
        rules: RULES,
        since_ms: 0,
        also: None,
        cursor,
    }
}

fn event(name: &str, became: Turn, minute: i64) -> (AlertEvent, Scope) {
    let labels = Labels::from_pairs([("alertname", name), ("severity", "high"), ("q", "\"é\n")]);
    let event = AlertEvent {
        at_ms: minute * 60_000,
        became,
        group: "g".to_owned(),
        rule: name.to_owned(),
        labels,
        annotations: vec![("summary".to_owned(), "s".to_owned())],
        value: "NaN".to_owned(),
        active_at_ms: 0,
        evidence: serde_json::json!([{"a": 1}]),
    };
    let scope = Scope {
        own: [Key::Host("pg1".to_owned())].into(),
        related: [Key::Cluster("77".to_owned())].into(),
    };
    (event, scope)
}

async fn observe(db: &StateDb, name: &str, became: Turn, minute: i64) -> Vec<Incident> {
    let (event, scope) = event(name, became, minute);
    let decide = |book: &mut Book| book.observe(&event, &scope);
    let done = db.change_incidents(opening(Some(minute)), decide, |_| Vec::new());
    done.await.unwrap().1.changed
}

async fn act(db: &StateDb, deed: Deed) -> Result<(), Refused> {
    let decide = |book: &mut Book| book.act(IncidentId(1), "ann", &deed, 240_000);
    let done = db.change_incidents(opening(None), decide, |_| Vec::new());
    done.await.unwrap().0
}

/// The row that calls a receiver of the page's first name.
fn letter(page: &Page) -> NewRow {
    let integration: IntegrationId = format!("{}/webhook[0]", page.receivers[0]).parse().unwrap();
    NewRow {
        telling: Telling {
            integration,
            notification: Notification {
                receiver: page.receivers[0].clone(),
                group_key: "incident/1".to_owned(),
                group_labels: Labels::from_pairs([]),
                alerts: Vec::new(),
                truncated: 0,
                at_ms: 60_000,
                external_url: String::new(),
                reason: Reason::Escalation,
            },
            alerts: page
                .alerts
                .iter()
                .map(|member| notify::dispatch::ToldAlert {
                    fingerprint: Fingerprint::of(&member.labels),
                    event: None,
                    is_firing: true,
                })
                .collect(),
        },
        key: page.key.clone(),
        at_ms: 60_000,
    }
}

#[tokio::test]
async fn incidents_come_back_as_they_were() {
    let (_folder, db) = open().await;
    observe(&db, "A", Turn::Fired, 0).await;
    observe(&db, "B", Turn::Fired, 1).await;
    act(&db, Deed::Acknowledge).await.unwrap();
    act(&db, Deed::Note("é\n\"x\"".to_owned())).await.unwrap();
    let changed = observe(&db, "A", Turn::Resolved, 5).await;
    let read = db.incident(IncidentId(1)).await.unwrap().unwrap();
    assert_eq!(changed, std::slice::from_ref(&read));
    assert_eq!(read.status(), Status::Acknowledged);
    assert_eq!((read.alerts.len(), read.keys.len()), (2, 2));
    assert_eq!(db.incident(IncidentId(2)).await.unwrap(), None);
    let entries = db.incident_entries(IncidentId(1)).await.unwrap();
    let told: Vec<String> = entries.iter().map(Entry::sentence).collect();
    let expected = [
        "the incident began, severity high",
        "A fires: s (value NaN)",
        "B fires: s (value NaN)",
        "ann acknowledged",
        "ann: é\n\"x\"",
        "A is over",
    ];
    assert_eq!(told, expected);
    assert_eq!(db.acknowledged_alerts().await.unwrap().len(), 2);
    assert_eq!(db.incident_cursor().await.unwrap(), 5);
    act(&db, Deed::Resolve).await.unwrap();
    assert_eq!(
        act(&db, Deed::Resolve).await,
        Err(Refused::Resolved(IncidentId(1)))
    );
    assert_eq!(db.acknowledged_alerts().await.unwrap(), []);
}

#[tokio::test]
async fn who_is_called_is_written_with_the_step() {
    let (_folder, db) = open().await;
    observe(&db, "A", Turn::Fired, 0).await;
    let on_call = OnCall::parse(ON_CALL, None).unwrap();
    for _ in 0..2 {
        let decide = |book: &mut Book| book.pass(60_000, &on_call, &|_| false);
        let letters = |page: &Page| vec![letter(page)];
        db.change_incidents(opening(None), decide, letters)
            .await
            .unwrap();
    }
    let counts = db.outbox_counts().await.unwrap();
    assert_eq!(counts.rows.get("waiting"), Some(&1));
    let incident = db.incident(IncidentId(1)).await.unwrap().unwrap();
    let told = db.incident_notified(&incident, 60_000).await.unwrap();
    let told: Vec<String> = told.iter().map(Entry::sentence).collect();
    assert_eq!(told, ["ann/webhook[0] is to be told of 1 alert"]);
    // The end calls them off, once.
    act(&db, Deed::Resolve).await.unwrap();
    let incident = db.incident(IncidentId(1)).await.unwrap().unwrap();
    assert!(incident.escalation.called.is_empty());
}

#[tokio::test]
async fn incidents_are_listed_settled_and_forgotten() {
    let (_folder, db) = open().await;
    for (name, minute) in [("A", 0), ("B", 20), ("C", 40)] {
        observe(&db, name, Turn::Fired, minute).await;
    }
    observe(&db, "A", Turn::Resolved, 41).await;
    act(&db, Deed::Resolve).await.unwrap();
    let list = async |unresolved_only, limit| {
        let listed = Listed {
            unresolved_only,
            from_ms: 0,
            to_ms: i64::MAX,
            limit,
        };
        let (found, more) = db.incidents(listed).await.unwrap();
        let ids: Vec<i64> = found.iter().map(|one| one.id.0).collect();
        (ids, more)
    };
    assert_eq!(list(false, 9).await, (vec![3, 2, 1], false));
    assert_eq!(list(true, 9).await, (vec![3, 2], false));
    assert_eq!(list(false, 2).await, (vec![3, 2], true));
    // What is not settled is not forgotten.
    assert_eq!(db.forget_incidents(i64::MAX).await.unwrap(), 0);
    let unsettled = db.unsettled(i64::MAX).await.unwrap();
    assert_eq!(unsettled.len(), 1);
    let fact = Entry {
        at_ms: 1,
        what: What::Restarted {
            instance: "a".to_owned(),
        },
    };
    for _ in 0..2 {
        db.settle(IncidentId(1), vec![fact.clone()]).await.unwrap();
    }
    assert!(db.incident_is_settled(IncidentId(1)).await.unwrap());
    let entries = db.incident_entries(IncidentId(1)).await.unwrap();
    assert_eq!(entries.iter().filter(|entry| **entry == fact).count(), 1);
    assert_eq!(db.forget_incidents(i64::MAX).await.unwrap(), 1);
    assert_eq!(list(false, 9).await, (vec![3, 2], false));
    assert!(db.incident_entries(IncidentId(1)).await.unwrap().is_empty());
    // Numbers are given once.
    observe(&db, "D", Turn::Fired, 90).await;
    assert_eq!(list(false, 1).await, (vec![4], true));
}

#[tokio::test]
async fn a_change_that_fails_leaves_nothing() {
    let (_folder, db) = open().await;
    sqlx::query("DROP TABLE incident_entry")
        .execute(&db.writer)
        .await
        .unwrap();
    let (event, scope) = event("A", Turn::Fired, 0);
    let decide = |book: &mut Book| book.observe(&event, &scope);
    let done = db.change_incidents(opening(Some(7)), decide, |_| Vec::new());
    assert!(done.await.is_err());
    assert_eq!(db.incident(IncidentId(1)).await.unwrap(), None);
    assert_eq!(db.incident_cursor().await.unwrap(), 0);
}
