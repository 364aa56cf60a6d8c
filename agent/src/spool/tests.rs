//! The spool against a model, against damage, and on disks that fail.

use std::time::Instant;

use proptest::prelude::*;
use wire::metric::{Family, Kind, Label, Point, Suffix};

use super::disk::Folder;
use super::disk::faulty::{Fault, FaultyDisk};
use super::*;

mod damage;
mod failing;
mod model;

/// Limits under which a dozen batches make a segment.
pub(super) const LIMITS: Limits = Limits {
    disk_bytes: 64 << 10,
    segment_bytes: 4 << 10,
    memory_bytes: 8 << 10,
    keep_free: 0,
};

pub(super) const ALL: Wanted = Wanted {
    batches: usize::MAX,
    raw_bytes: usize::MAX,
};

/// A batch with so many samples, told apart from others by `number`.
pub(super) fn batch(number: i64, samples: usize) -> Batch {
    let mut family = Family::new("test_number", "A number.", Kind::Gauge);
    for sample in 0..samples {
        family.points.push(Point {
            suffix: Suffix::None,
            labels: vec![Label::new("sample", sample.to_string())],
            value: number as f64,
            at_ms: None,
        });
    }
    Batch {
        source: "test".to_owned(),
        at_ms: number,
        target: vec![Label::new("job", "test")],
        families: vec![family],
    }
}

/// A batch that zstd cannot make small, so that limits in bytes are reached soon.
pub(super) fn bulky(number: i64, bytes: usize) -> Batch {
    let mut bulky = batch(number, 1);
    let mut state = number as u64;
    let noise = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'!' + (state >> 58) as u8)
    });
    let label = Label::new("noise", noise.take(bytes).collect::<String>());
    bulky.families[0].points[0].labels.push(label);
    bulky
}

pub(super) fn open(disk: &FaultyDisk) -> (Spool, Recovery) {
    Spool::open(Arc::new(disk.clone()), LIMITS, AgentId::from_bytes([7; 16]))
}

/// Times of the batches in a bundle: by them a test knows which they are.
pub(super) fn numbers(bundle: &Bundle) -> Vec<i64> {
    bundle.records.iter().map(|record| record.at_ms).collect()
}

/// Takes everything out, in bundles of two.
pub(super) fn take_all(spool: &mut Spool) -> Vec<i64> {
    let wanted = Wanted {
        batches: 2,
        raw_bytes: usize::MAX,
    };
    let mut all = Vec::new();
    while let Some(bundle) = spool.next(wanted) {
        all.extend(numbers(&bundle));
        spool.settle(bundle.receipt, Outcome::Acknowledged);
    }
    assert_eq!(spool.stats().pending, Tally::default());
    all
}

/// What holds of the counts at every moment.
pub(super) fn assert_balanced(spool: &Spool) {
    let stats = spool.stats();
    let mut given = stats.recovered();
    given.merge(stats.produced());
    let mut found = stats.acknowledged();
    found.merge(stats.dropped_in_all());
    found.merge(stats.pending);
    assert_eq!(given, found, "{stats:?}");
}

fn sequences(bundle: &Bundle) -> Vec<u64> {
    bundle
        .records
        .iter()
        .map(|record| record.sequence.0)
        .collect()
}

#[test]
fn batches_come_out_in_order_and_until_settled() {
    let disk = FaultyDisk::default();
    let (mut spool, _) = open(&disk);
    let now = Instant::now();
    assert!(spool.next(ALL).is_none());
    for number in 1..=5 {
        spool.append(batch(number, 3), "db1", now);
    }
    let first = spool
        .next(Wanted {
            batches: 2,
            raw_bytes: usize::MAX,
        })
        .unwrap();
    assert_eq!(
        (numbers(&first), sequences(&first)),
        (vec![1, 2], vec![1, 2])
    );
    let again = spool.next(ALL).unwrap();
    assert_eq!(numbers(&again), [1, 2, 3, 4, 5]);
    assert_eq!(again.samples(), 15);
    spool.settle(first.receipt, Outcome::Acknowledged);
    // The second receipt began where the queue no longer does.
    spool.settle(again.receipt, Outcome::Acknowledged);
    assert_eq!(take_all(&mut spool), [3, 4, 5]);
    assert_balanced(&spool);
}

#[test]
fn a_bundle_is_one_request_that_a_collector_reads() {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use prost::Message;
    let (mut spool, _) = open(&FaultyDisk::default());
    for number in 1..=3 {
        spool.append(batch(number, 2), "db1", Instant::now());
    }
    let bundle = spool.next(ALL).unwrap();
    let raw = zstd::stream::decode_all(bundle.frames.as_slice()).unwrap();
    assert_eq!(raw.len(), bundle.raw_bytes);
    let request = ExportMetricsServiceRequest::decode(raw.as_slice()).unwrap();
    assert_eq!(request.resource_metrics.len(), 3);
}

#[test]
fn limits_of_a_bundle_are_kept_and_one_batch_always_fits() {
    let (mut spool, _) = open(&FaultyDisk::default());
    for number in 1..=4 {
        spool.append(batch(number, 10), "db1", Instant::now());
    }
    let one = spool
        .next(Wanted {
            batches: 9,
            raw_bytes: 1,
        })
        .unwrap();
    assert_eq!(numbers(&one), [1]);
    let two = spool
        .next(Wanted {
            batches: 9,
            raw_bytes: one.raw_bytes * 2,
        })
        .unwrap();
    assert_eq!(numbers(&two), [1, 2]);
}

