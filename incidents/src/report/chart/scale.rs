//! From times and values to places, and the round ones among them at which axes are marked.

/// Where times and values lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    from_ms: i64,
    to_ms: i64,
    low: f64,
    high: f64,
    step: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// Lines across at the most.
const LINES: f64 = 5.0;

/// Marks along at the most: their texts need room.
const MARKS: i64 = 8;

/// Distances of marks along, in seconds.
const STEPS_S: [i64; 15] = [
    10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800,
];

impl Scale {
    /// One that shows all of these values in a frame of left, right, top and bottom.
    pub(super) fn new(
        (from_ms, to_ms): (i64, i64),
        values: impl Iterator<Item = f64>,
        (left, right, top, bottom): (f64, f64, f64, f64),
    ) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        // Numbers beyond this are no measurements, and their difference would not be one.
        for value in values.map(|value| value.clamp(-1e300, 1e300)) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // Nothing is measured against nothing, unless that would flatten the line.
        if low >= 0.0 && low < high * 0.6 {
            low = 0.0;
        }
        if high - low <= high.abs().max(low.abs()) * 1e-9 {
            let room = if high == 0.0 { 1.0 } else { high.abs() * 0.5 };
            (low, high) = (low - room, high + room);
        }
        let step = round_step((high - low) / LINES);
        // Room above the highest, so that the line does not run along the frame.
        high += (high - low) * 0.06;
        Self {
            from_ms,
            to_ms: to_ms.max(from_ms.saturating_add(1)),
            low: (low / step).floor() * step,
            high,
            step,
            left,
            right,
            top,
            bottom,
        }
    }

    pub(super) fn x(&self, at_ms: i64) -> f64 {
        let from = self.from_ms as f64;
        let part = (at_ms as f64 - from) / (self.to_ms as f64 - from);
        self.left + part * (self.right - self.left)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        let part = (value - self.low) / (self.high - self.low);
        self.bottom - part.clamp(0.0, 1.0) * (self.bottom - self.top)
    }

    pub(super) fn value_ticks(&self) -> Vec<f64> {
        let mut found = Vec::new();
        let mut place = 0.0;
        while found.len() < 2 * LINES as usize && self.low + place * self.step <= self.high {
            // What is nearly nothing next to a step is nothing.
            let tick = self.low + place * self.step;
            found.push(if tick.abs() < self.step * 1e-6 {
                0.0
            } else {
                tick
            });
            place += 1.0;
        }
        found
    }
}

/// The next larger of 1, 2, 2.5 and 5, times a power of ten.
fn round_step(wanted: f64) -> f64 {
    let power = 10f64.powf(wanted.log10().floor());
    let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
    let factor = factors.into_iter().find(|factor| factor * power >= wanted);
    let step = factor.unwrap_or(10.0) * power;
    if step.is_finite() && step > 0.0 {
        step
    } else {
        1.0
    }
}

/// A value beside an axis: `1.5k`, `20M`.
pub(super) fn compact(value: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let unit = units
        .into_iter()
        .find(|(worth, _)| value.abs() >= worth * 0.999_999 && value.abs() < 1e15);
    let (worth, unit) = unit.unwrap_or((1.0, ""));
    let shown: f64 = format!("{:.2e}", value / worth).parse().unwrap_or(value);
    format!("{}{unit}", query::promql::go_float(shown))
}

/// Round times from one to another, with what is written beside them, in UTC.
pub(super) fn ticks(from_ms: i64, to_ms: i64) -> Vec<(i64, String)> {
    let span_s = to_ms.saturating_sub(from_ms) / 1_000;
    let steps = STEPS_S.into_iter();
    let mut fitting = steps.filter(|step| span_s / step < MARKS);
    let days = 86_400 * (span_s / 86_400 / MARKS + 1);
    let step_ms = fitting.next().unwrap_or(days).saturating_mul(1_000);
    let format = match step_ms {
        86_400_000.. => "%m-%d",
        60_000.. => "%H:%M",
        _ => "%H:%M:%S",
    };
    let first = from_ms.div_euclid(step_ms);
    // One more than fits, for the first may lie before the beginning.
    let places = (0..=MARKS + 1).map(|place| (first + place).saturating_mul(step_ms));
    let within = places.filter(|at_ms| (from_ms..=to_ms).contains(at_ms));
    within
        .filter_map(|at_ms| {
            let at = jiff::Timestamp::from_millisecond(at_ms).ok()?;
            Some((at_ms, at.strftime(format).to_string()))
        })
        .collect()
}
