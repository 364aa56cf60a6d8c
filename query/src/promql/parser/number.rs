//! Numbers and durations as values.

use super::Parser;
use crate::promql::ast::{NumberLiteral, Span};
use crate::promql::error::ParseError;
use crate::promql::lexer::Kind;

impl Parser<'_> {
    /// The number or duration that comes next; the caller has seen that one does.
    pub(super) fn number(&mut self) -> Result<NumberLiteral, ParseError> {
        let token = self.next();
        let span = token.span;
        let text = self.text_of(span);
        let duration = token.kind == Kind::Duration;
        let value = if duration {
            seconds(text, span)?
        } else {
            number(text)
                .ok_or_else(|| ParseError::new(span, format!("error parsing number: {text:?}")))?
        };
        Ok(NumberLiteral {
            value,
            duration,
            span,
        })
    }
}

#[allow(clippy::cast_precision_loss)]
fn seconds(text: &str, span: Span) -> Result<f64, ParseError> {
    let ms = duration_ms(text).ok_or_else(|| ParseError::new(span, "duration out of range"))?;
    Ok(ms as f64 / 1000.0)
}

/// A duration such as `1h30m` in milliseconds; nothing if it is not one, or too long to count.
#[must_use]
pub fn duration_ms(text: &str) -> Option<i64> {
    let mut total = 0i64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (count, after) = rest.split_at(digits);
        let letters = after.len()
            - after
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let (unit, after) = after.split_at(letters);
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            "y" => 365 * 86_400_000,
            _ => return None,
        };
        total = count
            .parse::<i64>()
            .ok()?
            .checked_mul(unit_ms)?
            .checked_add(total)?;
        rest = after;
    }
    // As long as nanoseconds in 64 bits could say, which is what Prometheus counts in.
    (!text.is_empty() && total < i64::MAX / 1_000_000).then_some(total)
}

/// A number: decimal, hexadecimal, octal with a leading zero, or a word.
#[allow(clippy::cast_precision_loss)]
fn number(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    let plain = lower.replace('_', "");
    if let Some(digits) = plain.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16)
            .ok()
            .map(|value| value as f64);
    }
    let octal = plain.len() > 1
        && plain.starts_with('0')
        && plain.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    if octal {
        return i64::from_str_radix(&plain, 8)
            .ok()
            .map(|value| value as f64);
    }
    match plain.as_str() {
        "inf" => Some(f64::INFINITY),
        "nan" => Some(f64::NAN),
        _ => plain.parse().ok(),
    }
}
