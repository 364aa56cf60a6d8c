mod faults;
mod others;
mod thinned;

use proptest::prelude::*;

use super::objects::{META, SAMPLES, SERIES};
use super::*;
use crate::append::{Arrival, Delivery, Row};
use crate::labels::Labels;
use crate::matcher::Matcher;
use crate::memory::{Bounds, Memory};
use crate::read::{Read, STALE, Sample, TimeRange};

/// Blocks in a folder of their own, and a runtime for what waits.
struct Fixture {
    folder: tempfile::TempDir,
    objects: Objects,
    options: Options,
    runtime: tokio::runtime::Runtime,
}

impl Fixture {
    fn in_folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::in_folder(folder.path()).unwrap();
        Self::of(folder, objects)
    }

    /// Nothing is synced, which saves most of the time.
    fn in_memory() -> Self {
        let objects = Objects::in_store(Arc::new(object_store::memory::InMemory::new()));
        Self::of(tempfile::tempdir().unwrap(), objects)
    }

    fn of(folder: tempfile::TempDir, objects: Objects) -> Self {
        Self {
            folder,
            objects,
            options: Options::default(),
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    fn open(&self) -> Blocks {
        let (blocks, damages) = self.open_damaged();
        assert_eq!(damages, []);
        blocks
    }

    fn open_damaged(&self) -> (Blocks, Vec<Damage>) {
        let objects = self.objects.clone();
        let opening = Blocks::open(objects, self.options.clone(), Opening::ToServe);
        self.runtime.block_on(opening).unwrap()
    }

    fn all(&self, blocks: &Blocks) -> Vec<(Labels, Vec<(i64, u64)>)> {
        self.select(blocks, &[], TimeRange::ALL)
    }

    fn select(
        &self,
        blocks: &impl Read,
        selector: &[Matcher],
        range: TimeRange,
    ) -> Vec<(Labels, Vec<(i64, u64)>)> {
        let selected = blocks.select(selector, range, usize::MAX);
        bits(self.runtime.block_on(selected).unwrap())
    }
}

/// Equal only if every bit is.
fn bits(series: Vec<Series>) -> Vec<(Labels, Vec<(i64, u64)>)> {
    let samples = |samples: Vec<Sample>| {
        let pairs = samples.into_iter();
        pairs.map(|it| (it.at_ms, it.value.to_bits())).collect()
    };
    series
        .into_iter()
        .map(|it| (it.labels, samples(it.samples)))
        .collect()
}

fn arrived(at_ms: i64) -> Provenance {
    Provenance {
        arrived_from_ms: at_ms,
        arrived_to_ms: at_ms,
        mark: 0,
    }
}

fn series(labels: &str, samples: &[(i64, f64)]) -> Series {
    Series {
        labels: crate::conformance::labels(labels),
        samples: samples
            .iter()
            .map(|(at_ms, value)| Sample {
                at_ms: *at_ms,
                value: *value,
            })
            .collect(),
    }
}

#[test]
fn what_is_added_is_read_also_after_a_restart() {
    let fixture = Fixture::in_folder();
    let blocks = fixture.open();
    let written = vec![
        series("A=b,__name__=a", &[(1, 1.0)]),
        series(
            "__name__=a,x=1",
            &[(i64::MIN, 0.1), (0, -0.0), (i64::MAX, 1e300)],
        ),
        series("__name__=a,x=2", &[(5, STALE)]),
        series("__name__=b", &[(1, 2.5), (2, 2.5), (3, f64::NAN)]),
        series("x=no name", &[(7, f64::INFINITY)]),
    ];
    blocks.add(written.clone().into_iter(), arrived(1)).unwrap();
    assert_eq!(fixture.all(&blocks), bits(written.clone()));
    drop(blocks);
    let blocks = fixture.open();
    assert_eq!(fixture.all(&blocks), bits(written));
}

#[test]
fn series_out_of_order_are_refused_and_leave_nothing() {
    let fixture = Fixture::in_folder();
    let blocks = fixture.open();
    let unsorted = [series("a=2", &[(1, 1.0)]), series("a=1", &[(1, 1.0)])];
    let refused = blocks.add(unsorted.into_iter(), arrived(1));
    assert!(matches!(refused, Err(WriteError::Unsorted { .. })));
    let nothing = blocks.add(std::iter::empty(), arrived(1));
    assert!(matches!(nothing, Err(WriteError::Empty)));
    assert_eq!(fixture.all(&blocks), []);
    assert_eq!(std::fs::read_dir(fixture.folder.path()).unwrap().count(), 0);
}

/// Something that happens to blocks.
#[derive(Clone, Debug)]
enum Step {
    Add(Vec<Series>),
    /// Merges what arrived before so many hours after the beginning.
    Maintain(i64),
    Reopen,
}

const HOUR_MS: i64 = 3_600_000;

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-1000i32..1000).prop_map(f64::from),
        4 => (0i32..100_000).prop_map(|cents| f64::from(cents) / 100.0),
        2 => any::<u64>().prop_map(f64::from_bits),
        1 => Just(STALE),
        1 => Just(-0.0),
        1 => Just(f64::INFINITY),
    ]
}

