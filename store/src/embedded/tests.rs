use std::cell::Cell;
use std::fs;

use wire::batch::{RunId, Sequence};

use super::*;
use crate::append::Arrival;
use crate::conformance::{self, anonymous, found, from_agent, row};
use crate::read::STALE;

async fn open(folder: &Path, options: Options) -> Embedded {
    let opened = Embedded::open(Folders::below(folder), options, i64::MAX / 2).await;
    opened.unwrap().0
}

/// Keeps everything for ever: the tests' clocks are far apart.
fn keeping() -> Options {
    Options {
        blocks: blocks::Options {
            retention: None,
            levels: vec![Duration::from_millis(1), Duration::from_secs(1)],
            ..blocks::Options::default()
        },
        ..Options::default()
    }
}

/// Writes everything to blocks, by way of bounds under which no append would be let in.
async fn flush(folder: &Path, store: Embedded) -> Embedded {
    store.close().await;
    let store = open(
        folder,
        Options {
            max_samples: 0,
            ..keeping()
        },
    )
    .await;
    store.maintain(i64::MAX / 2).await.unwrap();
    assert_eq!(store.stats().samples, 0);
    store.close().await;
    open(folder, keeping()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    let number = Cell::new(0);
    let make = async || {
        number.set(number.get() + 1);
        open(
            &folder.path().join(number.get().to_string()),
            Options::default(),
        )
        .await
    };
    conformance::check(make).await;
}

#[tokio::test]
async fn holds_strangers_to_time_limits() {
    let folder = tempfile::tempdir().unwrap();
    let limited = Options {
        limits: conformance::TIME_LIMITS,
        ..keeping()
    };
    let store = open(folder.path(), limited).await;
    conformance::check_time_limits(&store).await;
    let before = found(&store, &[]).await;
    store.close().await;
    let store = open(folder.path(), keeping()).await;
    assert_eq!(found(&store, &[]).await, before);
}

#[test]
fn agrees_with_the_model_whatever_moves_to_blocks_and_however_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let number = Cell::new(0);
    let place = || folder.path().join(number.get().to_string());
    let make = async || {
        number.set(number.get() + 1);
        open(&place(), keeping()).await
    };
    let disturb = async |store: Embedded, how: u8| match how % 4 {
        0 => flush(&place(), store).await,
        1 => {
            store.close().await;
            open(&place(), keeping()).await
        }
        // The block is durable, and then the power goes: memory and journal still hold it all.
        2 => {
            store.journal.memory().end_generation();
            if let Some(ripe) = store.journal.memory().ripe(i64::MAX) {
                let (blocks, memory) = (store.blocks.clone(), store.journal.shared_memory());
                let provenance = Provenance {
                    arrived_from_ms: ripe.arrived_from_ms,
                    arrived_to_ms: ripe.arrived_to_ms,
                    mark: store.journal.mark(ripe).await,
                };
                let add = move || blocks.add(memory.series_through(ripe.through), provenance);
                in_background(add).await.unwrap();
            }
            store.close().await;
            open(&place(), keeping()).await
        }
        _ => {
            store.maintain(i64::MAX / 2).await.unwrap();
            store
        }
    };
    conformance::check_against_model(24, make, disturb);
}

#[tokio::test]
async fn what_went_to_a_block_leaves_memory_and_journal_and_is_still_known() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), keeping()).await;
    let (agent, run) = (AgentId::random(), RunId::random());
    let mut delivery = from_agent(agent, run, 7, vec![row("__name__=a", 5, STALE)]);
    let said = Metadata {
        kind: wire::metric::Kind::Gauge,
        help: "One.".to_owned(),
        unit: String::new(),
    };
    delivery.metadata = vec![("a".to_owned(), said.clone())];
    store.append(vec![delivery.clone()]).await.unwrap();
    let store = flush(folder.path(), store).await;
    assert_eq!(store.blocks_stats().samples, 1);
    let read = store.select(&[], TimeRange::ALL, 10).await.unwrap();
    assert_eq!(read[0].samples[0].value.to_bits(), STALE.to_bits());
    assert_eq!(
        store.append(vec![delivery]).await.unwrap(),
        [Outcome::Duplicate]
    );
    assert_eq!(store.agents()[0].1.runs[0].mark, Sequence(7));
    let metadata = store.metadata(None).await.unwrap();
    assert_eq!(metadata, [("a".to_owned(), said)]);
    let segments = fs::read_dir(folder.path().join("journal")).unwrap().count();
    assert_eq!(segments, 1, "the ledger alone");
}

