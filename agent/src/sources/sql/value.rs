//! Values of a result, which come as text, as the numbers they are.

use super::super::date;

/// A number, a boolean, or a time as seconds since 1970.
pub(super) fn number(text: &str) -> Option<f64> {
    match text {
        "t" => Some(1.0),
        "f" => Some(0.0),
        text => text.parse().ok().or_else(|| date::from_database(text)),
    }
}

/// Milliseconds in a duration such as `1h2m3.5s`, as DURATION columns hold them.
pub(super) fn duration(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 7] = [
        ("ns", 1e-6),
        ("us", 1e-3),
        ("µs", 1e-3),
        ("ms", 1.0),
        ("s", 1e3),
        ("m", 6e4),
        ("h", 3.6e6),
    ];
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    if rest == "0" {
        return Some(0.0);
    }
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let letters = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, worth) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total += number.parse::<f64>().ok()? * worth;
        rest = after;
    }
    Some(sign * total)
}

/// The numbers of an array such as `{0.1,0.5,1}`.
pub(super) fn numbers(text: &str) -> Option<Vec<f64>> {
    let inside = text.strip_prefix('{')?.strip_suffix('}')?;
    if inside.is_empty() {
        return Some(Vec::new());
    }
    inside.split(',').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_kinds() {
        for (text, expected) in [
            ("42", Some(42.0)),
            ("-1.5e3", Some(-1500.0)),
            ("t", Some(1.0)),
            ("f", Some(0.0)),
            ("1970-01-01 00:01:00+00", Some(60.0)),
            ("text", None),
            ("", None),
            ("01:00:00", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
        assert!(number("NaN").unwrap().is_nan());
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("1h2m3.5s", Some(3_723_500.0)),
            ("250ms", Some(250.0)),
            ("1500µs", Some(1.5)),
            ("-2s", Some(-2_000.0)),
            ("0", Some(0.0)),
            ("-1", None),
            ("5", None),
            ("", None),
            ("1 hour", None),
            ("1.2.3s", None),
            ("h", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn arrays() {
        assert_eq!(
            numbers("{0.1,1,Infinity}"),
            Some(vec![0.1, 1.0, f64::INFINITY])
        );
        assert_eq!(numbers("{}"), Some(vec![]));
        for text in ["", "{", "1,2", "{1,NULL}", "{{1},{2}}"] {
            assert_eq!(numbers(text), None, "{text}");
        }
    }
}
