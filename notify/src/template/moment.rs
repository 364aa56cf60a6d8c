//! Moments as Go's `time.Time`: with a time zone, and with the methods that templates use.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rules::template::{Content, Object, Value};

use super::data::JSON;
use super::layout;

const NANOS_PER_MS: i128 = 1_000_000;
const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// The first moment of the year 1, which is what Go has where nothing was set.
const ZERO: i128 = -62_135_596_800 * NANOS_PER_SECOND;

/// How RFC 3339 is written as a layout.
const RFC3339: &str = "2006-01-02T15:04:05.999999999Z07:00";

/// A moment, somewhere.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    nanos: i128,
    zone: TimeZone,
}

impl Moment {
    /// Milliseconds since 1970, in UTC.
    pub(super) fn of_ms(ms: i64) -> Value {
        Self::utc(i128::from(ms) * NANOS_PER_MS)
    }

    /// That of nothing.
    pub(super) fn zero() -> Value {
        Self::utc(ZERO)
    }

    fn utc(nanos: i128) -> Value {
        Value::Object(Arc::new(Self {
            nanos,
            zone: TimeZone::UTC,
        }))
    }

    /// The same moment as people elsewhere say it.
    pub(super) fn within(value: &Value, zone: TimeZone) -> Result<Value, String> {
        let nanos = nanos(value)?;
        Ok(Value::Object(Arc::new(Self { nanos, zone })))
    }

    /// Written as a layout says.
    pub(super) fn format(&self, layout: &str) -> Result<String, String> {
        let timestamp = Timestamp::from_nanosecond(self.nanos);
        let timestamp = timestamp.map_err(|_| "a moment out of range".to_owned())?;
        Ok(layout::write(
            layout,
            &timestamp.to_zoned(self.zone.clone()),
        ))
    }

    /// The moment that a value is, with its zone where it has one.
    pub(super) fn format_value(value: &Value, layout: &str) -> Result<String, String> {
        match value {
            Value::Object(object) => {
                let argument = [Value::text(layout)];
                match object.method("Format", &argument) {
                    Some(Ok(Value::Text(text))) => Ok(text.to_string()),
                    Some(Err(wrong)) => Err(wrong),
                    _ => Err(no_moment(value)),
                }
            }
            other => Self {
                nanos: nanos(other)?,
                zone: TimeZone::UTC,
            }
            .format(layout),
        }
    }
}

fn no_moment(value: &Value) -> String {
    let got = value.type_name();
    format!("wrong type for value; expected time.Time; got {got}")
}

/// The nanoseconds since 1970 of a moment.
pub(super) fn nanos(value: &Value) -> Result<i128, String> {
    match value.plain() {
        Value::Time(nanos) => Ok(nanos),
        _ => Err(no_moment(value)),
    }
}

/// A length of time as Go holds it: as much as fits.
pub(super) fn length(nanos: i128) -> Value {
    let nanos = nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    Value::Duration(i64::try_from(nanos).unwrap_or_default())
}

impl Object for Moment {
    fn type_name(&self) -> &str {
        "time.Time"
    }

    fn content(&self) -> Content {
        Content::Value(Value::Time(self.nanos))
    }

    fn method(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let moved = |zone: TimeZone| {
            let nanos = self.nanos;
            Ok(Value::Object(
                Arc::new(Self { nanos, zone }) as Arc<dyn Object>
            ))
        };
        let text = |layout: &str| self.format(layout).map(Value::from);
        Some(match (name, arguments) {
            ("Format", [Value::Text(layout)]) => text(layout),
            ("String", []) => text("2006-01-02 15:04:05.999999999 -0700 MST"),
            (JSON, []) => text(RFC3339),
            ("UTC", []) => moved(TimeZone::UTC),
            ("Local", []) => moved(TimeZone::system()),
            ("Sub", [other]) => nanos(other).map(|other| length(self.nanos - other)),
            ("Before", [other]) => nanos(other).map(|other| Value::Bool(self.nanos < other)),
            ("After", [other]) => nanos(other).map(|other| Value::Bool(self.nanos > other)),
            ("Equal", [other]) => nanos(other).map(|other| Value::Bool(self.nanos == other)),
            ("IsZero", []) => Ok(Value::Bool(self.nanos == ZERO)),
            ("Add", [Value::Duration(length) | Value::Int(length)]) => {
                let nanos = self.nanos + i128::from(*length);
                let zone = self.zone.clone();
                Ok(Value::Object(Arc::new(Self { nanos, zone })))
            }
            ("Unix", []) => whole(self.nanos.div_euclid(NANOS_PER_SECOND)),
            ("UnixMilli", []) => whole(self.nanos.div_euclid(NANOS_PER_MS)),
            ("UnixNano", []) => whole(self.nanos),
            ("Weekday", []) => text("Monday"),
            ("Month", []) => text("January"),
            ("Year", []) => self.number("2006"),
            ("Day", []) => self.number("2"),
            ("YearDay", []) => self.number("002"),
            ("Hour", []) => self.number("15"),
            ("Minute", []) => self.number("4"),
            ("Second", []) => self.number("5"),
            _ => return None,
        })
    }
}

fn whole(number: i128) -> Result<Value, String> {
    let number = i64::try_from(number);
    number
        .map(Value::Int)
        .map_err(|_| "a moment out of range".to_owned())
}

impl Moment {
    fn number(&self, layout: &str) -> Result<Value, String> {
        let text = self.format(layout)?;
        let number = text.parse().map(Value::Int);
        number.map_err(|_| format!("not a number: {text}"))
    }
}
