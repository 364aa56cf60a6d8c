//! Series by number: whatever becomes of a file, no row is ever taken for another series', what is
//! lost is told, and all else is read.

use std::collections::BTreeSet;

use super::*;
use crate::append::Row;
use crate::read::Sample;
use crate::tail::{Position, Tail};

/// The frames of a file: where each begins and ends, and whether it defines series.
fn frames(file: &[u8]) -> Vec<(usize, usize, bool)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let frame::Scan::Record { body, next } = frame::scan(file, at) {
        found.push((at, next, record::is_series(body)));
        at = next;
    }
    found
}

/// Every number is given once, so that what is found tells where it came from.
fn rows(names: &[&str], step: i64) -> Vec<Row> {
    let numbered = names.iter().enumerate();
    let rows = numbered.map(|(place, name)| row(name, step, (step * 100 + place as i64) as f64));
    rows.collect()
}

/// A journal of one segment in which series come one after the other; gives its file.
async fn growing(folder: &Path) -> PathBuf {
    let (journal, _) = open(folder);
    let names = ["__name__=a", "__name__=b", "__name__=c", "__name__=d"];
    for (step, count) in [(1, 2), (2, 2), (3, 3), (4, 4), (5, 4)] {
        let given = anonymous(rows(&names[..count], step));
        journal.append(vec![given]).await.unwrap();
    }
    journal.close().await;
    segments(folder).remove(0)
}

#[tokio::test]
async fn every_cut_and_every_flipped_bit_of_a_file_costs_what_it_hits() {
    let folder = tempfile::tempdir().unwrap();
    let path = growing(folder.path()).await;
    let whole = fs::read(&path).unwrap();
    let (journal, _) = open(folder.path());
    let all: BTreeSet<String> = found(&journal, &[]).await.into_iter().collect();
    assert_eq!(all.len(), 15);
    journal.close().await;
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        for (what, file) in [("flipped", &flipped[..]), ("cut", &whole[..at])] {
            fs::write(&path, file).unwrap();
            let (journal, recovery) = open(folder.path());
            let left: BTreeSet<String> = found(&journal, &[]).await.into_iter().collect();
            assert!(left.is_subset(&all), "{what} at {at}: {left:?}");
            assert_eq!(left.len() as u64, recovery.samples, "{what} at {at}");
            let is_told = recovery.torn.is_some() || !recovery.damages.is_empty();
            let is_boundary = frames(&whole).iter().any(|(begin, _, _)| *begin == at);
            assert_eq!(is_told, what == "flipped" || !is_boundary, "{what} at {at}");
            let (_, end, _) = frames(&whole)
                .into_iter()
                .find(|(_, end, _)| at < *end)
                .unwrap();
            let behind = frames(&whole).iter().filter(|one| one.1 > end).count();
            if what == "flipped" && behind > 0 {
                // At most the record, or the rows of the series that it defines.
                let lost = 15 - left.len() as u64;
                assert!(
                    lost <= 10 && recovery.lost_samples <= lost,
                    "{at}: {recovery:?}"
                );
            }
            journal.close().await;
        }
    }
}

#[tokio::test]
async fn a_lost_definition_costs_its_series_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = growing(folder.path()).await;
    let mut file = fs::read(&path).unwrap();
    let all = frames(&file);
    let places: Vec<_> = all.iter().filter(|(_, _, is_series)| *is_series).collect();
    assert_eq!(places.len(), 3, "one where series come first");
    let (begin, end, _) = *places[1];
    file[end - 1] ^= 1;
    fs::write(&path, &file).unwrap();
    let (journal, recovery) = open(folder.path());
    let left = found(&journal, &[]).await;
    assert!(left.iter().all(|one| !one.starts_with("__name__=c")));
    assert_eq!(
        (left.len(), recovery.samples, recovery.lost_samples),
        (12, 12, 3)
    );
    assert_eq!(recovery.deliveries, 5);
    let users = all
        .iter()
        .skip_while(|one| one.0 < end)
        .filter(|one| !one.2);
    let told = [(begin, end)]
        .into_iter()
        .chain(users.map(|one| (one.0, one.1)));
    let told: Vec<Damage> = told
        .map(|(from, to)| Damage {
            path: path.clone(),
            offset: from as u64,
            bytes: (to - from) as u64,
        })
        .collect();
    assert_eq!(recovery.damages, told);
    let stretch = journal
        .read(Position::default(), journal.end(), usize::MAX)
        .unwrap();
    let followed = stretch.deliveries.iter().flat_map(|(one, _)| &one.rows);
    assert_eq!(followed.count(), 12);
    let bytes: u64 = told.iter().map(|damage| damage.bytes).sum();
    assert_eq!(stretch.lost.damaged_bytes, bytes);
}

