mod crashes;
mod posted;
mod world;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use notify::matcher::Matchers;
use notify::notification::Reason;
use notify::silence::Silence;

use super::dispatcher::lock;
use crate::config::notify::{NotifyConfig, Rate};
use world::{HOUR, MINUTE, SECOND, World, delivered, labels, retry};

/// Each host is a group; it is told at once.
const WEBHOOK: &str = "
route: {receiver: team, group_by: [host], group_wait: 0s, group_interval: 1m, repeat_interval: 4h}
receivers:
- name: team
  webhook_configs: [{url: 'http://127.0.0.1:1/'}]
";

const SLACK: &str = "
route: {receiver: team, group_by: [host], group_wait: 0s, group_interval: 1m, repeat_interval: 4h}
receivers:
- name: team
  slack_configs: [{api_url: 'http://127.0.0.1:1/', channel: c, send_resolved: true}]
";

fn storm_limits() -> NotifyConfig {
    NotifyConfig {
        rate: Rate::Limited {
            burst: 20,
            refill: Duration::from_secs(3),
        },
        ..NotifyConfig::default()
    }
}

#[tokio::test]
async fn what_comes_to_pass_is_told_in_the_same_step() {
    let mut world = World::new(WEBHOOK).await;
    world.fire(&[("A", "x"), ("B", "x"), ("A", "y")]).await;
    world.settle().await;
    assert_eq!(
        world.receiver.told(),
        ["First: A@x B@x / ", "First: A@y / "]
    );
    world.pass(30 * SECOND).await;
    world.resolve(&[("A", "x"), ("A", "y")]).await;
    world.pass(5 * MINUTE).await;
    let told = world.receiver.told();
    assert_eq!(told[2..], ["More: B@x / A@x", "Resolved:  / A@y"]);
    // Who was told is asked by the number of the transition.
    let told = world.up().db.told_of(1, 99).await.unwrap();
    let states =
        |event: i64| -> Vec<&str> { told[&event].iter().map(|one| one.state.as_str()).collect() };
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(
        (states(1), states(2)),
        (vec!["delivered"], vec!["delivered"; 2])
    );
    assert_eq!(told[&4][0].integration.to_string(), "team/webhook[0]");
}

#[tokio::test]
async fn a_receiver_that_is_away_for_a_day_gets_everything() {
    let mut world = World::new(WEBHOOK).await;
    world.receiver.does(|at_ms, _| match at_ms < 24 * HOUR {
        true => retry(None),
        false => delivered(),
    });
    for half_hour in 0..50 {
        let host = format!("h{half_hour}");
        world.fire(&[("A", &host)]).await;
        if half_hour % 2 == 0 {
            world.pass(world.time() + 10 * MINUTE).await;
            world.resolve(&[("A", &host)]).await;
        }
        world.pass((half_hour + 1) * 30 * MINUTE).await;
    }
    world.pass(26 * HOUR).await;
    // Of each host the beginning, of every second one the end, and what was to be repeated.
    let told = world.receiver.told();
    for host in 0..50 {
        let count = |text: String| told.iter().filter(|one| **one == text).count();
        assert_eq!(count(format!("First: A@h{host} / ")), 1);
        let ends = usize::from(host % 2 == 0);
        assert_eq!(count(format!("Resolved:  / A@h{host}")), ends);
        let repeats = if host % 2 == 0 {
            0
        } else {
            (26 * 2 - host) / 8
        };
        let found = count(format!("Repeat: A@h{host} / "));
        assert!(found.abs_diff(repeats) <= 1, "{host}: {found} of {repeats}");
    }
    assert_eq!(world.rows().await.get("waiting"), None);
    // It was not asked all the time, and not too seldom.
    let attempts = world.receiver.attempts();
    let while_away = attempts.iter().filter(|one| one.at_ms < 24 * HOUR).count();
    assert!((288..2_000).contains(&while_away), "{while_away}");
}

#[tokio::test]
async fn a_receiver_is_left_alone_as_it_asks_and_each_try_has_one_key() {
    let mut world = World::new(WEBHOOK).await;
    world.receiver.does(|at_ms, _| match at_ms < 90 * SECOND {
        true => retry(Some(Duration::from_secs(90))),
        false => delivered(),
    });
    world.fire(&[("A", "x")]).await;
    world.pass(10 * SECOND).await;
    world.crash().await;
    world.pass(2 * MINUTE).await;
    let attempts = world.receiver.attempts();
    let times: Vec<i64> = attempts.iter().map(|one| one.at_ms).collect();
    assert_eq!(times, [0, 90 * SECOND]);
    assert_eq!(attempts[0].key, attempts[1].key);
}

