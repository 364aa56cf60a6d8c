use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use wire::batch::{AgentId, BatchId, RunId, Sequence};
use wire::frame;
use wire::metric::Kind;

use super::record::{Checkpoint, DecodeError, Record, Runs};
use super::*;
use crate::append::{Arrival, Origin};
use crate::conformance::{self, anonymous, found, from_agent, row};
use crate::ledger::{Run, SourceId, SourceSeen};

fn open(folder: &Path) -> (Journal, Recovery) {
    // The clock far ahead: everything arrived before that.
    open_at(folder, i64::MAX / 2, Options::default())
}

fn open_at(folder: &Path, now_steady_ms: i64, options: Options) -> (Journal, Recovery) {
    Journal::open(folder, options, 0, now_steady_ms).unwrap()
}

/// Lets go what arrived before a moment, as if it were somewhere else.
async fn let_go(journal: &Journal, before_steady_ms: i64) {
    journal.memory().end_generation();
    if let Some(ripe) = journal.memory().ripe(before_steady_ms) {
        journal.release(ripe, before_steady_ms).await;
    }
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let found = segment::list(folder).unwrap();
    found.into_iter().map(|(_, path)| path).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    conformance::check(async || {
        number.set(number.get() + 1);
        open(&folder.path().join(number.get().to_string())).0
    })
    .await;
}

#[test]
fn agrees_with_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    // Few: each appends durably a score of times.
    let make = async || {
        number.set(number.get() + 1);
        open(&folder.path().join(number.get().to_string())).0
    };
    conformance::check_against_model(24, make, async |store, _| store);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (agent, run) = (AgentId::random(), RunId::random());
    let give = |sequence: u64| {
        let rows = vec![row("__name__=a", sequence as i64, 1.0)];
        vec![from_agent(agent, run, sequence, rows)]
    };
    for start in 0..4u64 {
        let last = start * 2;
        let (journal, recovery) = open(folder.path());
        assert_eq!(recovery.deliveries, last);
        assert_eq!((recovery.damages.len(), recovery.torn), (0, None));
        let expected: Vec<_> = (1..=last).map(|at| format!("__name__=a@{at}=1")).collect();
        assert_eq!(found(&journal, &[]).await, expected);
        for known in 1..=last {
            let outcome = journal.append(give(known)).await.unwrap();
            assert_eq!(outcome, [Outcome::Duplicate]);
        }
        for new in [last + 1, last + 2] {
            assert_eq!(journal.append(give(new)).await.unwrap(), [Outcome::Stored]);
        }
        let mark = Sequence(last + 2);
        assert_eq!(journal.agents()[0].1.runs, [Run { id: run, mark }]);
        journal.close().await;
        let closed = journal.append(vec![]).await;
        assert!(matches!(closed, Err(AppendError::Closed)));
    }
}

#[tokio::test]
async fn metadata_and_agents_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let agent = AgentId::random();
    let metadata = Metadata {
        kind: Kind::Summary,
        help: "h".into(),
        unit: "By".into(),
    };
    let mut delivery = from_agent(agent, RunId::random(), 1, vec![row("__name__=a", 5, 1.0)]);
    delivery.metadata = vec![("a".into(), metadata.clone())];
    delivery.arrival.sent_ms = Some(delivery.arrival.wall_ms + 30);
    let before = {
        let (journal, _) = open(folder.path());
        journal.append(vec![delivery]).await.unwrap();
        journal.close().await;
        journal.agents()
    };
    let (journal, _) = open(folder.path());
    let said = journal.metadata(Some("a")).await.unwrap();
    assert_eq!(said, [("a".to_owned(), metadata)]);
    assert_eq!(journal.agents(), before);
    assert_eq!(before[0].1.skew_ms, Some(30));
}

#[tokio::test]
async fn waiting_requests_share_an_fsync() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    let appends =
        (0..200).map(|at_ms| journal.append(vec![anonymous(vec![row("__name__=a", at_ms, 1.0)])]));
    for outcome in futures::future::join_all(appends).await {
        assert_eq!(outcome.unwrap(), [Outcome::Stored]);
    }
    let fsyncs: u64 = journal.journal_stats().fsync.buckets.iter().sum();
    assert!((1..200).contains(&fsyncs), "{fsyncs}");
    assert_eq!(found(&journal, &[]).await.len(), 200);
}

/// A journal of one segment with ten deliveries; gives where each record ends.
async fn ten_deliveries(folder: &Path, agent: AgentId, run: RunId) -> (PathBuf, Vec<usize>) {
    let (journal, _) = open(folder);
    for sequence in 1..=10 {
        let rows = vec![row("__name__=a", sequence as i64, 1.0)];
        journal
            .append(vec![from_agent(agent, run, sequence, rows)])
            .await
            .unwrap();
    }
    journal.close().await;
    let path = segments(folder).remove(0);
    let file = fs::read(&path).unwrap();
    let (mut ends, mut at) = (Vec::new(), 0);
    while let frame::Scan::Record { next, .. } = frame::scan(&file, at) {
        ends.push(next);
        at = next;
    }
    // A checkpoint, the series and ten deliveries.
    assert_eq!(ends.len(), 12);
    ends.remove(1);
    (path, ends)
}

