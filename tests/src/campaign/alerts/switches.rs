//! Series that are on or off, pushed to the collector over and over, whether it is there or not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hyper::body::Bytes;
use tokio_util::task::AbortOnDropHandle;
use wire::remote_write::Sample;

use crate::bench::push::{Line, body};
use crate::http;

/// How many switches there are, half of them quick and half of them patient.
pub(super) const COUNT: usize = 16;

/// How often all are pushed: more often than any rule is evaluated.
const PACE: Duration = Duration::from_millis(100);

/// Pushes between two blinks of what is never on for long.
const BLINK: u64 = 3;

/// The switches.
pub(super) struct Switches {
    state: Arc<State>,
    pusher: AbortOnDropHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    /// How often each was flipped; it is on where that is odd.
    flips: Mutex<[usize; COUNT]>,
}

impl Switches {
    /// All are off at first.
    pub(super) fn start(address: &str) -> Self {
        let state = Arc::<State>::default();
        let pushing = push(Arc::clone(&state), address.to_owned());
        let pusher = AbortOnDropHandle::new(tokio::spawn(pushing));
        Self { state, pusher }
    }

    pub(super) fn flip(&self, which: &[usize]) {
        let mut flips = self.state.locked();
        which.iter().for_each(|&n| flips[n] += 1);
    }

    /// How often each was flipped.
    pub(super) fn flips(&self) -> [usize; COUNT] {
        *self.state.locked()
    }

    pub(super) fn stop(&self) {
        self.pusher.abort();
    }
}

impl State {
    fn locked(&self) -> std::sync::MutexGuard<'_, [usize; COUNT]> {
        self.flips.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self, round: u64) -> anyhow::Result<Bytes> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let at_ms = i64::try_from(since.as_millis())?;
        let flips = *self.locked();
        let mut series = Vec::new();
        for (n, flips) in flips.iter().enumerate() {
            let own = if n % 2 == 0 { "quick" } else { "patient" };
            series.push((own, n, flips % 2 == 1));
            series.push(("waiting", n, true));
            series.push(("blinking", n, (round / BLINK).is_multiple_of(2)));
        }
        let labels: Vec<_> = series.iter().map(|(name, n, _)| labels(name, *n)).collect();
        let lines = series
            .iter()
            .zip(&labels)
            .map(|((_, _, is_on), labels)| Line {
                labels,
                samples: vec![Sample {
                    at_ms,
                    value: f64::from(*is_on),
                }],
            });
        body(lines)
    }
}

fn labels(name: &str, n: usize) -> Vec<(String, String)> {
    let pairs = [("__name__", name.to_owned()), ("n", n.to_string())];
    let owned = pairs.map(|(name, value)| (name.to_owned(), value));
    owned.into()
}

async fn push(state: Arc<State>, address: String) {
    let mut ticks = tokio::time::interval(PACE);
    for round in 0.. {
        ticks.tick().await;
        let Ok(body) = state.request(round) else {
            return;
        };
        // A collector that is away gets the next ones.
        drop(http::write(&address, body).await);
    }
}