#[tokio::test]
async fn blocks_are_written_when_two_hours_are_there_or_senders_fell_silent() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), keeping()).await;
    let minute = 60_000;
    let mut written = Vec::new();
    for at in (0..300).step_by(10) {
        let mut delivery = anonymous(vec![row("__name__=a", at, 1.0)]);
        let arrived = at * minute;
        delivery.arrival = Arrival {
            wall_ms: arrived,
            steady_ms: arrived,
            sent_ms: None,
        };
        store.append(vec![delivery]).await.unwrap();
        if store.maintain(arrived).await.unwrap().written > 0 {
            written.push(at);
        }
    }
    assert_eq!(written, [150, 270]);
    // The last of them go three hours after the first of them came, with nothing coming any more.
    assert_eq!(store.maintain(400 * minute).await.unwrap().written, 0);
    let all = found(&store, &[]).await;
    assert_eq!(all.len(), 30);
    assert_eq!(store.maintain(480 * minute).await.unwrap().written, 1);
    assert_eq!(found(&store, &[]).await, all);
}

#[tokio::test]
async fn memory_is_bounded_where_blocks_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        max_samples: 10,
        ..keeping()
    };
    let store = open(folder.path(), options).await;
    let rows = |from: i64| {
        (from..from + 22)
            .map(|at| row("__name__=a", at, 1.0))
            .collect()
    };
    store.append(vec![anonymous(rows(0))]).await.unwrap();
    let refused = store.append(vec![anonymous(rows(30))]).await;
    assert!(matches!(refused, Err(AppendError::Busy)), "{refused:?}");
    store.overfull().await;
    store.maintain(0).await.unwrap();
    store.append(vec![anonymous(rows(30))]).await.unwrap();
    assert_eq!(found(&store, &[]).await.len(), 44);
}

/// What came late with an early stamp is not in the block, whatever its stamp says.
#[tokio::test]
async fn a_block_never_stands_for_what_it_does_not_hold() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = Options {
        segment_bytes: 1,
        ..keeping()
    };
    let store = open(folder.path(), tiny).await;
    let arrived = |at: i64, name: &str| {
        let mut delivery = anonymous(vec![row(name, at, 1.0)]);
        delivery.arrival.steady_ms = at;
        delivery.arrival.wall_ms = at;
        vec![delivery]
    };
    for (at, name) in [(40, "__name__=a"), (60, "__name__=b"), (100, "__name__=c")] {
        store.append(arrived(at, name)).await.unwrap();
    }
    store.journal.memory().end_generation();
    let ripe = store.journal.memory().ripe(i64::MAX).unwrap();
    for (at, name) in [
        (50, "__name__=late"),
        (120, "__name__=d"),
        (130, "__name__=e"),
    ] {
        store.append(arrived(at, name)).await.unwrap();
    }
    store.write_block(ripe, 130).await.unwrap();
    let all = found(&store, &[]).await;
    assert_eq!(all.len(), 6);
    store.close().await;
    assert_eq!(found(&open(folder.path(), keeping()).await, &[]).await, all);
}

/// An operator who removed the journal must not lose what comes after.
#[tokio::test]
async fn a_new_journal_is_not_taken_for_an_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(
        folder.path(),
        Options {
            segment_bytes: 1,
            ..keeping()
        },
    )
    .await;
    for at in 0..5 {
        store
            .append(vec![anonymous(vec![row("__name__=a", at, 1.0)])])
            .await
            .unwrap();
    }
    let store = flush(folder.path(), store).await;
    assert!(store.blocks.mark() > 0);
    store.close().await;
    fs::remove_dir_all(folder.path().join("journal")).unwrap();
    for at in 10..13 {
        let store = open(folder.path(), keeping()).await;
        store
            .append(vec![anonymous(vec![row("__name__=a", at, 1.0)])])
            .await
            .unwrap();
        store.close().await;
    }
    assert_eq!(
        found(&open(folder.path(), keeping()).await, &[])
            .await
            .len(),
        8
    );
}
