//! How far numbers and durations reach.

/// How long the duration is that the text begins with: numbers each with a unit, larger units first.
pub(super) fn duration_length(text: &str) -> Option<usize> {
    const UNITS: [&str; 7] = ["y", "w", "d", "h", "m", "s", "ms"];
    let bytes = text.as_bytes();
    let mut length = 0;
    let mut next_unit = 0;
    loop {
        let digits = bytes
            .get(length..)?
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits == 0 {
            break;
        }
        let after = text.get(length + digits..)?;
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = after.get(..letters)?;
        let place = UNITS.iter().position(|known| *known == unit)?;
        if place < next_unit {
            return None;
        }
        next_unit = place + 1;
        length += digits + letters;
    }
    (length > 0).then_some(length)
}

/// How long the number is that the text begins with.
pub(super) fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    if text.len() > 2 && bytes[0] == b'0' && matches!(bytes[1], b'x' | b'X') {
        let digits = bytes[2..]
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit() || **byte == b'_');
        return 2 + digits.count();
    }
    let digits_from = |from: usize| {
        let digits = bytes.get(from..).unwrap_or_default();
        from + digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || **byte == b'_')
            .count()
    };
    let mut length = digits_from(0);
    if bytes.get(length) == Some(&b'.') {
        length = digits_from(length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let end = digits_from(length + 1 + sign);
        if end > length + 1 + sign {
            length = end;
        }
    }
    length
}