#[test]
fn a_batch_without_samples_is_none() {
    let (mut spool, _) = open(&FaultyDisk::default());
    spool.append(batch(1, 0), "db1", Instant::now());
    assert_eq!(spool.stats().produced(), Tally::default());
}

#[test]
fn a_large_batch_goes_in_pieces_and_a_sample_beyond_measure_is_dropped() {
    let limits = Limits {
        disk_bytes: 64 << 20,
        segment_bytes: 8 << 20,
        ..LIMITS
    };
    let disk = Arc::new(FaultyDisk::default());
    let (mut spool, _) = Spool::open(disk, limits, AgentId::random());
    spool.append(batch(1, 40_000), "db1", Instant::now());
    spool.append(bulky(2, MAX_RAW + 1), "db1", Instant::now());
    spool.append(bulky(3, MAX_RAW / 2), "db1", Instant::now());
    let bundle = spool.next(ALL).unwrap();
    assert!(bundle.records.len() > 2);
    assert_eq!(bundle.samples(), 40_001);
    for record in &bundle.records {
        assert!(record.raw_len as usize <= MAX_RAW);
    }
    let numbered: Vec<u64> = (1..=bundle.records.len() as u64).collect();
    assert_eq!(sequences(&bundle), numbered);
    assert_eq!(spool.stats().dropped(Reason::TooLarge).batches, 1);
    assert_balanced(&spool);
}

#[test]
fn when_full_the_oldest_goes_first_and_is_counted() {
    let disk = FaultyDisk::default();
    let (mut spool, _) = open(&disk);
    for number in 1..=200 {
        spool.append(bulky(number, 1000), "db1", Instant::now());
        assert!(spool.stats().disk_bytes <= LIMITS.disk_bytes);
        assert_balanced(&spool);
    }
    let dropped = i64::try_from(spool.stats().dropped(Reason::Full).batches).unwrap();
    assert!(dropped > 100);
    let left: Vec<i64> = (dropped + 1..=200).collect();
    assert_eq!(take_all(&mut spool), left);
    assert_balanced(&spool);
}

#[test]
fn what_is_dropped_while_on_its_way_is_not_settled() {
    let disk = FaultyDisk::default();
    let (mut spool, _) = open(&disk);
    for number in 1..=20 {
        spool.append(bulky(number, 1000), "db1", Instant::now());
    }
    let on_its_way = spool.next(ALL).unwrap();
    for number in 21..=60 {
        spool.append(bulky(number, 1000), "db1", Instant::now());
    }
    spool.settle(on_its_way.receipt, Outcome::Acknowledged);
    assert_balanced(&spool);
    let left = take_all(&mut spool);
    assert_eq!(left.last(), Some(&60));
    assert!(left.is_sorted());
}

#[test]
fn settled_segments_are_removed_and_the_age_follows() {
    let disk = FaultyDisk::default();
    let (mut spool, _) = open(&disk);
    for number in 1..=30 {
        spool.append(bulky(number, 1000), "db1", Instant::now());
    }
    assert_eq!(spool.stats().oldest_at_ms, Some(1));
    let bundle = spool
        .next(Wanted {
            batches: 20,
            raw_bytes: usize::MAX,
        })
        .unwrap();
    let segments = disk.segments().len();
    spool.settle(bundle.receipt, Outcome::Acknowledged);
    assert_eq!(spool.stats().oldest_at_ms, Some(21));
    assert!(disk.segments().len() < segments / 2);
    take_all(&mut spool);
    assert_eq!(spool.stats().oldest_at_ms, None);
    spool.close(Instant::now());
    assert_eq!(disk.segments(), Vec::<String>::new());
}

#[test]
fn refused_batches_leave_the_queue_and_are_counted() {
    let (mut spool, _) = open(&FaultyDisk::default());
    spool.append(batch(1, 4), "db1", Instant::now());
    let bundle = spool.next(ALL).unwrap();
    spool.settle(bundle.receipt, Outcome::Refused);
    let refused = Tally {
        batches: 1,
        samples: 4,
    };
    assert_eq!(spool.stats().dropped(Reason::Refused), refused);
    assert!(spool.next(ALL).is_none());
    assert_balanced(&spool);
}

#[test]
fn many_restarts_do_not_fill_the_folder_with_files() {
    let disk = FaultyDisk::default();
    for _ in 0..5 {
        let (mut spool, _) = open(&disk);
        spool.close(Instant::now());
    }
    assert_eq!(disk.segments(), Vec::<String>::new());
}

#[test]
fn the_numbers_read_as_metrics() {
    let (mut spool, _) = open(&FaultyDisk::default());
    spool.append(batch(5_000, 4), "db1", Instant::now());
    let mut out = crate::collect::Gather::default();
    spool.stats().describe(9_500, &mut out);
    let (families, gaps) = out.finish();
    let value = |name: &str| {
        let family = families.iter().find(|family| family.name == name);
        family.map(|family| family.points[0].value)
    };
    assert_eq!(value("nightshift_spool_batches"), Some(1.0));
    assert_eq!(value("nightshift_spool_samples"), Some(4.0));
    assert_eq!(value("nightshift_spool_oldest_seconds"), Some(4.5));
    assert_eq!(value("nightshift_spool_on_disk"), Some(1.0));
    assert_eq!(value("nightshift_spool_produced_samples_total"), Some(4.0));
    assert_eq!(value("nightshift_spool_dropped_batches_total"), Some(0.0));
    assert_eq!(gaps, []);
}