#[tokio::test]
async fn a_torn_tail_is_cut_at_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (agent, run) = (AgentId::random(), RunId::random());
    let (path, ends) = ten_deliveries(folder.path(), agent, run).await;
    let whole = fs::read(&path).unwrap();
    for cut in ends[8]..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let (journal, recovery) = open(folder.path());
        let kept = ends[1..].iter().filter(|end| **end <= cut).count();
        assert_eq!(recovery.deliveries, kept as u64, "cut at {cut}");
        assert!(recovery.damages.is_empty());
        let is_torn = !ends.contains(&cut);
        assert_eq!(recovery.torn.is_some(), is_torn, "cut at {cut}");
        assert_eq!(fs::metadata(&path).unwrap().len(), ends[kept] as u64);
        journal.close().await;
        let (_, again) = open(folder.path());
        assert_eq!(
            (again.torn, again.deliveries),
            (None, kept as u64),
            "the cut is final"
        );
    }
}

#[tokio::test]
async fn a_flipped_bit_costs_one_delivery_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (agent, run) = (AgentId::random(), RunId::random());
    let (path, ends) = ten_deliveries(folder.path(), agent, run).await;
    let whole = fs::read(&path).unwrap();
    for at in ends[3]..ends[4] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&path, &damaged).unwrap();
        let (journal, recovery) = open(folder.path());
        assert_eq!(recovery.deliveries, 9, "flipped at {at}");
        let expected = Damage {
            path: path.clone(),
            offset: ends[3] as u64,
            bytes: (ends[4] - ends[3]) as u64,
        };
        assert_eq!(recovery.damages, [expected]);
        assert_eq!(journal.agents()[0].1.runs[0].mark, Sequence(10));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_bytes_are_survived(
        garbage in prop::collection::vec(any::<u8>(), 0..2000),
        framed in prop::option::of(1..=record::VERSION),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut file = garbage.clone();
        if let Some(version) = framed {
            file.clear();
            let mut body = vec![version];
            body.extend(&garbage);
            frame::write(&mut file, &body);
        }
        fs::write(segment::path_of(folder.path(), 1), &file).unwrap();
        let (_, recovery) = open(folder.path());
        prop_assert_eq!(recovery.deliveries, 0);
        prop_assert_eq!(recovery.damages.is_empty() && recovery.torn.is_none(), file.is_empty());
    }

    #[test]
    fn records_come_back(
        mut delivery in any_delivery(),
        numbers in prop::collection::vec(prop_oneof![0u32..5, any::<u32>()], 1..9),
    ) {
        let mut framed = Vec::new();
        let numbers = (0..delivery.rows.len()).map(|row| numbers[row % numbers.len()]);
        let mut series = Runs::default();
        numbers.for_each(|number| series.push(number));
        record::Content::of(&delivery).unwrap().put_frame(&mut framed, &series);
        let frame::Scan::Record { body, .. } = frame::scan(&framed, 0) else { panic!("no frame") };
        let rows = std::mem::take(&mut delivery.rows);
        let samples = rows.into_iter().map(|row| row.sample).collect();
        let numbered = record::Numbered { delivery, series, samples };
        prop_assert_eq!(record::decode(body), Ok(Record::Numbered(numbered)));
        for cut in 0..body.len() {
            prop_assert!(record::decode(&body[..cut]).is_err());
        }
    }
}

fn any_exemplar() -> impl Strategy<Value = (Labels, crate::read::Exemplar)> {
    let exemplar = (".{0,9}", ".{0,9}", any::<i64>(), -1e300..1e300);
    exemplar.prop_map(|(series, trace, at_ms, value)| {
        let exemplar = crate::read::Exemplar {
            labels: Labels::from_pairs([("trace_id", trace.as_str())]),
            sample: crate::read::Sample { at_ms, value },
        };
        (Labels::from_pairs([("a", series.as_str())]), exemplar)
    })
}

fn any_delivery() -> impl Strategy<Value = Delivery> {
    let id =
        (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<u64>()).prop_map(|(agent, run, sequence)| {
            BatchId {
                agent: AgentId::from_bytes(agent),
                run: RunId::from_bytes(run),
                sequence: Sequence(sequence),
            }
        });
    let origin =
        (id, ".{0,9}", ".{0,9}", ".{0,9}").prop_map(|(id, host, source, instance)| Origin {
            id,
            host,
            source,
            instance,
        });
    // Bit patterns would not compare equal as NaN; the conformance suite covers those.
    let rows = prop::collection::vec((".{0,9}", ".{0,99}", any::<i64>(), -1e300..1e300), 0..9);
    let arrival = (any::<i64>(), prop::option::of(any::<i64>()));
    let exemplars = prop::collection::vec(any_exemplar(), 0..3);
    (
        prop::option::of(origin),
        arrival,
        rows,
        ".{0,20}",
        exemplars,
    )
        .prop_map(
            |(origin, (wall_ms, sent_ms), rows, help, exemplars)| Delivery {
                origin,
                arrival: Arrival {
                    wall_ms,
                    steady_ms: wall_ms,
                    sent_ms,
                },
                rows: rows
                    .into_iter()
                    .map(|(name, value, at_ms, number)| crate::append::Row {
                        labels: Labels::from_pairs([(name.as_str(), value.as_str())]),
                        sample: crate::read::Sample {
                            at_ms,
                            value: number,
                        },
                    })
                    .collect(),
                metadata: vec![(
                    "m".into(),
                    Metadata {
                        kind: Kind::Untyped,
                        help,
                        unit: String::new(),
                    },
                )],
                exemplars,
            },
        )
}

