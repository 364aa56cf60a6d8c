//! Waiting for a state. The only place of the tests that polls: a test states what must become true and
//! by when at the very latest, and learns what was seen last if it does not.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::{Instant, sleep, timeout};

/// How often the state is looked at: often enough that a test loses no time, rarely enough that looking
/// does not slow down what is looked at on a machine with one core.
const PAUSE: Duration = Duration::from_millis(25);

/// For states that depend on a process starting, stopping or catching up. A machine that builds and
/// tests at the same time may need tens of seconds for what usually takes one.
pub const GENEROUS: Duration = Duration::from_secs(60);

/// Looks until `probe` gives a value, which is returned; an error of the probe is what was seen instead.
/// A single look may take as long as the whole deadline and is cut off there.
pub async fn wait_for<T, E, F, Fut>(state: &str, deadline: Duration, mut probe: F) -> Result<T>
where
    E: Display,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + deadline;
    let mut seen = "nothing: the first look did not return".to_owned();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match timeout(left, probe()).await {
            Ok(Ok(value)) => return Ok(value),
            // `#` makes anyhow print the causes too.
            Ok(Err(error)) => seen = format!("{error:#}"),
            Err(_) => {}
        }
        if Instant::now() >= end {
            return Err(anyhow!(
                "waited {deadline:?} for: {state}; last seen: {seen}"
            ));
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn returns_the_first_value() {
        let looks = Cell::new(0);
        let value = wait_for("third look", GENEROUS, || async {
            looks.set(looks.get() + 1);
            if looks.get() == 3 {
                Ok(looks.get())
            } else {
                Err("too early")
            }
        });
        assert_eq!(value.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn names_what_was_seen_last() {
        let waited = wait_for("lag is 0", Duration::from_millis(50), || async {
            Err::<(), _>("lag is 7")
        });
        let message = waited.await.unwrap_err().to_string();
        assert_eq!(message, "waited 50ms for: lag is 0; last seen: lag is 7");
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_cut_off() {
        let waited = wait_for(
            "an answer",
            Duration::from_millis(50),
            std::future::pending::<Result<()>>,
        );
        assert!(
            waited
                .await
                .unwrap_err()
                .to_string()
                .contains("did not return")
        );
    }
}
