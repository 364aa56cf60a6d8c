//! `fmt.Sprintf`: verbs with their flags, width and precision.

use super::number::float;
use super::{Bounded, Style, quoted, write};
use crate::template::value::Value;

/// Widths and precisions beyond this are refused, as in Go.
const MAX_WIDTH: usize = 1_000_000;

/// A verb with all that stands before it.
#[derive(Clone, Copy, Default)]
struct Verb {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Go's `Sprintf`. What does not fit is written into the text, as Go does.
pub fn printf(format: &str, values: &[Value]) -> Result<String, String> {
    let mut out = Bounded::new();
    let mut next = 0;
    let mut reordered = false;
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c.encode_utf8(&mut [0; 4]))?;
            continue;
        }
        let mut verb = Verb::default();
        while let Some(flag) = chars.peek() {
            match flag {
                '-' => verb.minus = true,
                '+' => verb.plus = true,
                '#' => verb.sharp = true,
                ' ' => verb.space = true,
                '0' => verb.zero = true,
                _ => break,
            }
            chars.next();
        }
        reordered |= place(&mut chars, &mut next);
        verb.width = count(&mut chars, values, &mut next);
        if verb.width.is_none() && chars.peek() == Some(&'*') {
            chars.next();
            out.push("%!(BADWIDTH)")?;
        }
        if chars.peek() == Some(&'.') {
            chars.next();
            verb.precision = Some(count(&mut chars, values, &mut next).unwrap_or(0));
        }
        reordered |= place(&mut chars, &mut next);
        let Some(letter) = chars.next() else {
            out.push("%!(NOVERB)")?;
            break;
        };
        if letter == '%' {
            out.push("%")?;
            continue;
        }
        match values.get(next) {
            Some(value) => out.push(&verb.format(letter, value)?)?,
            None => out.push(&format!("%!{letter}(MISSING)"))?,
        }
        next += 1;
    }
    if !reordered && next < values.len() {
        extra(&mut out, &values[next..])?;
    }
    Ok(out.into_inner())
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// `[2]`: which argument comes next.
fn place(chars: &mut Chars<'_>, next: &mut usize) -> bool {
    if chars.peek() != Some(&'[') {
        return false;
    }
    chars.next();
    let digits: String = chars.by_ref().take_while(|c| *c != ']').collect();
    *next = match digits.parse::<usize>() {
        Ok(place) if place > 0 => place - 1,
        _ => usize::MAX / 2,
    };
    true
}

/// A width or precision, in digits or from the arguments.
fn count(chars: &mut Chars<'_>, values: &[Value], next: &mut usize) -> Option<usize> {
    if chars.peek() == Some(&'*') {
        let Some(Value::Int(count)) = values.get(*next) else {
            return None;
        };
        chars.next();
        *next += 1;
        return usize::try_from(*count)
            .ok()
            .filter(|count| *count <= MAX_WIDTH);
    }
    let mut found = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        let so_far = found.unwrap_or(0usize).saturating_mul(10);
        found = Some(so_far.saturating_add(digit as usize).min(MAX_WIDTH));
    }
    found
}

fn extra(out: &mut Bounded, values: &[Value]) -> Result<(), String> {
    out.push("%!(EXTRA ")?;
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            out.push(", ")?;
        }
        if matches!(value, Value::Nil) {
            out.push("<nil>")?;
            continue;
        }
        out.push(value.type_name())?;
        out.push("=")?;
        write(out, value, Style::Plain)?;
    }
    out.push(")")
}

impl Verb {
    fn format(self, letter: char, value: &Value) -> Result<String, String> {
        let plain = || -> Result<String, String> {
            let style = match (letter, self.sharp, self.plus) {
                ('v', true, _) => Style::Source,
                ('v', _, true) => Style::Named,
                _ => Style::Plain,
            };
            let mut out = Bounded::new();
            write(&mut out, value, style)?;
            Ok(out.into_inner())
        };
        match (letter, value) {
            ('T', _) => return Ok(self.pad(value.type_name().to_owned())),
            ('v', Value::Float(number)) => return Ok(self.unsigned().number(*number, 'g')),
            ('v', Value::Int(number)) => return Ok(self.unsigned().whole(*number, 10)),
            ('v', _) => return Ok(self.pad(plain()?)),
            (_, Value::List(list)) => return self.each(letter, list.items()),
            ('s', Value::Object(_) | Value::Map(_)) => return Ok(self.pad(plain()?)),
            _ => {}
        }
        let text = match (letter, value) {
            ('t', Value::Bool(value)) => self.pad(value.to_string()),
            ('d', Value::Int(number) | Value::Duration(number)) => self.whole(*number, 10),
            ('b', Value::Int(number)) => self.whole(*number, 2),
            ('o', Value::Int(number)) => self.whole(*number, 8),
            ('x', Value::Int(number)) => self.whole(*number, 16),
            ('X', Value::Int(number)) => self.whole(*number, 16).to_uppercase(),
            ('c', Value::Int(number)) => self.pad(character(*number).to_string()),
            ('q', Value::Int(number)) => self.pad(format!("'{}'", character(*number))),
            ('U', Value::Int(number)) => self.pad(format!("U+{number:04X}")),
            ('e' | 'E' | 'f' | 'F' | 'g' | 'G', Value::Float(number)) => {
                self.number(*number, letter)
            }
            ('s', Value::Text(_) | Value::Time(_) | Value::Duration(_)) => {
                self.pad(self.cut(&plain()?))
            }
            ('q', Value::Text(_) | Value::Time(_) | Value::Duration(_)) => {
                self.pad(self.quote(&self.cut(&plain()?)))
            }
            ('x' | 'X', Value::Text(text)) => self.pad(hex(text, letter)),
            (_, Value::Nil) => format!("%!{letter}(<nil>)"),
            _ => format!("%!{letter}({}={})", value.type_name(), plain()?),
        };
        Ok(text)
    }