#[tokio::test]
async fn a_definition_stands_twice_and_either_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    let small = |step| vec![anonymous(rows(&["__name__=a", "__name__=b"], step))];
    journal.append(small(1)).await.unwrap();
    let mut seed = 7u64;
    let noise = (0..60_000).map(|at| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        row("__name__=a", 100 + at, f64::from_bits(seed >> 2))
    });
    journal
        .append(vec![anonymous(noise.collect())])
        .await
        .unwrap();
    journal.append(small(2)).await.unwrap();
    journal.append(small(3)).await.unwrap();
    journal.close().await;
    let path = segments(folder.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    let copies: Vec<_> = frames(&whole).into_iter().filter(|one| one.2).collect();
    assert_eq!(copies.len(), 2);
    assert_eq!(
        whole[copies[0].0..copies[0].1],
        whole[copies[1].0..copies[1].1]
    );
    for (_, end, _) in copies {
        let mut damaged = whole.clone();
        damaged[end - 1] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let (journal, recovery) = open(folder.path());
        assert_eq!((recovery.samples, recovery.lost_samples), (60_006, 0));
        assert_eq!(recovery.damages.len(), 1);
        let stretch = journal
            .read(Position::default(), journal.end(), usize::MAX)
            .unwrap();
        let followed = stretch.deliveries.iter().flat_map(|(one, _)| &one.rows);
        assert_eq!(followed.count(), 60_006);
        journal.close().await;
    }
}

#[tokio::test]
async fn what_version_1_wrote_is_read_and_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let (agent, run) = (AgentId::random(), RunId::random());
    let names = ["__name__=a,x=1", "__name__=b"];
    let mut given: Vec<Delivery> = (1..=4)
        .map(|step| from_agent(agent, run, step, rows(&names, step as i64)))
        .collect();
    let old: Vec<Vec<u8>> = given[..2].iter().map(record::encode_v1).collect();
    fs::write(segment::path_of(folder.path(), 1), old.concat()).unwrap();
    for opening in 0..3 {
        let (journal, recovery) = open(folder.path());
        assert_eq!(recovery.deliveries, if opening == 0 { 2 } else { 4 });
        assert!(recovery.damages.is_empty(), "{recovery:?}");
        let outcomes = journal.append(given.clone()).await.unwrap();
        let is_new = |step| {
            if opening == 0 && step > 2 {
                Outcome::Stored
            } else {
                Outcome::Duplicate
            }
        };
        assert_eq!(outcomes, [1, 2, 3, 4].map(is_new));
        assert_eq!(found(&journal, &[]).await.len(), 8);
        let stretch = journal
            .read(Position::default(), journal.end(), usize::MAX)
            .unwrap();
        let mut followed: Vec<Delivery> = stretch.deliveries.into_iter().map(|one| one.0).collect();
        for (one, given) in followed.iter_mut().zip(&mut given) {
            one.arrival = given.arrival;
        }
        assert_eq!(followed, given);
        journal.close().await;
    }
}

#[tokio::test]
async fn who_begins_in_the_middle_of_a_file_has_the_names() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 400,
        ..Options::default()
    };
    let (journal, _) = open_at(folder.path(), i64::MAX / 2, options);
    for step in 0..40 {
        let name = format!("__name__=s{}", step / 4);
        let some = rows(&["__name__=a", &name, "__name__=b"], step);
        journal.append(vec![anonymous(some)]).await.unwrap();
    }
    let end = journal.end();
    let all = journal.read(Position::default(), end, usize::MAX).unwrap();
    let rows_of = |one: &Delivery| one.rows.clone();
    let given: Vec<Vec<Row>> = all.deliveries.iter().map(|(one, _)| rows_of(one)).collect();
    assert_eq!(given.len(), 40);
    journal.close().await;
    assert!(segments(folder.path()).len() > super::super::tail::MOST_FILES);
    for (place, (_, behind)) in all.deliveries.iter().enumerate() {
        // Each time with nothing remembered.
        let (journal, _) = open_at(folder.path(), i64::MAX / 2, options);
        let rest = journal.read(*behind, end, usize::MAX).unwrap();
        let rest: Vec<Vec<Row>> = rest
            .deliveries
            .iter()
            .map(|(one, _)| rows_of(one))
            .collect();
        assert_eq!(rest, given[place + 1..]);
        journal.close().await;
    }
}

/// Bodies of records that say more than they hold.
#[test]
fn counts_are_not_believed() {
    let varint = |number| {
        let mut out = codec::Writer::default();
        out.number(number);
        out.0
    };
    let zipped = |payload: &[u8]| {
        let compressed = zstd::bulk::compress(payload, 1).unwrap();
        [varint(payload.len() as u64), compressed].concat()
    };
    let body = |kind: u8, parts: &[&[u8]]| [&[record::VERSION, kind][..], &parts.concat()].concat();
    let (huge, million) = (varint(1 << 40), varint(1_000_000));
    // Arrived, not sent, no origin, no metadata.
    let opening = [0, 0, 0, 0];
    let run = [&[1][..], &varint(1_000_000 - 2)].concat();
    let two = [2, 1, 0];
    let times = |count: &[u8]| zipped(&[&opening[..], &[0], count, &[0; 16]].concat());
    let top = varint(u64::from(u32::MAX));
    let last_run = varint(u64::from(u32::MAX) << 2 | 1);
    for body in [
        body(1, &[&huge, &[1], &huge]),
        body(1, &[&varint(u64::MAX), &[1], &varint(u64::MAX)]),
        body(1, &[&million, &run, &times(&million)]),
        body(1, &[&two, &times(&huge)]),
        body(1, &[&two, &times(&[0])]),
        body(1, &[&two, &times(&[3])]),
        // More rows in the runs than there are, and a run beyond the last number.
        body(1, &[&[1, 1, 9], &zipped(&opening)]),
        body(1, &[&[2], &last_run, &[0], &times(&[2])]),
        body(1, &[&[0], &huge, &zipped(&opening)]),
        body(3, &[&zipped(&[&top[..], &[2, 0, 0]].concat())]),
        body(3, &[&zipped(&[&[0][..], &huge, &[0; 4]].concat())]),
        body(3, &[&huge, &zipped(&[])]),
        body(4, &[&zipped(&[])]),
    ] {
        let decoded = record::decode(&body);
        assert_eq!(decoded, Err(DecodeError::Malformed), "{body:?}");
    }
    let right = body(1, &[&two, &times(&[2])]);
    assert!(record::decode(&right).is_ok());
}

