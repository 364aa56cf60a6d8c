use rules::state::{Alert, Phase, State, Transition};
use store::labels::Labels;

use super::*;

fn labels(host: &str) -> Labels {
    Labels::from_pairs([("alertname", "A"), ("host", host)])
}

fn alert(host: &str, phase: Phase) -> Alert {
    Alert {
        series: Labels::from_pairs([("host", host)]),
        labels: labels(host),
        annotations: vec![("summary".to_owned(), "\"é\"\n".to_owned())],
        value: f64::NAN,
        active_at_ms: 1_700_000_000_123,
        phase,
        missing_since_ms: Some(-5),
        returns: 3,
    }
}

fn origin() -> Origin {
    Origin {
        key: "k".to_owned(),
        group: "g".to_owned(),
        rule: "A".to_owned(),
        file: "a.yml".to_owned(),
    }
}

fn changes(alerts: Vec<Alert>) -> RuleChanges {
    RuleChanges {
        origin: origin(),
        alerts,
        removed: Vec::new(),
        seen: vec![labels("seen")],
        unseen: Vec::new(),
    }
}

fn event(host: &str, at_ms: i64, transition: Transition) -> EventRecord {
    EventRecord {
        origin: origin(),
        at_ms,
        transition,
        labels: labels(host),
        annotations: Vec::new(),
        value: 1.5,
        active_at_ms: at_ms,
        evidence: "[]".to_owned(),
    }
}

/// All that was asked for, newest first.
async fn told(db: &StateDb, from_ms: i64, to_ms: i64, limit: usize) -> (Vec<i64>, bool) {
    let asked = Asked {
        from_ms,
        to_ms,
        limit,
    };
    let (told, more) = db.history(asked, |_| true).await.unwrap();
    (told.iter().map(|one| one.id).collect(), more)
}

#[tokio::test]
async fn alerts_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let all = [
        alert("a", Phase::Pending),
        alert(
            "b",
            Phase::Firing {
                fired_at_ms: 7,
                gone_since_ms: Some(8),
            },
        ),
        alert(
            "c",
            Phase::Resolved {
                fired_at_ms: 7,
                resolved_at_ms: 9,
            },
        ),
    ];
    let (db, damaged) = StateDb::open(folder.path(), 0).await.unwrap();
    assert_eq!(damaged, None);
    let rules = vec![changes(all.to_vec())];
    let events = Vec::new();
    db.save(&Changes { rules, events }).await.unwrap();
    db.close().await;
    let (db, _) = StateDb::open(folder.path(), 0).await.unwrap();
    let found = db.remembered().await.unwrap();
    assert_eq!(found["k"].origin, origin());
    // Nothing is equal to what is not a number.
    let shown = |state: &State| format!("{state:?}");
    let expected = State {
        alerts: all
            .iter()
            .map(|one| (one.labels.clone(), one.clone()))
            .collect(),
        seen: [labels("seen")].into(),
    };
    assert_eq!(shown(&found["k"].state), shown(&expected));
    let removed = RuleChanges {
        removed: vec![labels("a"), labels("b")],
        seen: Vec::new(),
        unseen: vec![labels("seen")],
        ..changes(Vec::new())
    };
    let (rules, events) = (vec![removed], Vec::new());
    db.save(&Changes { rules, events }).await.unwrap();
    let left = &db.remembered().await.unwrap()["k"].state;
    assert_eq!((left.alerts.len(), left.seen.len()), (1, 0));
}

#[tokio::test]
async fn the_history_is_told_in_part_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = StateDb::open(folder.path(), 0).await.unwrap();
    // More than a page, several at one time.
    let events = (0..2_500).map(|n| event("a", n / 10, Transition::Fired));
    let events: Vec<EventRecord> = events.collect();
    for some in events.chunks(1_000) {
        let changes = Changes {
            rules: Vec::new(),
            events: some.to_vec(),
        };
        db.save(&changes).await.unwrap();
    }
    let (all, more) = told(&db, i64::MIN, i64::MAX, 9_999).await;
    assert_eq!((all.len(), more), (2_500, false));
    assert!(
        all.iter()
            .zip(all.iter().skip(1))
            .all(|(newer, older)| newer > older)
    );
    assert_eq!(told(&db, 10, 10, 9_999).await.0.len(), 10);
    assert_eq!(
        told(&db, 0, 249, 5).await,
        (vec![2_500, 2_499, 2_498, 2_497, 2_496], true)
    );
    let asked = Asked {
        from_ms: 0,
        to_ms: 9_999,
        limit: 1,
    };
    let none = db.history(asked, |labels| labels.get("host") == Some("b"));
    assert_eq!(none.await.unwrap(), (Vec::new(), false));
    assert_eq!(db.forget_before(100).await.unwrap(), 1_000);
    assert_eq!(told(&db, i64::MIN, i64::MAX, 9_999).await.0.len(), 1_500);
    // A number is given once, also after what had it is forgotten.
    db.forget_before(i64::MAX).await.unwrap();
    let events = vec![event("a", 1, Transition::Fired)];
    let rules = Vec::new();
    db.save(&Changes { rules, events }).await.unwrap();
    assert_eq!(told(&db, i64::MIN, i64::MAX, 1).await.0, [2_501]);
}