    /// Of `%+v` the sign asks for the names of fields, not for one before numbers.
    fn unsigned(self) -> Self {
        Self {
            plus: false,
            ..self
        }
    }

    /// A verb for parts is applied to each of a list.
    fn each(self, letter: char, items: &[Value]) -> Result<String, String> {
        let mut out = Bounded::new();
        out.push("[")?;
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                out.push(" ")?;
            }
            out.push(&self.format(letter, item)?)?;
        }
        out.push("]")?;
        Ok(out.into_inner())
    }

    fn cut(self, text: &str) -> String {
        match self.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text.to_owned(),
        }
    }

    fn quote(self, text: &str) -> String {
        if self.sharp && !text.contains(['`', '\n', '\r']) {
            return format!("`{text}`");
        }
        quoted(text)
    }

    fn pad(self, text: String) -> String {
        let fill = self.fill(&text);
        if self.minus {
            return text + &" ".repeat(fill);
        }
        let with = if self.zero { "0" } else { " " };
        with.repeat(fill) + &text
    }

    fn fill(self, text: &str) -> usize {
        self.width.unwrap_or(0).saturating_sub(text.chars().count())
    }

    /// Zeros come behind the sign.
    fn pad_number(self, text: String) -> String {
        let signed = match (text.starts_with(['-', '+']), self.plus, self.space) {
            (false, true, _) => format!("+{text}"),
            (false, false, true) => format!(" {text}"),
            _ => text,
        };
        let fill = self.fill(&signed);
        if !self.zero || self.minus || fill == 0 {
            let zero = false;
            return Self { zero, ..self }.pad(signed);
        }
        let digits = usize::from(signed.starts_with(['-', '+', ' ']));
        let (sign, rest) = signed.split_at(digits);
        format!("{sign}{}{rest}", "0".repeat(fill))
    }

    fn whole(self, number: i64, base: u32) -> String {
        let magnitude = number.unsigned_abs();
        let mut digits = match base {
            2 => format!("{magnitude:b}"),
            8 => format!("{magnitude:o}"),
            16 => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        if let Some(least) = self.precision {
            digits = "0".repeat(least.saturating_sub(digits.len())) + &digits;
        }
        if self.sharp && base == 16 {
            digits.insert_str(0, "0x");
        }
        let sign = if number < 0 { "-" } else { "" };
        self.pad_number(format!("{sign}{digits}"))
    }

    fn number(self, number: f64, letter: char) -> String {
        let precision = match (letter, self.precision) {
            ('e' | 'E' | 'f' | 'F', None) => Some(6),
            // No double has more digits than this.
            (_, precision) => precision.map(|digits| digits.min(1100)),
        };
        let letter = if letter == 'F' { 'f' } else { letter };
        let text = float(number, letter, precision);
        // Only infinity has a sign of its own, which goes unless it is asked for.
        let text = match text.strip_prefix('+') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        let with_sign = number.is_infinite() && number > 0.0 && !self.space;
        if with_sign {
            let zero = false;
            return Self {
                zero,
                plus: true,
                ..self
            }
            .pad_number(text);
        }
        if number.is_nan() {
            let zero = false;
            return Self { zero, ..self }.pad_number(text);
        }
        self.pad_number(text)
    }
}

fn character(code: i64) -> char {
    let code = u32::try_from(code).ok();
    code.and_then(char::from_u32).unwrap_or('\u{fffd}')
}

fn hex(text: &str, letter: char) -> String {
    let digits = text.bytes().map(|byte| {
        if letter == 'x' {
            format!("{byte:02x}")
        } else {
            format!("{byte:02X}")
        }
    });
    digits.collect()
}
