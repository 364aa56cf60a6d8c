//! What alerts that somebody posts leave in the history.

use super::WEBHOOK;
use super::crashes::{Dice, cut};
use super::world::{MINUTE, SECOND, World};

const P: (&str, &str) = ("P", "x");

const HOURS: i64 = 120 * MINUTE;

#[tokio::test]
async fn its_beginning_and_its_end_are_in_the_history_once_whatever_is_repeated_and_killed() {
    let mut world = World::new(WEBHOOK).await;
    world.post(P, 0, 5 * MINUTE);
    // What was not written is nowhere; its sender got no answer and comes again.
    world.crash().await;
    assert_eq!(world.history().await, [] as [&str; 0]);
    for minute in 0..4 {
        world.pass(minute * MINUTE).await;
        world.post(P, 0, 5 * MINUTE);
        world.settle().await;
        assert_eq!(world.history().await, ["Posted firing P@x told 1"]);
        world.crash().await;
    }
    world.pass(7 * MINUTE).await;
    assert_eq!(world.history().await, ["Posted firing P@x told 1"]);
    // Nobody repeats it any more.
    world.pass(10 * MINUTE).await;
    let all = ["Posted firing P@x told 1", "Posted resolved P@x told 1"];
    assert_eq!(world.history().await, all);
    assert_eq!(world.receiver.told(), ["First: P@x / ", "Resolved:  / P@x"]);
    world.crash().await;
    world.pass(30 * MINUTE).await;
    assert_eq!(world.history().await, all);
    assert_eq!(
        world.up().db.notify_remembered().await.unwrap().noted.len(),
        0
    );
}

#[tokio::test]
async fn silence_while_nobody_runs_is_no_end() {
    let mut world = World::new(WEBHOOK).await;
    world.post(P, 0, 4 * MINUTE);
    world.settle().await;
    world.up = None;
    world.skip(HOURS);
    world.start().await;
    // Its sender comes within its minute; nobody is told anything because of the outage.
    world.pass(HOURS + MINUTE).await;
    world.post(P, 0, 4 * MINUTE);
    world.pass(HOURS + 4 * MINUTE).await;
    assert_eq!(world.history().await, ["Posted firing P@x told 1"]);
    assert_eq!(world.receiver.told(), ["First: P@x / "]);
    world.pass(HOURS + 10 * MINUTE).await;
    let all = ["Posted firing P@x told 1", "Posted resolved P@x told 1"];
    assert_eq!(world.history().await, all);
}

#[tokio::test]
async fn one_that_ends_while_nobody_runs_is_over_after_the_start() {
    let mut world = World::new(WEBHOOK).await;
    world.post(P, 0, HOURS / 2);
    world.settle().await;
    world.up = None;
    world.skip(HOURS);
    world.start().await;
    world.settle().await;
    assert_eq!(world.history().await.len(), 1);
    world.pass(HOURS + 7 * MINUTE).await;
    let all = ["Posted firing P@x told 1", "Posted resolved P@x told 1"];
    assert_eq!(world.history().await, all);
}

#[tokio::test]
async fn one_that_comes_back_before_its_end_was_told_returns() {
    let mut world = World::new(WEBHOOK).await;
    world.post(P, 0, 5 * MINUTE);
    world.pass(10 * SECOND).await;
    world.post(P, 0, 0);
    world.pass(20 * SECOND).await;
    world.post(P, 0, 5 * MINUTE);
    world.pass(30 * SECOND).await;
    // Another one with the same labels, which is over at once.
    world.post(P, 0, 0);
    world.settle().await;
    world.pass(40 * SECOND).await;
    world.post(P, 40 * SECOND, MINUTE);
    world.settle().await;
    let words = |all: Vec<String>| {
        let words = all.into_iter();
        let words = words.map(|one| one.split(' ').nth(1).unwrap_or_default().to_owned());
        words.collect::<Vec<String>>()
    };
    let all = ["firing", "resolved", "returned", "resolved", "firing"];
    assert_eq!(words(world.history().await), all);
}

#[tokio::test]
async fn an_alert_of_our_own_with_the_same_labels_counts() {
    let mut world = World::new(WEBHOOK).await;
    let own = [("A", "x")];
    world.fire(&own).await;
    world.settle().await;
    world.post(own[0], 0, 5 * MINUTE);
    world.pass(MINUTE).await;
    assert_eq!(world.history().await, ["Rule firing A@x told 1"]);
    // The posted one was there before: from then on it is the rule's.
    world.post(("A", "y"), 0, 5 * MINUTE);
    world.settle().await;
    world.fire(&[("A", "y")]).await;
    world.pass(2 * MINUTE).await;
    world.post(("A", "y"), 0, 5 * MINUTE);
    world.settle().await;
    world.resolve(&[("A", "y")]).await;
    world.pass(20 * MINUTE).await;
    let told = [
        "Rule firing A@x told 1",
        "Posted firing A@y told 1",
        "Rule firing A@y told 0",
        "Rule resolved A@y told 1",
    ];
    assert_eq!(world.history().await, told);
}

/// Plays what senders do and what time does; `kills` says whether steps are cut off somewhere.
async fn play(seed: u64, mut kills: Option<Dice>) -> Vec<String> {
    let mut world = World::new(WEBHOOK).await;
    let mut dice = Dice(seed);
    for _ in 0..40 {
        let host = ["x", "y"][dice.roll(2) as usize];
        let ends_in_ms = [0, MINUTE, 5 * MINUTE][dice.roll(3) as usize];
        let is_posted = dice.roll(3) > 0;
        // Now and then it is another episode.
        let began_ms = world.time() / (10 * MINUTE) * 10 * MINUTE;
        let posted = is_posted.then_some((("P", host), began_ms, ends_in_ms));
        // What is over by now is so before anybody comes again.
        for posted in [None, posted] {
            if let Some(kills) = &mut kills {
                kill(&mut world, kills, posted).await;
            }
            if let Some((alert, began_ms, ends_in_ms)) = posted {
                world.post(alert, began_ms, ends_in_ms);
            }
            world.settle().await;
        }
        // An end is seen soon, or the collector was away.
        for _ in 0..[1, 4, 24][dice.roll(3) as usize] {
            world.skip(world.time() + 5 * SECOND);
            world.settle().await;
        }
        world.skip(world.time() + 5 * SECOND);
    }
    world.pass(world.time() + 30 * MINUTE).await;
    world.history().await
}

/// Cuts steps off somewhere, some times, each with what its sender posts, and starts anew.
async fn kill(world: &mut World, kills: &mut Dice, posted: Option<((&str, &str), i64, i64)>) {
    for _ in 0..kills.roll(3) {
        if let Some((alert, began_ms, ends_in_ms)) = posted {
            world.post(alert, began_ms, ends_in_ms);
        }
        let now = world.times().now();
        cut(world.up().dispatcher.step(now), kills.roll(12)).await;
        world.crash().await;
    }
}

#[tokio::test]
async fn wherever_it_is_killed_the_history_is_the_same() {
    for seed in 0..8 {
        let calm = play(seed, None).await;
        let killed = play(seed, Some(Dice(seed + 1_000))).await;
        assert_eq!(killed, calm, "seed {seed}");
        let last = |host: &str| calm.iter().rfind(|one| one.contains(host)).unwrap();
        assert!(last("P@x").contains("resolved"), "{calm:?}");
        assert!(last("P@y").contains("resolved"), "{calm:?}");
        assert!(calm.len() > 8, "seed {seed}: {calm:?}");
    }
}
