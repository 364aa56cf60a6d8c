//! Old samples are thinned out, and what is left of them answers once they are gone.

use super::*;
use crate::read::{Aspect, STALE};

const DAY: Duration = Duration::from_secs(24 * 3600);
const DAY_MS: i64 = 24 * HOUR_MS;

fn fixture() -> Fixture {
    let mut fixture = Fixture::in_memory();
    fixture.options = Options {
        retention: Some(10 * DAY),
        thinning: Thinning {
            five_minutes_after: 4 * DAY,
            keep_five_minutes: Some(40 * DAY),
            hour_after: 20 * DAY,
            keep_hours: Some(100 * DAY),
        },
        ..Options::default()
    };
    fixture
}

/// A counter that starts again each day, and a gauge.
fn day(number: i64) -> Vec<Series> {
    let times = (0..24 * 60).map(|minute| number * DAY_MS + minute * 60_000);
    let counter: Vec<_> = times
        .clone()
        .zip(1..)
        .map(|(at, count)| (at, f64::from(count)))
        .collect();
    let gauge: Vec<_> = times.map(|at| (at, (at / 60_000 % 7) as f64)).collect();
    vec![
        series("__name__=count", &counter),
        series("__name__=gauge", &gauge),
    ]
}

fn asked(fixture: &Fixture, blocks: &Blocks, name: &str, aspect: Aspect) -> Vec<Sample> {
    let selector = [Matcher::equal("__name__", name)];
    let found = blocks.select_aspect(&selector, TimeRange::ALL, aspect, usize::MAX);
    let found = fixture.runtime.block_on(found).unwrap();
    found
        .into_iter()
        .flat_map(|series| series.samples)
        .collect()
}

fn risen(samples: &[Sample]) -> f64 {
    let pairs = samples.windows(2);
    pairs
        .map(|pair| match pair[1].value - pair[0].value {
            rise if rise >= 0.0 => rise,
            _ => pair[1].value,
        })
        .sum()
}

#[test]
fn what_is_left_answers_as_the_samples_did() {
    let fixture = fixture();
    let mut blocks = fixture.open();
    for number in 0..8 {
        let from = number * DAY_MS;
        let provenance = Provenance {
            arrived_from_ms: from,
            arrived_to_ms: from + DAY_MS - 1,
            mark: 0,
        };
        blocks.add(day(number).into_iter(), provenance).unwrap();
    }
    // 1439 a day, and one at each start.
    let all = 8.0 * 1440.0 - 1.0;
    let mut sizes = Vec::new();
    for now in [8, 12, 13, 15, 17, 19, 25, 27, 29, 40, 50, 60] {
        blocks.maintain(now * DAY_MS).unwrap();
        let counter = asked(&fixture, &blocks, "count", Aspect::Counter);
        assert_eq!(risen(&counter), all, "after {now} days");
        assert_eq!(counter.last().unwrap().value, 1440.0);
        let average = asked(&fixture, &blocks, "gauge", Aspect::Average);
        assert_eq!(average.len(), 8 * 1440);
        let highest = asked(&fixture, &blocks, "gauge", Aspect::Max);
        assert!(highest.iter().all(|it| it.value <= 6.0));
        assert_eq!(
            highest.iter().map(|it| it.value).reduce(f64::max),
            Some(6.0)
        );
        assert_eq!(blocks.check().unwrap(), []);
        sizes.push(highest.len());
        drop(blocks);
        blocks = fixture.open();
    }
    assert_eq!(sizes.first(), Some(&(8 * 1440)));
    assert_eq!(sizes.last(), Some(&(8 * 24)));
    assert!(
        sizes.is_sorted_by(|before, after| before >= after),
        "{sizes:?}"
    );
    let resolutions: Vec<_> = blocks.list().iter().map(|block| block.resolution).collect();
    assert!(
        resolutions.iter().all(|it| *it == Resolution::Hour),
        "{resolutions:?}"
    );
    blocks.maintain(109 * DAY_MS).unwrap();
    assert_eq!(blocks.list(), []);
}

#[test]
fn samples_are_believed_over_what_was_made_of_them() {
    let fixture = fixture();
    let blocks = fixture.open();
    blocks.add(day(0).into_iter(), arrived(DAY_MS - 1)).unwrap();
    let before = fixture.all(&blocks);
    let report = blocks.maintain(6 * DAY_MS).unwrap();
    assert_eq!((report.thinned, blocks.list().len()), (1, 2));
    assert_eq!(fixture.all(&blocks), before);
    assert_eq!(blocks.maintain(6 * DAY_MS).unwrap(), Report::default());
}

#[test]
fn of_what_is_no_number_nothing_is_left() {
    let fixture = fixture();
    let blocks = fixture.open();
    let ended = series("__name__=count", &[(1, STALE), (2, STALE)]);
    blocks.add(std::iter::once(ended), arrived(1)).unwrap();
    blocks.add(day(0).into_iter(), arrived(2)).unwrap();
    let report = blocks.maintain(5 * DAY_MS).unwrap();
    // They are merged first, or else the second is thinned out all the same.
    assert_eq!(report.thinned, 1);
    let ended = series("__name__=z", &[(1, STALE)]);
    blocks.add(std::iter::once(ended), arrived(3)).unwrap();
    blocks.add(day(1).into_iter(), arrived(9 * DAY_MS)).unwrap();
    assert_eq!(blocks.maintain(9 * DAY_MS).unwrap().thinned, 0);
    assert_eq!(blocks.maintain(14 * DAY_MS).unwrap().thinned, 1);
}
