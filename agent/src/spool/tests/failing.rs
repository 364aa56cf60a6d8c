//! Disks that are full, read-only or broken.

use super::*;

/// Appends batches `from..=to` of about a kilobyte each.
fn append(spool: &mut Spool, from: i64, to: i64, now: Instant) {
    for number in from..=to {
        spool.append(bulky(number, 900), "db1", now);
        assert_balanced(spool);
    }
}

#[test]
fn a_broken_disk_is_bridged_in_memory_and_order_is_kept() {
    for fault in [Fault::ReadOnly, Fault::Writes, Fault::Opens] {
        let disk = FaultyDisk::default();
        let (mut spool, _) = open(&disk);
        let now = Instant::now();
        append(&mut spool, 1, 2, now);
        disk.set_fault(fault);
        append(&mut spool, 3, 5, now);
        assert!(!spool.stats().on_disk, "{fault:?}");
        assert!(spool.stats().memory_bytes > 0);
        disk.set_fault(Fault::None);
        append(&mut spool, 6, 6, now);
        assert!(!spool.stats().on_disk, "retried too early");
        append(&mut spool, 7, 7, now + RETRY);
        assert!(spool.stats().on_disk);
        assert_eq!(spool.stats().memory_bytes, 0);
        drop(spool);
        let (mut spool, _) = open(&disk);
        assert_eq!(take_all(&mut spool), [1, 2, 3, 4, 5, 6, 7]);
    }
}

#[test]
fn memory_is_bounded_and_drops_its_oldest() {
    let disk = FaultyDisk::default();
    disk.set_fault(Fault::ReadOnly);
    let (mut spool, _) = open(&disk);
    append(&mut spool, 1, 100, Instant::now());
    let stats = spool.stats();
    assert!(stats.memory_bytes as usize <= LIMITS.memory_bytes);
    let dropped = stats.dropped(Reason::MemoryFull).batches;
    assert_eq!(dropped + stats.pending.batches, 100);
    let left: Vec<i64> = (i64::try_from(dropped).unwrap() + 1..=100).collect();
    assert_eq!(take_all(&mut spool), left);
}

#[test]
fn on_a_read_only_disk_what_is_there_is_still_sent() {
    let disk = FaultyDisk::default();
    let (mut spool, _) = open(&disk);
    append(&mut spool, 1, 20, Instant::now());
    disk.set_fault(Fault::ReadOnly);
    let (mut spool, _) = open(&disk);
    append(&mut spool, 21, 22, Instant::now());
    assert_eq!(take_all(&mut spool), (1..=22).collect::<Vec<_>>());
    assert_balanced(&spool);
    // Once it can be written to again, what could not be removed is.
    disk.set_fault(Fault::None);
    spool.tend(Instant::now());
    assert_eq!(disk.segments(), Vec::<String>::new());
}

#[test]
fn a_full_disk_gives_up_the_oldest_first() {
    let disk = FaultyDisk::default();
    disk.set_capacity(Some(20_000));
    let (mut spool, _) = open(&disk);
    append(&mut spool, 1, 100, Instant::now());
    let left = take_all(&mut spool);
    assert_eq!(left.last(), Some(&100));
    assert!(left.is_sorted());
    assert!(left.len() > 10, "the newest of disk and memory are kept");
    let gap = left.windows(2).find(|pair| pair[1] != pair[0] + 1);
    assert_eq!(
        gap, None,
        "what was dropped is older than all that was kept"
    );
    assert_balanced(&spool);
}

#[test]
fn settling_frees_space_on_a_full_disk() {
    let disk = FaultyDisk::default();
    let (mut spool, _) = open(&disk);
    append(&mut spool, 1, 20, Instant::now());
    disk.set_capacity(Some(0));
    append(&mut spool, 21, 22, Instant::now());
    assert!(!spool.stats().on_disk);
    let before = disk.segments().len();
    let bundle = spool
        .next(Wanted {
            batches: 15,
            raw_bytes: usize::MAX,
        })
        .unwrap();
    spool.settle(bundle.receipt, Outcome::Acknowledged);
    assert!(disk.segments().len() < before);
}

#[test]
fn space_that_others_need_is_left_to_them() {
    let disk = FaultyDisk::default();
    disk.set_capacity(Some(30_000));
    let limits = Limits {
        keep_free: 20_000,
        ..LIMITS
    };
    let (mut spool, _) = Spool::open(Arc::new(disk.clone()), limits, AgentId::random());
    append(&mut spool, 1, 100, Instant::now());
    // The reserve may be touched by the segment that was open when it was reached.
    let free = disk.free_bytes().unwrap();
    assert!(
        free + limits.segment_bytes >= limits.keep_free,
        "{free} bytes left"
    );
    let left = take_all(&mut spool);
    assert_eq!(left.last(), Some(&100));
    let mut nothing_left = Spool::open(
        Arc::new(disk.clone()),
        Limits {
            keep_free: u64::MAX,
            ..LIMITS
        },
        AgentId::random(),
    )
    .0;
    append(&mut nothing_left, 1, 2, Instant::now());
    assert!(!nothing_left.stats().on_disk);
    assert_eq!(take_all(&mut nothing_left), [1, 2]);
}

