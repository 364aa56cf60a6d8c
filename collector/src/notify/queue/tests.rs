use super::*;
use crate::config::notify::Rate;

const KEEP: Duration = Duration::from_secs(7 * 86_400);

fn limited(burst: u32) -> Bucket {
    let refill = Duration::from_secs(3);
    Bucket::new(Rate::Limited { burst, refill }, 0, 0)
}

fn queue(burst: u32, keeping: Keeping) -> Queue {
    Queue::new(limited(burst), Open::default(), keeping)
}

fn head(id: i64, group: &str) -> Head {
    Head {
        id,
        group_key: group.to_owned(),
        created_at_ms: 0,
        attempts: 0,
        next_try_ms: None,
    }
}

fn heads(ids: std::ops::Range<i64>) -> Vec<Head> {
    ids.map(|id| head(id, &format!("g{id}"))).collect()
}

/// Sends until there is something else to do than to send; gives what was sent.
fn drain(queue: &mut Queue, now_ms: i64) -> (Vec<i64>, Next) {
    let mut sent = Vec::new();
    loop {
        match queue.next(KEEP, now_ms) {
            Next::Send(id, cost) => {
                queue.bucket.take(cost, now_ms);
                queue.reached();
                queue.remove(id);
                sent.push(id);
            }
            other => return (sent, other),
        }
    }
}

#[test]
fn rows_go_in_their_order() {
    let mut queue = queue(20, Keeping::Plain);
    assert_eq!(queue.next(KEEP, 0), Next::Nothing);
    queue.add(heads(1..4));
    assert_eq!(drain(&mut queue, 0), (vec![1, 2, 3], Next::Nothing));
}

#[test]
fn a_storm_is_folded_when_the_last_token_is_reached() {
    let mut queue = queue(20, Keeping::Plain);
    queue.add(heads(1..1_001));
    let (sent, next) = drain(&mut queue, 0);
    assert_eq!(sent, (1..20).collect::<Vec<_>>());
    let Next::Fold(rows, None) = next else {
        panic!("{next:?}");
    };
    assert_eq!(rows, (20..1_001).collect::<Vec<_>>());
    for id in rows {
        queue.remove(id);
    }
    let mut digest = head(1_001, "digest:team:1");
    queue.add(vec![digest.clone()]);
    assert_eq!(drain(&mut queue, 0), (vec![1_001], Next::Nothing));
    // What comes then waits for half a minute, and is folded into the same digest if it is much.
    queue.open.digests.insert("digest:team:1".to_owned(), 0);
    queue.add(heads(2_001..2_011));
    assert_eq!(queue.next(KEEP, 0), Next::Wait(30_000));
    let next = queue.next(KEEP, 30_000);
    let Next::Fold(rows, Some(into)) = next else {
        panic!("{next:?}");
    };
    assert_eq!((rows.len(), into.as_str()), (10, "digest:team:1"));
    // Only one digest at a time waits.
    digest.id = 2_012;
    queue.add(vec![digest]);
    assert!(matches!(queue.next(KEEP, 30_000), Next::Send(_, _)));
    // Much later it is another storm.
    queue.remove(2_012);
    queue.bucket = limited(1);
    assert!(matches!(queue.next(KEEP, 400_000), Next::Fold(_, None)));
}

#[test]
fn few_rows_are_told_one_by_one() {
    let mut queue = queue(2, Keeping::Plain);
    queue.add(heads(1..5));
    assert_eq!(drain(&mut queue, 0), (vec![1, 2], Next::Wait(3_000)));
    assert_eq!(drain(&mut queue, 3_000), (vec![3], Next::Wait(6_000)));
}

#[test]
fn without_a_rate_everything_goes() {
    let mut queue = queue(2, Keeping::Plain);
    queue.bucket = Bucket::new(Rate::Unlimited, 0, 0);
    queue.add(heads(1..1_001));
    assert_eq!(drain(&mut queue, 0).0.len(), 1_000);
}

#[test]
fn what_was_told_alone_ends_alone_and_at_once() {
    let check = |keeping: Keeping, expected: usize| {
        let mut queue = queue(1, keeping);
        for id in 1..101 {
            queue.open.groups.insert(format!("g{id}"), None);
        }
        queue.add(heads(1..101));
        assert_eq!(drain(&mut queue, 0).0.len(), expected);
    };
    check(Keeping::Keyed, 100);
    check(Keeping::Plain, 0);
}

