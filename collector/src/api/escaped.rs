//! Label names that a path cannot hold, written as Prometheus' clients write them: `U__` in front, `__`
//! for an underscore, and `_HEX_` for any other character that is not a letter or a digit.

/// No character has more digits.
const MAX_DIGITS: usize = 6;

/// The name that is meant; the text itself where it is not written like this.
pub(super) fn unescape(text: &str) -> String {
    text.strip_prefix("U__")
        .and_then(decode)
        .unwrap_or_else(|| text.to_owned())
}

fn decode(escaped: &str) -> Option<String> {
    let mut name = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((plain, after)) = rest.split_once('_') {
        name.push_str(plain);
        if let Some(after) = after.strip_prefix('_') {
            name.push('_');
            rest = after;
            continue;
        }
        let (digits, after) = after.split_once('_')?;
        if digits.len() > MAX_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        name.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unescaped_where_they_are_escaped() {
        let check = |text: &str, expected: &str| assert_eq!(unescape(text), expected, "{text}");
        check("job", "job");
        check("U__http_2e_status", "http.status");
        check("U__a__b", "a_b");
        check("U___1f600_", "\u{1f600}");
        check("U__", "");
        check("U__a_", "U__a_");
        check("U__a_xyz_", "U__a_xyz_");
        check("U__a_2e", "U__a_2e");
        check("U__a_d800_", "U__a_d800_");
        check("U__a_1234567_", "U__a_1234567_");
        check("U__é_2e_", "é.");
    }
}
