//! Answers written straight into one buffer: a result of millions of samples must not be built as a
//! tree first. Numbers and times look as Prometheus writes them.

use std::io::Write as _;

use store::labels::Labels;

/// A JSON text that grows.
#[derive(Debug, Default)]
pub(super) struct Json {
    out: Vec<u8>,
}

impl Json {
    /// The beginning of a successful answer: what follows is its data.
    pub(super) fn success() -> Self {
        let mut text = Self::default();
        text.raw(r#"{"status":"success","data":"#);
        text
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Text that is JSON already.
    pub(super) fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn end_object(&mut self) {
        self.raw("}");
    }

    pub(super) fn string(&mut self, text: &str) {
        // Writing a text into memory cannot fail.
        serde_json::to_writer(&mut self.out, text).unwrap_or_default();
    }

    /// A comma unless it is the first, and the key of an object.
    pub(super) fn key(&mut self, key: &str) {
        if self.out.last() != Some(&b'{') {
            self.raw(",");
        }
        self.string(key);
        self.raw(":");
    }

    pub(super) fn list<T>(&mut self, items: &[T], mut show: impl FnMut(&mut Self, &T)) {
        self.raw("[");
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                self.raw(",");
            }
            show(self, item);
        }
        self.raw("]");
    }

    /// A list of texts under a key; nothing where there is none.
    pub(super) fn notes(&mut self, key: &str, notes: &[impl AsRef<str>]) {
        if notes.is_empty() {
            return;
        }
        self.key(key);
        self.list(notes, |text, note| text.string(note.as_ref()));
    }

    pub(super) fn labels(&mut self, labels: &Labels) {
        self.raw("{");
        for (place, (name, value)) in labels.iter().enumerate() {
            if place > 0 {
                self.raw(",");
            }
            self.string(name);
            self.raw(":");
            self.string(value);
        }
        self.raw("}");
    }

    /// Seconds since 1970, with milliseconds only where there are any.
    pub(super) fn time(&mut self, at_ms: i64) {
        let (seconds, rest) = (at_ms.unsigned_abs() / 1_000, at_ms.unsigned_abs() % 1_000);
        let sign = if at_ms < 0 { "-" } else { "" };
        if rest == 0 {
            self.write(format_args!("{sign}{seconds}"));
        } else {
            self.write(format_args!("{sign}{seconds}.{rest:03}"));
        }
    }

    /// A number in quotes.
    pub(super) fn value(&mut self, value: f64) {
        self.raw("\"");
        self.number(value);
        self.raw("\"");
    }

    /// A time and a number.
    pub(super) fn point(&mut self, at_ms: i64, value: f64) {
        self.raw("[");
        self.time(at_ms);
        self.raw(",");
        self.value(value);
        self.raw("]");
    }

    /// The shortest digits that read back as the number; an exponent only where it is very large or
    /// very small.
    fn number(&mut self, value: f64) {
        let magnitude = value.abs();
        if value.is_nan() {
            self.raw("NaN");
        } else if value.is_infinite() {
            self.raw(if value > 0.0 { "+Inf" } else { "-Inf" });
        } else if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
            let text = format!("{value:e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            self.write(format_args!("{digits}e{sign}{exponent:0>2}"));
        } else {
            self.write(format_args!("{value}"));
        }
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into memory cannot fail.
        self.out.write_fmt(text).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Json)) -> String {
        let mut text = Json::default();
        write(&mut text);
        String::from_utf8(text.into_bytes()).unwrap()
    }

    #[test]
    fn numbers_look_as_go_writes_them() {
        let check = |value: f64, expected: &str| {
            assert_eq!(written(|text| text.number(value)), expected);
        };
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.0, "1");
        check(-2.5, "-2.5");
        check(0.1 + 0.2, "0.30000000000000004");
        check(1e6, "1000000");
        check(123_456_789_012_345_680_000.0, "123456789012345680000");
        check(1e21, "1e+21");
        check(-1.5e300, "-1.5e+300");
        check(1e-6, "0.000001");
        check(9.5e-7, "9.5e-07");
        check(5e-324, "5e-324");
        check(f64::NAN, "NaN");
        check(f64::INFINITY, "+Inf");
        check(f64::NEG_INFINITY, "-Inf");
    }

    #[test]
    fn times_are_seconds_with_milliseconds_where_there_are_any() {
        let check = |at_ms: i64, expected: &str| {
            assert_eq!(written(|text| text.time(at_ms)), expected);
        };
        check(0, "0");
        check(1_435_781_451_781, "1435781451.781");
        check(1_005, "1.005");
        check(1_100, "1.100");
        check(-1, "-0.001");
        check(-61_000, "-61");
        check(i64::MIN, "-9223372036854775.808");
    }

    #[test]
    fn texts_are_escaped() {
        let labels = Labels::from_pairs([("a", "\"\\\n\u{1}é"), ("__name__", "m")]);
        let text = written(|text| text.labels(&labels));
        assert_eq!(text, r#"{"__name__":"m","a":"\"\\\n\u0001é"}"#);
    }

    #[test]
    fn keys_are_separated() {
        let text = written(|text| {
            text.raw("{");
            text.key("a");
            text.raw("1");
            text.notes("none", &[] as &[&str]);
            text.notes("some", &["x", "y"]);
            text.end_object();
        });
        assert_eq!(text, r#"{"a":1,"some":["x","y"]}"#);
    }
}