#[tokio::test]
async fn what_is_refused_is_kept_and_raises_an_alert() {
    let mut world = World::new(WEBHOOK).await;
    world
        .receiver
        .does(|_, told| match told.group_labels.get("host") {
            Some("bad") => notify::deliver::Verdict::Refused {
                error: "400 Bad Request".to_owned(),
            },
            _ => delivered(),
        });
    world.fire(&[("A", "bad"), ("A", "good")]).await;
    world.settle().await;
    assert_eq!(world.receiver.told(), ["First: A@good / "]);
    let rows = world.up().db.outbox_rows("refused", 9).await.unwrap();
    assert_eq!(rows[0].told.detail, "400 Bad Request");
    let given_up = world.up().given_up.try_recv().unwrap();
    let alert = given_up.alert(world.wall_ms()).unwrap();
    let now = world.times().now();
    world.up().dispatcher.post(vec![alert], now);
    world.settle().await;
    assert_eq!(world.receiver.told()[1], "First: NotificationGivenUp@ / ");
    // One about itself would never end.
    let about_itself = super::given_up::GivenUp {
        alerts: vec![super::GIVEN_UP_ALERT.to_owned()],
        ..given_up
    };
    assert_eq!(about_itself.alert(0), None);
}

#[tokio::test]
async fn what_is_too_old_is_given_up() {
    let keep = Duration::from_secs(3_600);
    let limits = NotifyConfig {
        keep,
        ..storm_limits()
    };
    let mut world = World::limited(WEBHOOK, limits).await;
    world.receiver.does(|_, _| retry(None));
    world.fire(&[("A", "x")]).await;
    world.pass(59 * MINUTE).await;
    assert_eq!(world.rows().await["waiting"], 1);
    // A clock that is set makes nothing old.
    world.skew.store(100 * HOUR, Ordering::SeqCst);
    world.settle().await;
    world.crash().await;
    world.settle().await;
    assert_eq!(world.rows().await["waiting"], 1);
    world.pass(61 * MINUTE).await;
    assert_eq!(world.rows().await.get("expired"), Some(&1));
    assert!(world.up().given_up.try_recv().is_ok());
}

fn hosts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("h{number:04}")).collect()
}

#[tokio::test]
async fn a_storm_is_one_digest_and_ends_with_one() {
    for config in [WEBHOOK, SLACK] {
        let mut world = World::limited(config, storm_limits()).await;
        let hosts = hosts(1_000);
        let alerts: Vec<(&str, &str)> = hosts.iter().map(|host| ("A", host.as_str())).collect();
        world.fire(&alerts).await;
        world.pass(10 * SECOND).await;
        let told = world.receiver.delivered();
        assert_eq!(told.len(), 20);
        let digest = &told[19].notification;
        assert_eq!((digest.reason, digest.alerts.len()), (Reason::Digest, 981));
        let reached: BTreeSet<_> = told
            .iter()
            .flat_map(|one| &one.notification.alerts)
            .collect::<Vec<_>>()
            .into_iter()
            .map(|one| one.labels.clone())
            .collect();
        assert_eq!(reached.len(), 1_000);
        // It is still one when the collector is started anew, and when all of it is over.
        world.crash().await;
        world.pass(2 * MINUTE).await;
        world.resolve(&alerts[..900]).await;
        world.pass(10 * MINUTE).await;
        world.resolve(&alerts[900..]).await;
        world.pass(30 * MINUTE).await;
        let ends: Vec<_> = world.receiver.delivered().split_off(20);
        let last: Vec<_> = ends
            .iter()
            .map(|one| &one.notification)
            .filter(|one| one.group_key == digest.group_key)
            .collect();
        assert_eq!(last.len(), 1, "{config}");
        assert!(!last[0].is_firing());
        assert_eq!(last[0].alerts.len(), 981);
        if config == WEBHOOK {
            assert_eq!(ends.len(), 20);
        }
        let over: BTreeSet<_> = ends
            .iter()
            .flat_map(|one| one.notification.alerts.iter().map(|one| one.labels.clone()))
            .collect();
        assert_eq!(over.len(), 1_000);
        assert_eq!(world.rows().await.get("waiting"), None);
        let open = world
            .up()
            .db
            .open_groups(&told[0].integration)
            .await
            .unwrap();
        assert_eq!(open, Default::default());
    }
}

#[tokio::test]
async fn silences_hold_after_a_restart() {
    let mut world = World::new(WEBHOOK).await;
    let silence = Silence {
        id: "s".to_owned(),
        matchers: "host=x".parse::<Matchers>().unwrap(),
        starts_at_ms: world.wall_ms(),
        ends_at_ms: world.wall_ms() + HOUR,
        updated_at_ms: world.wall_ms(),
        created_by: "me".to_owned(),
        comment: "\"why\"".to_owned(),
    };
    world
        .up()
        .db
        .save_silences(std::slice::from_ref(&silence))
        .await
        .unwrap();
    // The collector is killed between the transition and the step that follows it.
    world.fire(&[("A", "x"), ("A", "y")]).await;
    world.crash().await;
    assert_eq!(lock(&world.up().desk).silences["s"], silence);
    world.pass(59 * MINUTE).await;
    assert_eq!(world.receiver.told(), ["First: A@y / "]);
    world.pass(61 * MINUTE).await;
    assert_eq!(world.receiver.told()[1], "First: A@x / ");
}

