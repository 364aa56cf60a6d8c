use proptest::prelude::*;

use super::*;
use crate::read::STALE;

fn samples_of(values: &[(i64, f64)]) -> Vec<Sample> {
    let pairs = values.iter();
    pairs
        .map(|(at_ms, value)| Sample {
            at_ms: *at_ms,
            value: *value,
        })
        .collect()
}

/// How far a counter rose over samples, as Prometheus counts.
fn risen(samples: &[Sample]) -> f64 {
    samples
        .windows(2)
        .map(|pair| rise(pair[0].value, pair[1].value))
        .sum()
}

#[test]
fn a_line_has_what_questions_come_down_to() {
    let samples = samples_of(&[
        (0, 5.0),
        (100, 7.0),
        (200, 1.0),
        (250, STALE),
        (299, 4.0),
        (300, 9.0),
    ]);
    let lines = thin(&samples, 300);
    assert_eq!(lines.len(), 2);
    let expected = Line {
        first_ms: 0,
        last_ms: 299,
        count: 4,
        min: 1.0,
        max: 7.0,
        sum: 17.0,
        first: 5.0,
        last: 4.0,
        // 2 up, a reset and 1 up, 3 up.
        increase: 6.0,
    };
    assert_eq!(lines[0], expected);
    assert_eq!(thin(&samples_of(&[(1, STALE)]), 300), []);
}

#[test]
fn a_value_stands_as_long_as_its_span() {
    let lines = thin(&samples_of(&[(0, 1.0), (3_500_000, 2.0)]), 3_600_000);
    let values = super::samples(&lines, Aspect::Value, 100);
    assert!(
        values
            .windows(2)
            .all(|pair| pair[1].at_ms - pair[0].at_ms <= FILL_MS)
    );
    assert_eq!(values.last().unwrap().at_ms, 3_500_000);
}

proptest! {
    #[test]
    fn lines_answer_as_their_samples_do(
        steps in prop::collection::vec((1i64..200_000, 0u32..1000, prop::bool::weighted(0.1)), 1..200),
        cut in any::<prop::sample::Index>(),
    ) {
        let (mut at_ms, mut value) = (-5_000_000, 0.0);
        let samples: Vec<Sample> = steps.iter().map(|(step, rise, resets)| {
            at_ms += step;
            value = if *resets { f64::from(*rise) } else { value + f64::from(*rise) };
            Sample { at_ms, value }
        }).collect();
        // Two blocks that meet anywhere, thinned out twice.
        let (one, other) = samples.split_at(cut.index(samples.len()));
        let fine = join([one, other].map(|it| thin(it, 300_000)).into_iter(), 300_000);
        let coarse = join([fine.clone()].into_iter(), 3_600_000);
        for (lines, width_ms) in [(fine, 300_000), (coarse, 3_600_000)] {
            prop_assert_eq!(&lines, &thin(&samples, width_ms));
            let of = |aspect| super::samples(&lines, aspect, usize::MAX);
            let ascends = |samples: &[Sample]| samples.is_sorted_by(|a, b| a.at_ms < b.at_ms);
            let counter = of(Aspect::Counter);
            prop_assert_eq!(risen(&counter), risen(&samples));
            prop_assert_eq!(counter.last(), samples.last());
            prop_assert!(ascends(&counter) && counter.is_sorted_by(|a, b| a.value <= b.value));
            let fold = |samples: &[Sample], of: fn(f64, f64) -> f64| samples.iter().map(|it| it.value).reduce(of);
            prop_assert_eq!(fold(&of(Aspect::Min), f64::min), fold(&samples, f64::min));
            prop_assert_eq!(fold(&of(Aspect::Max), f64::max), fold(&samples, f64::max));
            let average = of(Aspect::Average);
            prop_assert!(ascends(&average));
            prop_assert_eq!(average.len(), samples.len());
            let sum = |samples: &[Sample]| samples.iter().map(|it| it.value).sum::<f64>();
            prop_assert!((sum(&average) - sum(&samples)).abs() <= 1e-9 * sum(&samples));
            prop_assert!(ascends(&of(Aspect::Value)));
        }
    }
}
