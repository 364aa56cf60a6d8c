//! Following the journal gives what it took in, once and in order, from any position on.

use super::*;
use crate::tail::{Position, Tail};

/// The values of a stretch's samples.
fn values(journal: &Journal, from: Position, max_bytes: usize) -> (Vec<f64>, Position) {
    let stretch = journal.read(from, journal.end(), max_bytes).unwrap();
    assert_eq!(stretch.lost, crate::tail::Lost::default());
    let rows = stretch.deliveries.iter().flat_map(|(one, _)| &one.rows);
    (rows.map(|row| row.sample.value).collect(), stretch.next)
}

async fn give(journal: &Journal, value: f64) {
    let rows = vec![row("__name__=a", value as i64, value)];
    journal.append(vec![anonymous(rows)]).await.unwrap();
}

#[tokio::test]
async fn all_is_followed_across_files_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 100,
        ..Options::default()
    };
    let mut given = Vec::new();
    let mut begun = Position::default();
    for start in 0..3 {
        let (journal, _) = open_at(folder.path(), i64::MAX / 2, options);
        assert!(values(&journal, begun, usize::MAX).0.is_empty());
        for step in 0..5 {
            let value = f64::from(start * 5 + step);
            give(&journal, value).await;
            given.push(value);
        }
        let (all, end) = values(&journal, Position::default(), usize::MAX);
        assert_eq!((all, end), (given.clone(), journal.end()));
        let (new, end) = values(&journal, begun, usize::MAX);
        assert_eq!(new, given[given.len() - 5..]);
        assert_eq!(journal.pending(end), 0);
        assert!(journal.pending(begun) > journal.pending(Position::default()) / 4);
        begun = end;
        // A byte at a time is a delivery at a time; each may be gone on from.
        let (mut at, mut one_by_one) = (Position::default(), Vec::new());
        while at < journal.end() {
            let (some, next) = values(&journal, at, 1);
            assert!(next > at && some.len() <= 1, "{some:?}");
            one_by_one.extend(some);
            at = next;
        }
        assert_eq!(one_by_one, given);
        let stretch = journal
            .read(Position::default(), begun, usize::MAX)
            .unwrap();
        for (place, (_, behind)) in stretch.deliveries.iter().enumerate() {
            let (rest, _) = values(&journal, *behind, usize::MAX);
            assert_eq!(rest, given[place + 1..]);
        }
        journal.close().await;
    }
    assert!(segments(folder.path()).len() > 3);
}

#[tokio::test]
async fn records_longer_than_the_window_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    let mut seed = 7u64;
    let rows = (0..200_000).map(|at| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        row("__name__=a", at, f64::from_bits(seed >> 2))
    });
    journal
        .append(vec![anonymous(rows.collect())])
        .await
        .unwrap();
    give(&journal, 1.0).await;
    assert!(journal.end().offset > 1 << 20);
    let (all, _) = values(&journal, Position::default(), usize::MAX);
    assert_eq!(all.len(), 200_001);
}

#[tokio::test]
async fn what_is_gone_or_damaged_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 1,
        ..Options::default()
    };
    let (journal, _) = open_at(folder.path(), i64::MAX / 2, options);
    for value in 0..4 {
        give(&journal, f64::from(value)).await;
    }
    let files = segments(folder.path());
    assert_eq!(files.len(), 4);
    let second = Position {
        segment: 2,
        offset: 0,
    };
    fs::remove_file(&files[0]).unwrap();
    fs::remove_file(&files[1]).unwrap();
    let read = |from| journal.read(from, journal.end(), usize::MAX).unwrap();
    let stretch = read(second);
    assert!(stretch.lost.expired);
    assert_eq!((stretch.deliveries.len(), stretch.next), (2, journal.end()));
    assert!(
        !read(Position::default()).lost.expired,
        "a reader who never began lost nothing"
    );

    let mut bytes = fs::read(&files[2]).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&files[2], bytes).unwrap();
    let stretch = read(Position::default());
    assert_eq!((stretch.deliveries.len(), stretch.next), (1, journal.end()));
    assert!(stretch.lost.damaged_bytes > 0);

    for file in &files[2..] {
        fs::remove_file(file).unwrap();
    }
    assert_eq!(read(second).next, journal.end());
}
