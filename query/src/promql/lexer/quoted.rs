//! What stands in quotes, with Go's escapes.

/// The text within quotes; what is wrong with it otherwise.
pub fn unquote(quoted: &str) -> Result<String, &'static str> {
    let mut inner = quoted.chars();
    let quote = inner.next().ok_or("no quotes")?;
    inner.next_back();
    let inner = inner.as_str();
    if quote == '`' {
        return Ok(inner.to_owned());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        if c == '\\' {
            escape(&mut rest, &mut bytes)?;
        } else {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    // An escape may name any byte; label values and names are text all the same.
    String::from_utf8(bytes).map_err(|_| "the string is not valid UTF-8")
}

fn escape(rest: &mut std::str::Chars<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
    const WRONG: &str = "unknown escape sequence";
    let kind = rest.next().ok_or("escape sequence not terminated")?;
    let simple = match kind {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' | '"' | '\'' => u8::try_from(kind).ok(),
        _ => None,
    };
    if let Some(byte) = simple {
        out.push(byte);
        return Ok(());
    }
    match kind {
        'x' => out.push(u8::try_from(digits(rest, 2, 16)?).map_err(|_| WRONG)?),
        'u' => push_character(digits(rest, 4, 16)?, out)?,
        'U' => push_character(digits(rest, 8, 16)?, out)?,
        '0'..='7' => {
            let first = kind.to_digit(8).unwrap_or_default();
            let value = first * 64 + digits(rest, 2, 8)?;
            out.push(u8::try_from(value).map_err(|_| WRONG)?);
        }
        _ => return Err(WRONG),
    }
    Ok(())
}

fn digits(rest: &mut std::str::Chars<'_>, count: usize, base: u32) -> Result<u32, &'static str> {
    let mut value = 0u32;
    for _ in 0..count {
        let digit = rest
            .next()
            .and_then(|c| c.to_digit(base))
            .ok_or("illegal character in escape sequence")?;
        value = value.wrapping_mul(base).wrapping_add(digit);
    }
    Ok(value)
}

fn push_character(code: u32, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let c = char::from_u32(code).ok_or("escape sequence is an invalid Unicode code point")?;
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(())
}
