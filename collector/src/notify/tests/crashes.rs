//! Kills at any point: what is delivered in the end is what it would have been without.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::world::{Attempt, MINUTE, SECOND, World, delivered, retry};

const CONFIG: &str = "
route:
  receiver: team
  group_by: [host]
  group_wait: 0s
  group_interval: 1m
  repeat_interval: 10m
  routes:
  - {matchers: ['host=\"x\"'], receiver: mail, group_wait: 20s, continue: true}
  - {matchers: ['host=~\".*\"'], receiver: team}
receivers:
- name: team
  webhook_configs: [{url: 'http://127.0.0.1:1/'}, {url: 'http://127.0.0.1:2/'}]
- name: mail
  email_configs: [{to: a@b, from: c@d, smarthost: 'localhost:25', send_resolved: true}]
";

/// The same numbers each time for a seed.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Goes on with a future for so many turns, and drops it then.
pub(super) async fn cut<T>(future: impl Future<Output = T>, turns: u64) -> Option<T> {
    let mut future = pin!(future);
    let mut turn = 0;
    poll_fn(|context| {
        turn += 1;
        if turn > turns {
            return Poll::Ready(None);
        }
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Plays a history; `kills` says whether the collector is killed in it, and when.
async fn play(seed: u64, mut kills: Option<Dice>) -> Vec<Attempt> {
    let mut world = World::new(CONFIG).await;
    let mut dice = Dice(seed);
    // Every third attempt fails, whatever it is.
    let count = std::sync::atomic::AtomicU64::new(seed);
    world.receiver.does(move |_, _| {
        match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 3 {
            0 => retry(None),
            _ => delivered(),
        }
    });
    let mut firing: BTreeSet<(&str, &str)> = BTreeSet::new();
    for _ in 0..25 {
        let alert = (
            ["A", "B"][dice.roll(2) as usize],
            ["x", "y", "z"][dice.roll(3) as usize],
        );
        if firing.remove(&alert) {
            world.resolve(&[alert]).await;
        } else {
            firing.insert(alert);
            world.fire(&[alert]).await;
        }
        if let Some(kills) = &mut kills {
            kill(&mut world, kills).await;
        }
        world.settle().await;
        let wait_ms = [SECOND, 15 * SECOND, 2 * MINUTE][dice.roll(3) as usize];
        world.pass(world.time() + wait_ms).await;
    }
    let rest: Vec<(&str, &str)> = firing.into_iter().collect();
    world.resolve(&rest).await;
    world.pass(world.time() + 30 * MINUTE).await;
    assert_eq!(world.rows().await.get("waiting"), None);
    world.receiver.delivered()
}

/// Cuts a step of the dispatcher or of a sender somewhere, some times, and starts anew.
async fn kill(world: &mut World, kills: &mut Dice) {
    for _ in 0..kills.roll(3) {
        let times = world.times();
        let up = world.up();
        if kills.roll(2) == 0 {
            cut(up.dispatcher.step(times.now()), kills.roll(12)).await;
        } else {
            drop(up.dispatcher.step(times.now()).await);
            let place = kills.roll(up.senders.len() as u64) as usize;
            for _ in 0..kills.roll(3) {
                drop(up.senders[place].step().await);
            }
            cut(up.senders[place].step(), kills.roll(12)).await;
        }
        world.crash().await;
    }
}

fn by_key(attempts: &[Attempt]) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    for attempt in attempts {
        let told = (
            &attempt.integration,
            super::world::shown(&attempt.notification),
        );
        let told = format!("{told:?}");
        let before = keys.insert(attempt.key.clone(), told.clone());
        // What is sent twice is the same.
        assert!(before.is_none_or(|before| before == told));
    }
    keys
}

#[tokio::test]
async fn wherever_it_is_killed_everything_is_told_and_nothing_else() {
    for seed in 0..5 {
        let calm = play(seed, None).await;
        let killed = play(seed, Some(Dice(seed + 1_000))).await;
        assert_eq!(by_key(&killed), by_key(&calm), "seed {seed}");
        assert_eq!(calm.len(), by_key(&calm).len(), "seed {seed}");
        assert!(calm.len() > 20, "seed {seed}: {}", calm.len());
    }
}