#[test]
fn a_checkpoint_comes_back() {
    let agent = Agent {
        host: "db1".into(),
        last_seen_ms: -5,
        newest_sample_ms: Some(7),
        skew_ms: None,
        stored: u64::MAX,
        skipped: 3,
        runs: vec![Run {
            id: RunId::random(),
            mark: Sequence(u64::MAX),
        }],
        sources: [(
            SourceId {
                source: "s".into(),
                instance: "i".into(),
            },
            SourceSeen {
                series: 9,
                last_seen_ms: 1,
            },
        )]
        .into(),
    };
    let agents = vec![(AgentId::random(), agent)];
    let said = Metadata {
        kind: Kind::Counter,
        help: "Help.".into(),
        unit: "seconds".into(),
    };
    let checkpoint = || Checkpoint {
        agents: agents.clone(),
        metadata: vec![("a_total".into(), said.clone())],
    };
    let framed = record::encode_checkpoint(&checkpoint()).unwrap();
    let frame::Scan::Record { body, .. } = frame::scan(&framed, 0) else {
        panic!("no frame")
    };
    assert_eq!(record::decode(body), Ok(Record::Checkpoint(checkpoint())));
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = Vec::new();
    frame::write(&mut file, &[record::VERSION + 1, 1, 2, 3]);
    let path = segment::path_of(folder.path(), 1);
    fs::write(&path, &file).unwrap();
    let refused = Journal::open(folder.path(), Options::default(), 0, 0).unwrap_err();
    assert!(
        matches!(refused, OpenError::Version { version, .. } if version == record::VERSION + 1)
    );
    assert_eq!(fs::read(&path).unwrap(), file);
    assert_eq!(record::decode(&[]), Err(DecodeError::Malformed));
}

#[tokio::test]
async fn old_segments_go_and_the_ledger_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (agent, run) = (AgentId::random(), RunId::random());
    let mut options = Options {
        segment_bytes: 1,
        ..Options::default()
    };
    options.bounds.retention = Duration::from_secs(160);
    let arrived = |second: i64, mut delivery: Delivery| {
        delivery.arrival = Arrival {
            wall_ms: second * 1000,
            steady_ms: second * 1000,
            sent_ms: None,
        };
        delivery
    };
    let (journal, _) = open_at(folder.path(), 0, options);
    for second in 1..=10u64 {
        let delivery = from_agent(
            agent,
            run,
            second,
            vec![row("__name__=a", second as i64, 1.0)],
        );
        journal
            .append(vec![arrived(second as i64 * 20, delivery)])
            .await
            .unwrap();
    }
    assert_eq!(segments(folder.path()).len(), 10);
    let_go(&journal, 140_000).await;
    assert_eq!(
        found(&journal, &[]).await,
        [
            "__name__=a@7=1",
            "__name__=a@8=1",
            "__name__=a@9=1",
            "__name__=a@10=1"
        ]
    );
    assert_eq!(segments(folder.path()).len(), 4);
    assert_eq!(journal.journal_stats().segments, 4);
    let_go(&journal, 10_000_000).await;
    assert_eq!(
        segments(folder.path()).len(),
        1,
        "one that holds the ledger alone"
    );
    journal.close().await;

    let (journal, recovery) = open_at(folder.path(), 10_000_000, options);
    assert_eq!((recovery.deliveries, recovery.segments), (0, 1));
    let again = arrived(
        10_000,
        from_agent(agent, run, 10, vec![row("__name__=a", 10, 1.0)]),
    );
    assert_eq!(
        journal.append(vec![again]).await.unwrap(),
        [Outcome::Duplicate]
    );
    assert_eq!(journal.agents()[0].1.stored, 10);
}

#[tokio::test]
async fn after_a_restart_old_segments_go_without_a_write() {
    let folder = tempfile::tempdir().unwrap();
    let (agent, run) = (AgentId::random(), RunId::random());
    ten_deliveries(folder.path(), agent, run).await;
    let (journal, recovery) = open_at(folder.path(), i64::MAX / 4, Options::default());
    assert_eq!(recovery.deliveries, 10);
    let_go(&journal, i64::MAX).await;
    assert_eq!(segments(folder.path()).len(), 1);
    journal.close().await;
    let (journal, recovery) = open(folder.path());
    assert_eq!(recovery.deliveries, 0);
    assert_eq!(journal.agents()[0].1.runs[0].mark, Sequence(10));
}

mod numbered;
mod tail;