#[tokio::test]
async fn what_is_no_database_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), "not at all").unwrap();
    let (db, damaged) = StateDb::open(folder.path(), 77).await.unwrap();
    let damaged = damaged.unwrap();
    assert_eq!(damaged.moved_to, folder.path().join("state.db.damaged-77"));
    assert_eq!(
        std::fs::read_to_string(damaged.moved_to).unwrap(),
        "not at all"
    );
    assert!(db.remembered().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let error = StateDb::open(&folder.path().join("none"), 0)
        .await
        .unwrap_err();
    assert!(matches!(error, StateError::Open { .. }), "{error:?}");
}

mod outbox {
    use ::notify::alert::{Alert, Fingerprint};
    use ::notify::config::{IntegrationId, Kind};
    use ::notify::dispatch::{Telling, ToldAlert};
    use ::notify::notification::{Notification, Reason};

    use super::*;
    use crate::state::outbox::{Keeping, NewRow, Outcome, enqueue};

    fn integration() -> IntegrationId {
        IntegrationId {
            receiver: "a/b".to_owned(),
            kind: Kind::Pagerduty,
            index: 3,
        }
    }

    fn row(key: &str, group: &str) -> NewRow {
        let alert = Alert {
            labels: labels("a"),
            annotations: vec![("a".to_owned(), "\u{0}'\"".to_owned())],
            starts_at_ms: 1,
            ends_at_ms: None,
            updated_at_ms: 2,
            generator_url: String::new(),
        };
        let told = ToldAlert {
            fingerprint: Fingerprint::of(&alert.labels),
            event: Some(7),
            is_firing: true,
        };
        NewRow {
            telling: Telling {
                integration: integration(),
                notification: Notification {
                    receiver: "a/b".to_owned(),
                    group_key: group.to_owned(),
                    group_labels: labels("a"),
                    alerts: vec![alert],
                    truncated: 0,
                    at_ms: 5,
                    external_url: String::new(),
                    reason: Reason::Escalation,
                },
                alerts: vec![told],
            },
            key: key.to_owned(),
            at_ms: 5,
        }
    }

    #[tokio::test]
    async fn a_notification_is_there_if_its_cause_is() {
        let folder = tempfile::tempdir().unwrap();
        let (db, _) = StateDb::open(folder.path(), 0).await.unwrap();
        let mut transaction = db.writer.begin().await.unwrap();
        assert!(enqueue(&mut transaction, &row("k", "g")).await.unwrap());
        transaction.rollback().await.unwrap();
        assert_eq!(db.waiting(&integration(), 0, 9).await.unwrap(), []);
        for is_new in [true, false] {
            let mut transaction = db.writer.begin().await.unwrap();
            let enqueued = enqueue(&mut transaction, &row("k", "g")).await.unwrap();
            assert_eq!(enqueued, is_new);
            transaction.commit().await.unwrap();
        }
        let waiting = db.waiting(&integration(), 0, 9).await.unwrap();
        assert_eq!(waiting.len(), 1);
        let letter = db.letter(waiting[0].id).await.unwrap().unwrap();
        assert_eq!(
            (letter.telling.clone(), letter.key.as_str()),
            (row("k", "g").telling, "k")
        );
        assert_eq!(db.awaited().await.unwrap(), [integration()]);
        db.failed(letter.id, 3, 77, "503").await.unwrap();
        let waiting = db.waiting(&integration(), 0, 9).await.unwrap();
        assert_eq!((waiting[0].attempts, waiting[0].next_try_ms), (3, Some(77)));
        let outcome = Outcome::Delivered("202".to_owned());
        db.done(&letter, &outcome, Keeping::Keyed, 99)
            .await
            .unwrap();
        assert_eq!(db.letter(letter.id).await.unwrap(), None);
        let told = &db.told_of(7, 7).await.unwrap()[&7][0];
        assert_eq!((told.detail.as_str(), told.attempts), ("202", 4));
        assert_eq!(db.delivered_since(&integration(), 99).await.unwrap(), 1);
        let open = db.open_groups(&integration()).await.unwrap();
        assert_eq!(open.groups["g"], None);
        // Its group is no more, and the history that it belongs to is over.
        assert_eq!(db.forget_notifications(100).await.unwrap(), 1);
        let open = db.open_groups(&integration()).await.unwrap();
        assert_eq!(open, crate::state::Open::default());
        assert!(db.told_of(7, 7).await.unwrap().is_empty());
    }
}