#[tokio::test]
async fn a_reload_tells_nothing_again() {
    let mut world = World::new(WEBHOOK).await;
    world.fire(&[("A", "x")]).await;
    world.pass(90 * SECOND).await;
    world.reload(&WEBHOOK.replace("1m", "2m"));
    world.pass(10 * MINUTE).await;
    assert_eq!(world.receiver.told(), ["First: A@x / "]);
    // What waits for a receiver that is not configured any more is sent when it is again.
    world.receiver.does(|_, _| retry(None));
    world.fire(&[("A", "y")]).await;
    world.settle().await;
    let team = world.receiver.attempts()[0].integration.clone();
    world.reload(&WEBHOOK.replace("team", "other"));
    world.receiver.does(|_, _| delivered());
    world.pass(20 * MINUTE).await;
    let waiting = world.up().db.waiting(&team, 0, 9).await.unwrap();
    assert_eq!(waiting.len(), 1);
    world.reload(WEBHOOK);
    world.pass(30 * MINUTE).await;
    let waiting = world.up().db.waiting(&team, 0, 9).await.unwrap();
    assert_eq!(waiting, []);
    let told = world.receiver.told();
    assert!(told.contains(&"First: A@y / ".to_owned()), "{told:?}");
}

#[tokio::test]
async fn what_fires_is_told_although_its_transition_is_lost() {
    let mut world = World::new(WEBHOOK).await;
    // As if the transitions that could not be saved were too many: only the state is there.
    world.up = None;
    let (db, _) = crate::state::StateDb::open(world.folder.path(), 0)
        .await
        .unwrap();
    let all = [labels("A", "x")];
    world::save(&db, &all, rules::state::Transition::Fired, world.wall_ms()).await;
    db.forget_before(i64::MAX).await.unwrap();
    db.close().await;
    world.start().await;
    world.settle().await;
    assert_eq!(world.receiver.told(), ["First: A@x / "]);
    world.resolve(&[("A", "x")]).await;
    world.pass(10 * MINUTE).await;
    assert_eq!(world.receiver.told()[1..], ["Resolved:  / A@x"]);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_holds_up_nobody() {
    let mut world = World::new(WEBHOOK).await;
    world.receiver.does(|_, _| retry(None));
    world.fire(&[("A", "x")]).await;
    world.settle().await;
    world.up = None;
    let path = world.folder.path().join(crate::state::FILE);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let spoil = sqlx::query("UPDATE outbox SET payload = 'x'");
    spoil.execute(&pool).await.unwrap();
    pool.close().await;
    world.start().await;
    world.receiver.does(|_, _| delivered());
    world.fire(&[("A", "y")]).await;
    world.pass(MINUTE).await;
    assert_eq!(world.receiver.told(), ["First: A@y / "]);
    assert_eq!(world.rows().await["refused"], 1);
}

#[tokio::test]
async fn a_clock_that_is_set_tells_nothing_early_and_nothing_late() {
    let mut world = World::new(WEBHOOK).await;
    world.fire(&[("A", "x")]).await;
    world.pass(10 * SECOND).await;
    world.resolve(&[("A", "x")]).await;
    for skew_ms in [HOUR, -100 * HOUR] {
        world.skew.store(skew_ms, Ordering::SeqCst);
        world.settle().await;
        assert_eq!(world.receiver.told().len(), 1);
    }
    world.pass(59 * SECOND).await;
    assert_eq!(world.receiver.told().len(), 1);
    world.pass(60 * SECOND).await;
    assert_eq!(world.receiver.told()[1..], ["Resolved:  / A@x"]);
}

#[tokio::test]
async fn what_happens_twice_at_one_time_of_a_clock_that_is_set_back_is_told_twice() {
    let mut world = World::new(WEBHOOK).await;
    for _ in 0..2 {
        let began_ms = world.time();
        world.skew.store(-began_ms, Ordering::SeqCst);
        world.fire(&[("A", "x")]).await;
        world.pass(began_ms + 10 * SECOND).await;
        world.resolve(&[("A", "x")]).await;
        world.pass(began_ms + 2 * MINUTE).await;
    }
    let each = ["First: A@x / ", "Resolved:  / A@x"];
    assert_eq!(world.receiver.told(), [each, each].concat());
}
