use wire::batch::{AgentId, BatchId, RunId, Sequence};

use super::*;
use crate::append::{Arrival, Row};
use crate::labels::Labels;
use crate::read::Sample;

fn delivery(agent: AgentId, run: RunId, sequence: u64, wall_ms: i64, at_ms: i64) -> Delivery {
    Delivery {
        origin: Some(Origin {
            id: BatchId {
                agent,
                run,
                sequence: Sequence(sequence),
            },
            host: "db1".into(),
            source: format!("source{}", sequence % 1000),
            instance: "db1:5432".into(),
        }),
        arrival: Arrival {
            wall_ms,
            steady_ms: wall_ms,
            sent_ms: None,
        },
        rows: vec![Row {
            labels: Labels::from_pairs([("__name__", "up")]),
            sample: Sample { at_ms, value: 1.0 },
        }],
        metadata: vec![],
        exemplars: vec![],
    }
}

fn record(ledger: &mut Ledger, delivery: &Delivery) {
    ledger.record(delivery.origin.as_ref().unwrap(), &Summary::of(delivery));
}

fn id_of(delivery: &Delivery) -> BatchId {
    delivery.origin.as_ref().unwrap().id
}

#[test]
fn one_mark_tells_duplicates_of_a_run() {
    let (agent, run) = (AgentId::random(), RunId::random());
    let mut ledger = Ledger::default();
    for sequence in [1, 2, 5] {
        record(&mut ledger, &delivery(agent, run, sequence, 10, 10));
    }
    for (sequence, known) in [(1, true), (4, true), (5, true), (6, false)] {
        let id = id_of(&delivery(agent, run, sequence, 0, 0));
        assert_eq!(ledger.has(&id), known, "{sequence}");
    }
    let other = id_of(&delivery(agent, RunId::random(), 1, 0, 0));
    assert!(!ledger.has(&other));
    let (_, agent) = ledger.agents().next().unwrap();
    assert_eq!((agent.stored, agent.skipped), (3, 2));
}

#[test]
fn every_part_is_bounded() {
    let agent = AgentId::random();
    let mut ledger = Ledger::default();
    let first = RunId::random();
    record(&mut ledger, &delivery(agent, first, 1, 1, 1));
    for number in 0..2_000 {
        record(
            &mut ledger,
            &delivery(agent, RunId::random(), number + 1, 1, 1),
        );
    }
    let (_, known) = ledger.agents().next().unwrap();
    assert_eq!(known.runs.len(), MAX_RUNS);
    assert_eq!(known.sources.len(), MAX_SOURCES);
    assert_eq!(ledger.mark(agent, first), None);
    for number in 0..MAX_AGENTS as i64 + 10 {
        record(
            &mut ledger,
            &delivery(AgentId::random(), first, 1, number, 1),
        );
    }
    assert_eq!(ledger.agents().count(), MAX_AGENTS);
}

#[test]
fn a_checkpoint_never_moves_a_mark_back() {
    let (agent, run, old_run) = (AgentId::random(), RunId::random(), RunId::random());
    let mut older = Ledger::default();
    record(&mut older, &delivery(agent, old_run, 9, 1, 1));
    record(&mut older, &delivery(agent, run, 3, 1, 1));
    let checkpoint = older.agents().next().unwrap().1.clone();
    let mut ledger = Ledger::default();
    record(&mut ledger, &delivery(agent, run, 5, 2, 2));
    ledger.restore(agent, checkpoint);
    assert_eq!(ledger.mark(agent, run), Some(Sequence(5)));
    assert_eq!(ledger.mark(agent, old_run), Some(Sequence(9)));
    assert_eq!(
        ledger.agents().next().unwrap().1.runs.last().unwrap().id,
        run
    );
}

#[test]
fn skew_is_known_from_the_sending_time_or_from_the_future_only() {
    assert_eq!(skew(1_000, Some(400), Some(0)), Some(-600));
    assert_eq!(skew(1_000, None, Some(1_500)), Some(500));
    assert_eq!(skew(1_000, None, Some(400)), None);
    assert_eq!(skew(1_000, None, None), None);
}
