//! How much an integration may be sent: a bucket of tokens that fills steadily.

use crate::config::notify::Rate;

/// What a digest takes, if the bucket holds as much: it stands for many messages, and the next one is
/// not to follow at once while a storm lasts. With the usual rate that is half a minute.
const DIGEST_COST: f64 = 10.0;

/// A bucket of tokens. Time is that of the steady clock, in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    rate: Rate,
    tokens: f64,
    at_ms: i64,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// Something that disturbs nobody.
    Nothing,
    /// One message.
    One,
    /// A message for many.
    Digest,
}

impl Bucket {
    /// A full one, from which so much was taken just now.
    pub(super) fn new(rate: Rate, taken: u64, now_ms: i64) -> Self {
        let tokens = match rate {
            Rate::Unlimited => 0.0,
            Rate::Limited { burst, .. } => (f64::from(burst) - taken as f64).max(0.0),
        };
        Self {
            rate,
            tokens,
            at_ms: now_ms,
        }
    }

    /// How far back it must be known what was taken.
    pub(super) fn memory_ms(rate: Rate) -> i64 {
        match rate {
            Rate::Unlimited => 0,
            Rate::Limited { burst, refill } => {
                let refill_ms = i64::try_from(refill.as_millis()).unwrap_or(i64::MAX);
                refill_ms.saturating_mul(i64::from(burst))
            }
        }
    }

    /// Goes on at another rate.
    pub(super) fn set_rate(&mut self, rate: Rate, now_ms: i64) {
        if self.rate != rate {
            *self = Self::new(rate, 0, now_ms);
        }
    }

    /// Whether a message may be sent.
    pub(super) fn has_token(&self, now_ms: i64) -> bool {
        self.level(now_ms).is_none_or(|level| level >= 1.0)
    }

    /// Whether no second one may be sent behind it.
    pub(super) fn is_low(&self, now_ms: i64) -> bool {
        self.level(now_ms).is_some_and(|level| level < 2.0)
    }

    /// When a message may be sent.
    pub(super) fn token_at_ms(&self, now_ms: i64) -> i64 {
        let (Some(level), Rate::Limited { refill, .. }) = (self.level(now_ms), self.rate) else {
            return now_ms;
        };
        let missing = (1.0 - level).max(0.0);
        let wait_ms = (missing * refill.as_secs_f64() * 1_000.0).ceil();
        now_ms.saturating_add(wait_ms as i64)
    }

    /// A message was sent.
    pub(super) fn take(&mut self, cost: Cost, now_ms: i64) {
        let (Some(level), Rate::Limited { burst, .. }) = (self.level(now_ms), self.rate) else {
            return;
        };
        let cost = match cost {
            Cost::Nothing => 0.0,
            Cost::One => 1.0,
            Cost::Digest => DIGEST_COST.min(f64::from(burst)),
        };
        (self.tokens, self.at_ms) = (level - cost, now_ms);
    }

    fn level(&self, now_ms: i64) -> Option<f64> {
        let Rate::Limited { burst, refill } = self.rate else {
            return None;
        };
        let passed_ms = now_ms.saturating_sub(self.at_ms).max(0) as f64;
        let level = self.tokens + passed_ms / 1_000.0 / refill.as_secs_f64();
        // What is a token but for rounding is one: the wait for it was computed the same way.
        Some((level + 1e-6).min(f64::from(burst)))
    }
}
