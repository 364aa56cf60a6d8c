//! Cuts a batch that is too large for one record into several that are not.
//!
//! A collection of ten thousand tables is tens of megabytes as a request, more than the agent may
//! hold and more than a receiver takes. Its pieces are batches of their own, of the same moment and
//! target; the collector sees no difference. Points keep their order; none is lost or repeated.

use std::mem;

use wire::batch::Batch;
use wire::metric::{Family, Point};

/// How large a piece may be as a request: small enough that encoding it does not show in the agent's
/// resident memory, large enough to compress well.
pub(super) const PIECE: usize = 768 << 10;

/// What a point takes beside its labels, and a label beside its text.
const POINT: usize = 24;
const LABEL: usize = 8;
/// What a family takes beside its help and names.
const FAMILY: usize = 64;

/// Cuts `batch` into pieces of about `budget` bytes each. A point that alone is larger gets a piece
/// to itself.
pub(super) fn pieces(mut batch: Batch, budget: usize) -> Vec<Batch> {
    if estimate(&batch) <= budget {
        return vec![batch];
    }
    let families = mem::take(&mut batch.families);
    let mut cutter = Cutter {
        empty: batch,
        budget,
        current: Vec::new(),
        size: 0,
        done: Vec::new(),
    };
    for family in families {
        cutter.take(family);
    }
    cutter.cut();
    cutter.done
}

/// How long `batch` will be as a request, about.
pub(super) fn estimate(batch: &Batch) -> usize {
    batch
        .families
        .iter()
        .map(|family| header_len(family) + family.points.iter().map(point_len).sum::<usize>())
        .sum()
}

struct Cutter {
    empty: Batch,
    budget: usize,
    current: Vec<Family>,
    size: usize,
    done: Vec<Batch>,
}

impl Cutter {
    fn take(&mut self, mut family: Family) {
        let points = mem::take(&mut family.points);
        let header = header_len(&family);
        let mut open = false;
        for point in points {
            let len = point_len(&point) + if open { 0 } else { header };
            if self.size > 0 && self.size + len > self.budget {
                self.cut();
                open = false;
            }
            if !open {
                self.current.push(Family {
                    points: Vec::new(),
                    ..family.clone()
                });
                self.size += header;
                open = true;
            }
            self.size += point_len(&point);
            if let Some(last) = self.current.last_mut() {
                last.points.push(point);
            }
        }
    }

    fn cut(&mut self) {
        if self.current.is_empty() {
            return;
        }
        self.done.push(Batch {
            families: mem::take(&mut self.current),
            ..self.empty.clone()
        });
        self.size = 0;
    }
}

fn header_len(family: &Family) -> usize {
    FAMILY + family.name.len() + family.help.len()
}

fn point_len(point: &Point) -> usize {
    let labels: usize = point
        .labels
        .iter()
        .map(|label| LABEL + label.name.len() + label.value.len())
        .sum();
    POINT + labels
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;
    use wire::metric::{Kind, Label, Suffix};

    fn batch(points: &[Vec<usize>]) -> Batch {
        let mut value = 0.0;
        let families = points.iter().enumerate().map(|(number, points)| {
            let mut family = Family::new(format!("family_{number}"), "Help.", Kind::Gauge);
            for label in points {
                value += 1.0;
                family.points.push(Point {
                    suffix: Suffix::None,
                    labels: vec![Label::new("label", "x".repeat(*label))],
                    value,
                    at_ms: None,
                });
            }
            family
        });
        Batch {
            source: "test".to_owned(),
            at_ms: 5,
            target: vec![Label::new("job", "test")],
            families: families.collect(),
        }
    }

    fn values(batch: &Batch) -> Vec<(String, f64)> {
        let points = batch.families.iter().flat_map(|family| {
            let name = family.name.to_string();
            family
                .points
                .iter()
                .map(move |point| (name.clone(), point.value))
        });
        points.collect()
    }

    proptest! {
        #[test]
        fn pieces_hold_every_point_once_and_in_order(
            points in prop::collection::vec(prop::collection::vec(0usize..300, 0..20), 0..8),
            budget in 1usize..2000,
        ) {
            let whole = batch(&points);
            let pieces = pieces(whole.clone(), budget);
            let together: Vec<_> = pieces.iter().flat_map(values).collect();
            prop_assert_eq!(together, values(&whole));
            for piece in &pieces {
                prop_assert_eq!((&piece.source, piece.at_ms, &piece.target), (&whole.source, 5, &whole.target));
                prop_assert!(estimate(piece) <= budget || piece.series() <= 1);
            }
        }
    }

    #[test]
    fn a_small_batch_stays_whole() {
        let whole = batch(&[vec![1, 2], vec![3]]);
        assert_eq!(pieces(whole.clone(), PIECE), vec![whole]);
    }
}
