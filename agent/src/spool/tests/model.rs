//! Random lives of a spool. After each step what is in it is held against what it was given.

use std::collections::HashSet;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append {
        bytes: usize,
    },
    /// Take so many and settle them, or forget them: the collector did not answer.
    Take {
        batches: usize,
        outcome: Option<Outcome>,
    },
    Sync,
    /// The process is killed and starts again.
    Kill,
    /// The host loses power; so many unsynced bytes of each file stay.
    LosePower {
        spare: usize,
    },
    /// The disk gets a fault, or loses the one it had.
    Fault(Fault),
    /// All files together may have so many bytes.
    Capacity(Option<u64>),
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        4 => Just(Some(Outcome::Acknowledged)),
        1 => Just(Some(Outcome::Refused)),
        2 => Just(None),
    ];
    let fault = prop_oneof![
        3 => Just(Fault::None),
        1 => Just(Fault::ReadOnly),
        1 => Just(Fault::Writes),
        1 => Just(Fault::Syncs),
        1 => Just(Fault::Opens),
    ];
    let capacity = prop::option::of(0..100_000u64);
    prop_oneof![
        12 => (1..1500usize).prop_map(|bytes| Step::Append { bytes }),
        6 => (1..6usize, outcome).prop_map(|(batches, outcome)| Step::Take { batches, outcome }),
        2 => Just(Step::Sync),
        1 => Just(Step::Kill),
        1 => (0..3000usize).prop_map(|spare| Step::LosePower { spare }),
        2 => fault.prop_map(Step::Fault),
        1 => capacity.prop_map(Step::Capacity),
        2 => Just(Step::Wait),
    ]
}

/// A spool and its history.
struct Life {
    disk: FaultyDisk,
    spool: Spool,
    now: Instant,
    /// Number of the last batch appended.
    appended: i64,
    /// Batches settled in this run.
    settled: HashSet<i64>,
    /// Batches on disk that a sync covered.
    safe: HashSet<i64>,
    /// Batches on disk when a sync failed: nobody knows of them.
    doubtful: HashSet<i64>,
    fault: Fault,
    /// Whether there was ever a fault that may have kept the cursor or a removal from the disk.
    troubled: bool,
}

impl Life {
    fn new() -> Self {
        let disk = FaultyDisk::default();
        let (spool, _) = open(&disk);
        Self {
            disk,
            spool,
            now: Instant::now(),
            appended: 0,
            settled: HashSet::new(),
            safe: HashSet::new(),
            doubtful: HashSet::new(),
            fault: Fault::None,
            troubled: false,
        }
    }

    fn live(&mut self, step: &Step) {
        match *step {
            Step::Append { bytes } => {
                self.appended += 1;
                let batch = bulky(self.appended, bytes);
                self.spool.append(batch, "db1", self.now);
            }
            Step::Take { batches, outcome } => self.take(batches, outcome),
            Step::Sync => self.sync(),
            Step::Kill => self.reopen(None),
            Step::LosePower { spare } => self.reopen(Some(spare)),
            Step::Fault(fault) => self.set_fault(fault),
            Step::Capacity(bytes) => {
                self.troubled = true;
                self.disk.set_capacity(bytes);
            }
            Step::Wait => {
                self.now += RETRY;
                self.spool.tend(self.now);
            }
        }
        assert_balanced(&self.spool);
        self.assert_sound();
    }

    /// What is pending can be read, in order, and is nothing that was settled.
    fn assert_sound(&self) {
        if self.fault == Fault::Opens {
            return;
        }
        let pending = self.pending();
        assert!(pending.is_sorted_by(|a, b| a < b), "{pending:?}");
        assert_eq!(pending.len() as u64, self.spool.stats().pending.batches);
        assert!(pending.iter().all(|number| !self.settled.contains(number)));
        assert!(pending.iter().all(|number| *number <= self.appended));
    }

    fn take(&mut self, batches: usize, outcome: Option<Outcome>) {
        let pending = self.pending();
        let wanted = Wanted {
            batches,
            raw_bytes: usize::MAX,
        };
        let Some(bundle) = self.spool.next(wanted) else {
            assert!(pending.is_empty());
            return;
        };
        let taken = numbers(&bundle);
        let due = pending.len().min(batches);
        assert_eq!(taken, pending[..due]);
        if let Some(outcome) = outcome {
            self.spool.settle(bundle.receipt, outcome);
            self.settled.extend(taken);
        }
    }

    fn sync(&mut self) {
        let Some(unsynced) = self.spool.take_unsynced() else {
            return;
        };
        let on_disk = self.on_disk();
        let synced = unsynced.sync();
        if synced.error.is_none() {
            let doubtful = &self.doubtful;
            let covered = on_disk.iter().filter(|number| !doubtful.contains(number));
            self.safe.extend(covered);
        } else {
            let safe = &self.safe;
            let uncovered = on_disk.iter().filter(|number| !safe.contains(number));
            self.doubtful.extend(uncovered);
        }
        self.spool.synced(synced, self.now);
    }

    fn set_fault(&mut self, fault: Fault) {
        self.troubled |= fault != Fault::None;
        self.fault = fault;
        self.disk.set_fault(fault);
    }

    /// Ends the process, or the host, and starts again on a sound disk.
    fn reopen(&mut self, power: Option<usize>) {
        self.set_fault(Fault::None);
        let before = self.on_disk();
        if let Some(spare) = power {
            self.disk.lose_power(spare);
            self.troubled = true;
        }
        let (spool, recovery) = open(&self.disk);
        self.spool = spool;
        let after = self.pending();
        assert_eq!(recovery.kept.batches, after.len() as u64);
        match power {
            // What was settled while the cursor could not be stored comes again, and only then.
            None if self.troubled => assert!(after.ends_with(&before)),
            None => assert_eq!(after, before),
            Some(_) => {
                let mut safe = before.iter().filter(|number| self.safe.contains(number));
                assert!(
                    safe.all(|number| after.contains(number)),
                    "{before:?} {after:?}"
                );
            }
        }
        self.settled.clear();
    }

    fn pending(&self) -> Vec<i64> {
        numbers(&bundle::gather(&self.spool.segments, &self.spool.ring, ALL))
    }

    fn on_disk(&self) -> Vec<i64> {
        let no_memory = Ring::new(0);
        numbers(&bundle::gather(&self.spool.segments, &no_memory, ALL))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_spool_holds_what_it_was_given(steps in prop::collection::vec(step(), 0..150)) {
        let mut life = Life::new();
        for step in &steps {
            life.live(step);
        }
        life.disk.set_capacity(None);
        life.set_fault(Fault::None);
        let pending = life.pending();
        prop_assert_eq!(take_all(&mut life.spool), pending);
        life.spool.close(life.now);
        prop_assert_eq!(life.disk.segments(), Vec::<String>::new());
        assert_balanced(&life.spool);
    }
}
