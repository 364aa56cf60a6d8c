//! PostgreSQL's log sequence number.

use std::fmt;
use std::str::FromStr;

/// A byte position in the write-ahead log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lsn(pub u64);

/// The text was not a log sequence number.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is not a log sequence number such as 16/B374D848")]
pub struct ParseLsnError {
    text: String,
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl FromStr for Lsn {
    type Err = ParseLsnError;

    fn from_str(text: &str) -> Result<Self, ParseLsnError> {
        let error = || ParseLsnError {
            text: text.chars().take(40).collect(),
        };
        let (high, low) = text.split_once('/').ok_or_else(error)?;
        let half = |digits: &str| match digits.len() {
            1..=8 if !digits.starts_with('+') => u32::from_str_radix(digits, 16).ok(),
            _ => None,
        };
        let (high, low) = half(high).zip(half(low)).ok_or_else(error)?;
        Ok(Self(u64::from(high) << 32 | u64::from(low)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"] {
            assert_eq!(text.parse::<Lsn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_not_one() {
        for text in [
            "",
            "/",
            "1",
            "1/",
            "/1",
            "1/123456789",
            "x/1",
            "+1/1",
            "1/2/3",
        ] {
            assert!(text.parse::<Lsn>().is_err(), "{text}");
        }
    }
}
