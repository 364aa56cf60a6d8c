//! Files that are torn, damaged, foreign or hostile.

use super::*;

/// A disk that holds `1..=count` in several segments, closed in good order.
fn filled(count: i64) -> FaultyDisk {
    let disk = FaultyDisk::default();
    let (mut spool, _) = open(&disk);
    for number in 1..=count {
        spool.append(bulky(number, 700), "db1", Instant::now());
    }
    spool.close(Instant::now());
    disk
}

/// Opens a damaged disk and takes out what is left; the spool must then work as a new one does.
fn survive(disk: &FaultyDisk) -> (Vec<i64>, Recovery) {
    let (mut spool, recovery) = open(disk);
    assert_balanced(&spool);
    let left = take_all(&mut spool);
    assert_eq!(left.len() as u64, recovery.kept.batches);
    assert!(left.is_sorted());
    spool.append(batch(1_000, 1), "db1", Instant::now());
    assert_eq!(take_all(&mut spool), [1_000]);
    assert_balanced(&spool);
    spool.close(Instant::now());
    assert_eq!(disk.segments(), Vec::<String>::new());
    (left, recovery)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_flipped_bit_costs_one_batch_and_is_named(
        segment: prop::sample::Index, at: prop::sample::Index, bit in 0..8u8,
    ) {
        let disk = filled(20);
        let name = segment.get(&disk.segments()).clone();
        let mut bytes = disk.contents(&name).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        disk.replace(&name, bytes);
        let (left, recovery) = survive(&disk);
        prop_assert_eq!(left.len(), 19);
        let [damage] = &recovery.damage[..] else {
            panic!("{recovery:?}");
        };
        prop_assert_eq!(&damage.file, &name);
        prop_assert!((damage.offset..damage.offset + damage.bytes).contains(&(at as u64)));
        prop_assert_eq!(recovery.damaged_bytes + recovery.torn_bytes, damage.bytes);
    }

    #[test]
    fn a_cut_segment_keeps_its_whole_records(
        segment: prop::sample::Index, cut: prop::sample::Index,
    ) {
        let disk = filled(20);
        let name = segment.get(&disk.segments()).clone();
        let mut bytes = disk.contents(&name).unwrap();
        bytes.truncate(cut.index(bytes.len()));
        disk.replace(&name, bytes);
        let (left, recovery) = survive(&disk);
        prop_assert!((14..20).contains(&left.len()));
        prop_assert_eq!(recovery.damaged_bytes, 0);
    }

    #[test]
    fn overwritten_stretches_cost_what_they_cover(
        at: prop::sample::Index, garbage in prop::collection::vec(any::<u8>(), 1..3000),
    ) {
        let disk = filled(20);
        let name = disk.segments()[1].clone();
        let mut bytes = disk.contents(&name).unwrap();
        let at = at.index(bytes.len());
        let end = bytes.len().min(at + garbage.len());
        bytes[at..end].copy_from_slice(&garbage[..end - at]);
        disk.replace(&name, bytes);
        let (left, _) = survive(&disk);
        prop_assert!(left.len() >= 14);
    }

    #[test]
    fn a_folder_of_garbage_is_survived(
        files in prop::collection::vec(("[0-9a-f]{16}\\.seg|cursor|[a-z.]{1,9}", any::<Vec<u8>>()), 0..8),
    ) {
        let disk = FaultyDisk::default();
        for (name, bytes) in files {
            disk.replace(&name, bytes);
        }
        let (mut spool, recovery) = open(&disk);
        prop_assert_eq!(recovery.kept.batches, 0);
        spool.append(batch(1, 1), "db1", Instant::now());
        prop_assert_eq!(take_all(&mut spool), vec![1]);
        assert_balanced(&spool);
    }
}

#[test]
fn empty_and_foreign_files_are_told_apart() {
    let disk = filled(3);
    disk.replace("00000000000000aa.seg", Vec::new());
    for foreign in [
        "notes.txt",
        "AA.seg",
        "1.seg",
        "ffffffffffffffff.seg",
        ".seg",
    ] {
        disk.replace(foreign, b"mine".to_vec());
    }
    let (mut spool, recovery) = open(&disk);
    let named = [
        ".seg",
        "1.seg",
        "AA.seg",
        "ffffffffffffffff.seg",
        "notes.txt",
    ];
    assert_eq!(recovery.foreign, named);
    assert_eq!(recovery.damage, []);
    assert_eq!(take_all(&mut spool), [1, 2, 3]);
    for foreign in named {
        assert_eq!(disk.contents(foreign).unwrap(), b"mine");
    }
    spool.append(batch(4, 1), "db1", Instant::now());
    assert!(disk.segments().contains(&"00000000000000ab.seg".to_owned()));
}

#[test]
fn damage_that_comes_while_running_is_counted_in_batches_and_bytes() {
    let disk = filled(20);
    let (mut spool, recovery) = open(&disk);
    assert_eq!(recovery.damaged_bytes, 0);
    let name = disk.segments()[1].clone();
    let len = disk.contents(&name).unwrap().len();
    disk.replace(&name, vec![0; len]);
    let mut left = Vec::new();
    while let Some(bundle) = spool.next(Wanted {
        batches: 3,
        raw_bytes: usize::MAX,
    }) {
        left.extend(numbers(&bundle));
        spool.settle(bundle.receipt, Outcome::Acknowledged);
    }
    let stats = spool.stats();
    assert_eq!(stats.pending, Tally::default());
    assert_eq!(
        stats.dropped(Reason::Damaged).batches,
        20 - left.len() as u64
    );
    assert_eq!(stats.damaged_bytes(), len as u64);
    assert_balanced(&spool);
}

#[test]
fn a_segment_that_vanishes_while_running_is_counted() {
    let disk = filled(20);
    let (mut spool, _) = open(&disk);
    disk.remove(&disk.segments()[0]).unwrap();
    let left = take_all(&mut spool);
    assert!(left.len() < 20);
    assert_eq!(
        spool.stats().dropped(Reason::Damaged).batches,
        20 - left.len() as u64
    );
    assert_balanced(&spool);
}

#[test]
fn a_record_of_another_version_is_passed_by() {
    let disk = filled(2);
    let mut foreign = Vec::new();
    wire::frame::write(&mut foreign, &[9; 100]);
    disk.replace("00000000000000aa.seg", foreign.clone());
    let (left, recovery) = survive(&disk);
    assert_eq!(left, [1, 2]);
    assert_eq!(recovery.damaged_bytes, foreign.len() as u64);
}

#[test]
fn a_lost_or_damaged_cursor_costs_only_sending_again() {
    for cursor in [None, Some(vec![0xff; 80]), Some(Vec::new())] {
        let disk = FaultyDisk::default();
        let (mut spool, _) = open(&disk);
        for number in 1..=3 {
            spool.append(batch(number, 1), "db1", Instant::now());
        }
        let bundle = spool
            .next(Wanted {
                batches: 2,
                raw_bytes: usize::MAX,
            })
            .unwrap();
        spool.settle(bundle.receipt, Outcome::Acknowledged);
        assert_eq!(open(&disk).1.kept.batches, 1);
        match cursor {
            Some(bytes) => disk.replace(super::cursor::NAME, bytes),
            None => disk.remove(super::cursor::NAME).unwrap(),
        }
        assert_eq!(survive(&disk).0, [1, 2, 3]);
    }
}