fn any_series() -> impl Strategy<Value = Vec<Series>> {
    let time = prop_oneof![9 => 0i64..40, 1 => any::<i64>()];
    let samples = prop::collection::btree_map(time, any_value(), 0..30);
    let constant = (0i64..40, 1i64..30, any_value())
        .prop_map(|(from, count, value)| (from..from + count).map(|at| (at, value)).collect());
    let samples = prop_oneof![3 => samples, 1 => constant];
    let names = prop::sample::select(vec!["a", "b", "up", "Z"]);
    let labels = (names, 0u8..6).prop_map(|(name, x)| match x {
        0 => Labels::from_pairs([("__name__", name)]),
        1 => Labels::from_pairs([("Upper", name), ("__name__", "a")]),
        2 => Labels::from_pairs([("job", name)]),
        x => Labels::from_pairs([("__name__", name), ("x", &x.to_string())]),
    });
    prop::collection::btree_map(labels, samples, 1..12).prop_map(|series| {
        let series = series.into_iter();
        series
            .map(|(labels, samples)| Series {
                labels,
                samples: samples
                    .into_iter()
                    .map(|(at_ms, value)| Sample { at_ms, value })
                    .collect(),
            })
            .collect()
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any_series().prop_map(Step::Add),
        2 => (0i64..200).prop_map(Step::Maintain),
        1 => Just(Step::Reopen),
    ]
}

fn delivery(series: &[Series]) -> Delivery {
    let rows = series.iter().flat_map(|series| {
        series.samples.iter().map(|sample| Row {
            labels: series.labels.clone(),
            sample: *sample,
        })
    });
    Delivery {
        origin: None,
        arrival: Arrival {
            wall_ms: 0,
            steady_ms: 0,
            sent_ms: None,
        },
        rows: rows.collect(),
        exemplars: Vec::new(),
        metadata: vec![],
    }
}

/// Does the steps to blocks and to the reference, and compares what they answer.
fn agrees(steps: Vec<Step>) {
    let fixture = Fixture::in_memory();
    let mut blocks = fixture.open();
    let memory = Memory::new(Bounds::default());
    let mut hour = 0;
    for step in steps {
        match step {
            Step::Add(series) => {
                hour += 2;
                match blocks.add(series.clone().into_iter(), arrived(hour * HOUR_MS)) {
                    Ok(_) | Err(WriteError::Empty) => {}
                    Err(error) => panic!("{error}"),
                }
                memory.apply(delivery(&series));
            }
            Step::Maintain(hour) => {
                let report = blocks.maintain(hour * HOUR_MS).unwrap();
                assert_eq!(report.damages, []);
            }
            Step::Reopen => {
                drop(blocks);
                blocks = fixture.open();
            }
        }
    }
    answers_alike(&fixture, &blocks, &memory);
}

fn answers_alike(fixture: &Fixture, blocks: &Blocks, memory: &Memory) {
    let name = |pattern| vec![Matcher::matches("__name__", pattern).unwrap()];
    let selectors = [
        vec![],
        vec![Matcher::equal("__name__", "a")],
        vec![
            Matcher::equal("__name__", "a"),
            Matcher::not_equal("x", "3"),
        ],
        vec![Matcher::equal("job", "")],
        name("a|u.*"),
        name(""),
    ];
    let some = TimeRange {
        from_ms: 5,
        to_ms: 20,
    };
    for selector in &selectors {
        for range in [TimeRange::ALL, some] {
            let expected = fixture.select(memory, selector, range);
            assert_eq!(fixture.select(blocks, selector, range), expected);
        }
        let selectors = std::slice::from_ref(selector);
        let all = TimeRange::ALL;
        fixture.runtime.block_on(async {
            let of_blocks = blocks.series(selectors, all, Some(5)).await.unwrap();
            assert_eq!(
                of_blocks,
                memory.series(selectors, all, Some(5)).await.unwrap()
            );
            for label in ["__name__", "x", "nothing"] {
                let of_blocks = blocks.label_values(label, selectors, all, None).await;
                let of_memory = memory.label_values(label, selectors, all, None).await;
                assert_eq!(of_blocks.unwrap(), of_memory.unwrap());
            }
            let of_blocks = blocks.label_names(selectors, all, None).await.unwrap();
            assert_eq!(
                of_blocks,
                memory.label_names(selectors, all, None).await.unwrap()
            );
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn agrees_with_the_reference(steps in prop::collection::vec(any_step(), 1..12)) {
        agrees(steps);
    }
}

#[test]
fn merging_leaves_one_block_and_no_files_of_others() {
    let fixture = Fixture::in_folder();
    let blocks = fixture.open();
    for hour in [2, 4, 6] {
        let value = hour as f64;
        let both = [
            series("__name__=a", &[(hour, value)]),
            series("__name__=b", &[(0, value)]),
        ];
        blocks
            .add(both.into_iter(), arrived(hour * HOUR_MS))
            .unwrap();
    }
    assert_eq!(blocks.maintain(11 * HOUR_MS).unwrap(), Report::default());
    let report = blocks.maintain(12 * HOUR_MS).unwrap();
    assert_eq!((report.merged, report.deleted), (3, 3));
    let merged = vec![
        series("__name__=a", &[(2, 2.0), (4, 4.0), (6, 6.0)]),
        series("__name__=b", &[(0, 6.0)]),
    ];
    assert_eq!(fixture.all(&blocks), bits(merged));
    assert_eq!(std::fs::read_dir(fixture.folder.path()).unwrap().count(), 1);
}
