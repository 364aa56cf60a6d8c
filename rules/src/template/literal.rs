//! Numbers, characters and texts as Go writes them in source.

use super::value::Value;

/// A number: whole where it is written so, in any of Go's bases.
pub(super) fn number(text: &str) -> Result<Value, String> {
    let bad = || format!("bad number syntax: {text:?}");
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return Err(bad());
    }
    let plain = digits.replace('_', "");
    let lower = plain.to_ascii_lowercase();
    let (base, rest) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit) => {
            (8, &lower[1..])
        }
        _ => (10, lower.as_str()),
    };
    if let Ok(value) = i128::from_str_radix(rest, base)
        && !rest.starts_with(['+', '-'])
    {
        return i64::try_from(sign * value)
            .map(Value::Int)
            .map_err(|_| format!("integer overflow: {text:?}"));
    }
    let is_float = base == 10
        && lower
            .bytes()
            .all(|b| b.is_ascii_digit() || b".e+-".contains(&b));
    if !is_float {
        return Err(bad());
    }
    #[allow(clippy::cast_precision_loss)]
    let value = plain.parse::<f64>().map_err(|_| bad())? * sign as f64;
    Ok(Value::Float(value))
}

/// A text or character in quotes of any of the three kinds, without them.
pub(super) fn unquote(quoted: &str) -> Result<String, String> {
    let bad = || format!("invalid syntax: {quoted}");
    let mut chars = quoted.chars();
    let quote = chars.next().ok_or_else(bad)?;
    let inner = chars.as_str().strip_suffix(quote).ok_or_else(bad)?;
    if quote == '`' {
        return Ok(inner.replace('\r', ""));
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        if c == '\\' {
            escape(&mut rest, quote, &mut bytes).ok_or_else(bad)?;
        } else {
            push(&mut bytes, c);
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// What follows a backslash; nothing if it is no escape.
fn escape(rest: &mut std::str::Chars<'_>, quote: char, bytes: &mut Vec<u8>) -> Option<()> {
    let letter = rest.next()?;
    let (length, base) = match letter {
        'x' => (2, 16),
        'u' => (4, 16),
        'U' => (8, 16),
        '0'..='7' => (2, 8),
        _ => {
            bytes.push(match letter {
                'a' => 7,
                'b' => 8,
                'f' => 12,
                'n' => b'\n',
                'r' => b'\r',
                't' => b'\t',
                'v' => 11,
                '\\' => b'\\',
                c if c == quote => u8::try_from(c).ok()?,
                _ => return None,
            });
            return Some(());
        }
    };
    let lead = (base == 8).then_some(letter);
    let digits: String = lead.into_iter().chain(rest.take(length)).collect();
    if digits.len() != length + usize::from(lead.is_some()) {
        return None;
    }
    let code = u32::from_str_radix(&digits, base).ok()?;
    match letter {
        'u' | 'U' => push(bytes, char::from_u32(code)?),
        _ => bytes.push(u8::try_from(code).ok()?),
    }
    Some(())
}
