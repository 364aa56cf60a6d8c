//! Which versions of PostgreSQL a query is for: `>=10.0.0 <14.0.0 || >15.1.0`, as `runonserver`
//! has it.

/// A version: major, minor, patch. PostgreSQL 15.4 is 15.4.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version([u32; 3]);

/// Alternatives, of which one must hold; an alternative holds if all its conditions do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range(Vec<Vec<Condition>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    AtLeast,
    AtMost,
    Above,
    Below,
    Is,
    IsNot,
}

type Condition = (Comparison, Version);

/// The longer of two that begin alike comes first.
const WORDS: [(&str, Comparison); 8] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    ("!=", Comparison::IsNot),
    ("==", Comparison::Is),
    (">", Comparison::Above),
    ("<", Comparison::Below),
    ("=", Comparison::Is),
    ("!", Comparison::IsNot),
];

impl Version {
    /// From `server_version_num`: 150004 is 15.4, 90603 is 9.6.3.
    pub(super) fn from_number(number: u32) -> Self {
        if number >= 100_000 {
            Self([number / 10_000, number % 10_000, 0])
        } else {
            Self([number / 10_000, number / 100 % 100, number % 100])
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut version = [0; 3];
        let mut parts = text.split('.');
        for (place, slot) in version.iter_mut().enumerate() {
            match parts.next() {
                Some(part) => *slot = part.parse().ok()?,
                None if place > 0 => break,
                None => return None,
            }
        }
        parts.next().is_none().then_some(Self(version))
    }
}

impl Range {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let alternatives: Option<Vec<Vec<Condition>>> = text
            .split("||")
            .map(|alternative| {
                let conditions: Option<Vec<Condition>> =
                    alternative.split_whitespace().map(condition).collect();
                conditions.filter(|conditions| !conditions.is_empty())
            })
            .collect();
        alternatives.map(Self)
    }

    pub(super) fn holds(&self, version: Version) -> bool {
        let meets = |(comparison, wanted): &Condition| match comparison {
            Comparison::AtLeast => version >= *wanted,
            Comparison::AtMost => version <= *wanted,
            Comparison::Above => version > *wanted,
            Comparison::Below => version < *wanted,
            Comparison::Is => version == *wanted,
            Comparison::IsNot => version != *wanted,
        };
        self.0.iter().any(|conditions| conditions.iter().all(meets))
    }
}

fn condition(word: &str) -> Option<Condition> {
    for (prefix, comparison) in WORDS {
        if let Some(version) = word.strip_prefix(prefix) {
            return Some((comparison, Version::parse(version)?));
        }
    }
    Some((Comparison::Is, Version::parse(word)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (range, number, expected) in [
            (">=10.0.0", 150_004, true),
            (">=10.0.0", 90_603, false),
            ("<10", 90_603, true),
            (">=9.4.0 <10.0.0", 90_603, true),
            (">=9.4.0 <10.0.0", 100_000, false),
            ("<9.0.0 || >=15.4.0", 150_004, true),
            ("<9.0.0 || >15.4.0", 150_004, false),
            ("15.4.0", 150_004, true),
            ("=15.4", 150_004, true),
            ("!=15.4.0", 150_004, false),
            ("<=15.4.0", 150_004, true),
        ] {
            let holds = Range::parse(range)
                .unwrap()
                .holds(Version::from_number(number));
            assert_eq!(holds, expected, "{range} {number}");
        }
        for range in [
            "", " ", "ten", ">=", ">= 10", "10 ||", "1.2.3.4", "-1", "~10",
        ] {
            assert_eq!(Range::parse(range), None, "{range}");
        }
    }
}