#[test]
fn numbers_of_a_failed_write_are_given_again() {
    let memory = Memory::new(Bounds::default());
    let mut numbering = numbering::Numbering::default();
    let deliveries = [
        anonymous(rows(&["__name__=a", "__name__=b", "__name__=a"], 1)),
        anonymous(rows(&["__name__=c", "__name__=b"], 2)),
    ];
    let mut number = |delivery: &Delivery, is_written: bool| {
        let resolved = memory.resolve(&delivery.rows);
        let first = numbering.next();
        let mut given = numbering.begin();
        let (runs, first_new) = numbering.number(delivery, &resolved, &mut given);
        let definitions = numbering.frames(&given, 0).unwrap();
        if is_written {
            numbering.keep(&definitions, 0);
            let (_, new) = memory.apply_resolved(delivery.clone(), &resolved);
            numbering.learn(first_new, &new);
        } else {
            numbering.take_back(first);
        }
        let runs: Vec<(u32, u32)> = runs.0.iter().map(|run| (run.first, run.count)).collect();
        (runs, definitions.new.is_empty())
    };
    assert_eq!(number(&deliveries[0], false), (vec![(0, 2), (0, 1)], false));
    assert_eq!(number(&deliveries[0], true), (vec![(0, 2), (0, 1)], false));
    assert_eq!(number(&deliveries[0], true), (vec![(0, 2), (0, 1)], true));
    memory.apply(deliveries[1].clone());
    // Known to memory, but not yet in the segment.
    assert_eq!(number(&deliveries[1], false), (vec![(2, 1), (1, 1)], false));
    assert_eq!(number(&deliveries[1], true), (vec![(2, 1), (1, 1)], false));
    assert_eq!(number(&deliveries[1], true), (vec![(2, 1), (1, 1)], true));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn damaged_files_are_read_or_told(
        shapes in prop::collection::vec(prop::collection::vec(0usize..9, 0..6), 1..6),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        is_moved: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let given: Vec<Vec<Row>> = shapes.iter().zip(1..).map(|(shape, step)| {
            let names: BTreeSet<String> = shape.iter().map(|name| format!("__name__=s{name}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            rows(&names, step)
        }).collect();
        runtime.block_on(async {
            let (journal, _) = open(folder.path());
            for rows in &given {
                journal.append(vec![anonymous(rows.clone())]).await.unwrap();
            }
            journal.close().await;
        });
        let path = segments(folder.path()).remove(0);
        let mut file = fs::read(&path).unwrap();
        if is_moved {
            // Whole frames in another order: each says by itself what it is.
            let places = frames(&file);
            let (from, to) = (damages[0].0.get(&places), damages[damages.len() - 1].0.get(&places));
            let moved = file[from.0..from.1].to_vec();
            file.splice(to.1..to.1, moved);
        } else {
            for (place, mask) in &damages {
                let at = place.index(file.len());
                file[at] ^= mask;
            }
        }
        fs::write(&path, &file).unwrap();
        let (journal, recovery) = open(folder.path());
        let all: BTreeSet<(String, i64, u64)> = given.iter().flatten().map(key).collect();
        let stretch = journal.read(Position::default(), journal.end(), usize::MAX).unwrap();
        let followed = stretch.deliveries.iter().flat_map(|(one, _)| one.rows.iter().map(key));
        prop_assert!(followed.collect::<BTreeSet<_>>().is_subset(&all));
        let left = runtime.block_on(journal.memory().select(&[], TimeRange::ALL, usize::MAX)).unwrap();
        let left = left.iter().flat_map(|series| series.samples.iter().map(|sample| {
            key(&Row { labels: series.labels.clone(), sample: *sample })
        }));
        let left: BTreeSet<_> = left.collect();
        prop_assert!(left.is_subset(&all));
        let is_told = recovery.torn.is_some() || !recovery.damages.is_empty();
        prop_assert!(is_told || left == all);
        runtime.block_on(journal.close());
    }
}

fn key(row: &Row) -> (String, i64, u64) {
    let Sample { at_ms, value } = row.sample;
    (row.labels.as_encoded().to_owned(), at_ms, value.to_bits())
}
