//! Moments in a body: RFC 3339, or the same without an offset, which then is UTC.

use crate::api::time;

use super::given::{Given, Types};

/// What Go writes for a moment that nobody named.
const NEVER_MS: i64 = -62_135_596_800_000;

/// A moment in milliseconds since 1970, if one is given.
pub(super) fn read(place: &str, given: Given, types: &mut Types) -> Option<i64> {
    let text = types.text(place, given).filter(|text| !text.is_empty())?;
    let moment = parse(&text);
    if moment.is_none() {
        let shown: String = text.chars().take(40).collect();
        types.wrong.push(format!(
            "{place}: {shown:?} is no time such as 2026-01-31T08:00:00Z"
        ));
    }
    moment.filter(|at_ms| *at_ms != NEVER_MS)
}

fn parse(text: &str) -> Option<i64> {
    // What has no date in front is a number of seconds elsewhere in the API.
    let has_date = text.as_bytes().get(4) == Some(&b'-');
    let whole = has_date.then(|| time::parse(text)).flatten();
    whole.or_else(|| has_date.then(|| time::parse(&format!("{text}Z"))).flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        let check = |text: &str, expected: Option<i64>| {
            let mut types = Types::default();
            let found = read("x", Given::Text(text.to_owned()), &mut types);
            assert_eq!(found, expected, "{text}");
            types.wrong.is_empty()
        };
        assert!(check("1970-01-01T00:00:01Z", Some(1_000)));
        assert!(check("1970-01-01T01:00:01.5+01:00", Some(1_500)));
        assert!(check("1970-01-01 00:00:01", Some(1_000)));
        assert!(check("1970-01-01T00:00:01.25", Some(1_250)));
        assert!(check("0001-01-01T00:00:00Z", None));
        assert!(check("", None));
        for wrong in [
            "1",
            "1e9",
            "1e-9",
            "now",
            "2026-02-30T00:00:00Z",
            "2026-01-01",
            "é",
        ] {
            assert!(!check(wrong, None), "{wrong}");
        }
    }
}