#[test]
fn a_disk_that_takes_bytes_in_small_portions_is_no_fault() {
    let disk = FaultyDisk::default();
    disk.write_short();
    let (mut spool, _) = open(&disk);
    append(&mut spool, 1, 9, Instant::now());
    assert!(spool.stats().on_disk);
    drop(spool);
    assert_eq!(take_all(&mut open(&disk).0), (1..=9).collect::<Vec<_>>());
}

#[test]
fn unreadable_segments_cost_their_batches_and_no_others() {
    let disk = FaultyDisk::default();
    let (mut spool, _) = open(&disk);
    append(&mut spool, 1, 20, Instant::now());
    disk.set_fault(Fault::Reads);
    assert!(spool.next(ALL).is_none());
    disk.set_fault(Fault::None);
    append(&mut spool, 21, 21, Instant::now());
    assert_eq!(take_all(&mut spool).last(), Some(&21));
    assert_balanced(&spool);
}

#[test]
fn without_file_handles_the_queue_waits_and_loses_nothing() {
    let disk = FaultyDisk::default();
    let (mut spool, _) = open(&disk);
    append(&mut spool, 1, 3, Instant::now());
    disk.set_fault(Fault::Opens);
    assert!(spool.next(ALL).is_none());
    disk.set_fault(Fault::None);
    assert_eq!(take_all(&mut spool), [1, 2, 3]);
}

#[test]
fn a_failed_sync_moves_new_batches_elsewhere_and_back() {
    let disk = FaultyDisk::default();
    let (mut spool, _) = open(&disk);
    let now = Instant::now();
    append(&mut spool, 1, 1, now);
    disk.set_fault(Fault::Syncs);
    let unsynced = spool.take_unsynced().unwrap();
    spool.synced(unsynced.sync(), now);
    assert!(!spool.stats().on_disk);
    append(&mut spool, 2, 2, now + RETRY);
    assert!(spool.stats().on_disk);
    assert_eq!(take_all(&mut spool), [1, 2]);
}

#[test]
fn closing_says_what_is_lost_and_keeps_the_rest() {
    let disk = FaultyDisk::default();
    let (mut spool, _) = open(&disk);
    append(&mut spool, 1, 2, Instant::now());
    disk.set_fault(Fault::Writes);
    append(&mut spool, 3, 3, Instant::now());
    spool.close(Instant::now());
    disk.set_fault(Fault::None);
    spool.close(Instant::now());
    drop(spool);
    assert_eq!(take_all(&mut open(&disk).0), [1, 2, 3]);
}

/// A real file system of one megabyte.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=1m", "none"])
            .arg(folder.path());
        let mounted = mount.status().expect("the program mount is there");
        assert!(mounted.success(), "mounting a tmpfs needs root");
        Self { folder }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let mut unmount = std::process::Command::new("umount");
        let unmounted = unmount.arg(self.folder.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_real_file_system_runs_full_and_gets_space_again() {
    let small = SmallDisk::mount();
    let limits = Limits {
        disk_bytes: 64 << 20,
        segment_bytes: 128 << 10,
        memory_bytes: 64 << 10,
        keep_free: 0,
    };
    let folder = || Arc::new(Folder::new(small.folder.path().join("spool")));
    let (mut spool, _) = Spool::open(folder(), limits, AgentId::random());
    let mut now = Instant::now();
    let filler = small.folder.path().join("filler");
    std::fs::write(&filler, vec![1; 300 << 10]).unwrap();
    append(&mut spool, 1, 2_000, now);
    let stats = spool.stats();
    assert!(
        stats.disk_bytes > 300 << 10 && stats.disk_bytes < 1 << 20,
        "{stats:?}"
    );
    assert!(stats.memory_bytes as usize <= limits.memory_bytes);
    assert!(stats.dropped(Reason::Full).batches > 0);
    std::fs::remove_file(&filler).unwrap();
    now += RETRY;
    append(&mut spool, 2_001, 2_001, now);
    assert!(spool.stats().on_disk);
    spool.close(now);
    drop(spool);
    let (mut spool, recovery) = Spool::open(folder(), limits, AgentId::random());
    assert_eq!(recovery.damage, []);
    let left = take_all(&mut spool);
    assert_eq!(left.last(), Some(&2_001));
    assert!(left.is_sorted());
    let names = std::fs::read_dir(small.folder.path().join("spool")).unwrap();
    assert_eq!(names.count(), 1, "only the cursor is left");
}