#[test]
fn what_is_in_a_digest_is_told_with_it() {
    let mut queue = queue(20, Keeping::Keyed);
    queue.open.digests.insert("digest:x:1".to_owned(), 0);
    let digest = Some("digest:x:1".to_owned());
    queue.open.groups.insert("g1".to_owned(), digest.clone());
    queue.open.groups.insert("g3".to_owned(), digest.clone());
    queue.add(heads(1..4));
    assert_eq!(queue.next(KEEP, 0), Next::Fold(vec![1, 3], digest.clone()));
    // Not while the digest itself waits.
    queue.add(vec![head(4, "digest:x:1")]);
    let (sent, next) = drain(&mut queue, 0);
    assert_eq!(sent, [2, 4]);
    assert_eq!(next, Next::Fold(vec![1, 3], digest));
    // Of a digest that is no more nothing is left.
    queue.open.digests.clear();
    assert_eq!(queue.next(KEEP, 0), Next::Send(1, Cost::One));
}

#[test]
fn a_receiver_that_is_away_is_tried_less_and_less_often() {
    let mut queue = queue(20, Keeping::Plain);
    queue.add(heads(1..2));
    let (mut now_ms, mut pauses) = (0, Vec::new());
    for _ in 0..12 {
        assert_eq!(queue.next(KEEP, now_ms), Next::Send(1, Cost::One));
        queue.failed(1, None, now_ms);
        let Next::Wait(until_ms) = queue.next(KEEP, now_ms) else {
            panic!("it is tried again at once");
        };
        pauses.push(until_ms - now_ms);
        now_ms = until_ms;
    }
    for (place, pause_ms) in pauses.iter().enumerate() {
        let most = (1_000 << place).min(300_000);
        assert!((most * 4 / 5..=most).contains(pause_ms), "{pauses:?}");
    }
    queue.reached();
    assert_eq!(queue.next(KEEP, now_ms), Next::Send(1, Cost::One));
}

#[test]
fn a_receiver_is_left_alone_as_long_as_it_asks() {
    let mut queue = queue(20, Keeping::Plain);
    queue.add(heads(1..4));
    queue.failed(1, Some(Duration::from_secs(77)), 0);
    assert_eq!(queue.next(KEEP, 0), Next::Wait(77_000));
    assert!(matches!(queue.next(KEEP, 77_000), Next::Send(_, _)));
    queue.failed(1, Some(Duration::from_secs(1 << 40)), 77_000);
    assert_eq!(queue.next(KEEP, 77_000), Next::Wait(77_000 + 3_600_000));
}

#[test]
fn a_row_that_is_never_taken_holds_up_nobody_else() {
    let mut queue = queue(100, Keeping::Plain);
    queue.add(vec![head(1, "bad"), head(2, "bad")]);
    let mut now_ms = 0;
    for _ in 0..9 {
        queue.failed(1, None, now_ms);
        now_ms += 300_000;
    }
    queue.failed(1, None, now_ms);
    queue.add(heads(3..5));
    // The receiver may be away, so others wait as well, but not for long.
    assert_eq!(queue.next(KEEP, now_ms), Next::Wait(now_ms + 15_000));
    let (sent, next) = drain(&mut queue, now_ms + 15_000);
    // And once one is taken, it is this row's own fault; the next of its group still waits for it.
    assert_eq!(sent, [3, 4, 1, 2]);
    assert_eq!(next, Next::Nothing);
}

#[test]
fn what_is_too_old_is_given_up() {
    let mut queue = queue(20, Keeping::Plain);
    queue.add(heads(1..2));
    let end_ms = KEEP.as_millis() as i64;
    queue.failed(1, None, end_ms - 10);
    assert_eq!(queue.next(KEEP, end_ms - 5), Next::Wait(end_ms));
    assert_eq!(queue.next(KEEP, end_ms), Next::GiveUp(1));
}

#[test]
fn tokens_come_back_with_time_and_not_beyond_the_burst() {
    let mut bucket = limited(2);
    bucket.take(Cost::One, 0);
    bucket.take(Cost::One, 0);
    assert!(!bucket.has_token(2_999) && bucket.has_token(3_000));
    assert!(!bucket.is_low(1_000_000));
    bucket.take(Cost::Digest, 1_000_000);
    assert!(bucket.is_low(1_000_000));
    assert_eq!(bucket.token_at_ms(1_000_000), 1_003_000);
    // What was sent before a restart counts.
    let rate = Rate::Limited {
        burst: 2,
        refill: Duration::from_secs(3),
    };
    assert_eq!(Bucket::memory_ms(rate), 6_000);
    assert!(!Bucket::new(rate, 5, 0).has_token(0));
}
