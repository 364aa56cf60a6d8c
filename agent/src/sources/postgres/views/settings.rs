//! Settings as series, and where they differ from the configuration file.

use std::time::Duration;

use tokio_postgres::SimpleQueryRow;

use crate::collect::Gather;
use crate::sources::postgres::view::{Needs, Pace, Read, View, aside, label, number, state};

/// Settings change when someone changes them.
const SELDOM: Pace = Pace::AtMostEvery(Duration::from_secs(60));

pub(crate) const VIEWS: &[View] = &[
    View {
        name: "settings",
        needs: Needs::AllStats,
        pace: SELDOM,
        columns: &[
            aside("name"),
            // What this session has set for itself is not what the instance has.
            aside("CASE WHEN source = 'session' THEN reset_val ELSE setting END"),
            aside("unit"),
            aside("pending_restart"),
            aside("vartype"),
        ],
        from: "FROM pg_settings ORDER BY name",
        read: Read::Whole(read),
        ..View::USUAL
    },
    View {
        name: "file_settings",
        needs: Needs::FileSettings,
        pace: SELDOM,
        columns: &[
            label("name", "coalesce(name, '')"),
            label("file", "sourcefile"),
            label("line", "sourceline"),
            state(
                "pg_file_settings_not_applied",
                "error",
                "coalesce(error, 'not applied')",
                "A line of a configuration file that does not have its effect.",
            ),
        ],
        from: "FROM pg_file_settings AS f WHERE error IS NOT NULL \
            OR (NOT applied AND NOT EXISTS (SELECT FROM pg_file_settings AS later \
              WHERE later.name = f.name AND later.seqno > f.seqno)) ORDER BY seqno LIMIT 50",
        ..View::USUAL
    },
    View {
        name: "file_settings_drift",
        needs: Needs::FileSettings,
        pace: SELDOM,
        columns: &[
            aside("f.name"),
            aside("f.setting"),
            aside("s.reset_val"),
            aside("s.unit"),
            aside("s.vartype"),
            aside("f.sourcefile"),
        ],
        from: "FROM (SELECT DISTINCT ON (lower(name)) * FROM pg_file_settings WHERE error IS NULL \
              ORDER BY lower(name), seqno DESC) AS f \
            JOIN pg_settings AS s ON lower(s.name) = lower(f.name) \
            WHERE s.sourcefile = f.sourcefile AND NOT s.pending_restart ORDER BY 1",
        read: Read::Whole(read_drift),
        ..View::USUAL
    },
];

fn read(rows: &[SimpleQueryRow], out: &mut Gather) {
    for row in rows {
        let text = |at| row.get(at).unwrap_or_default();
        let (name, setting, unit) = (text(0), text(1), text(2));
        if text(3) == "t" {
            out.gauge(
                "pg_settings_pending_restart",
                "A setting that was changed in the file and takes effect at the next restart.",
            )
            .with([("name", name.to_owned())], 1.0);
        }
        if !matches!(text(4), "bool" | "integer" | "real") {
            continue;
        }
        let Some(value) = number(setting) else {
            continue;
        };
        let (suffix, factor) = scale(unit);
        let name = name.replace('.', "_");
        // -1 means "off" or "as another setting has it" and is not a quantity.
        let value = if value == -1.0 { value } else { value * factor };
        let help = match suffix {
            "" => format!("Server Parameter: {name}"),
            _ => format!(
                "Server Parameter: {name} [Units converted to {}.]",
                &suffix[1..]
            ),
        };
        out.gauge(format!("pg_settings_{name}{suffix}"), help)
            .value(value);
    }
}

fn read_drift(rows: &[SimpleQueryRow], out: &mut Gather) {
    for row in rows {
        let text = |at| row.get(at).unwrap_or_default();
        if same(text(1), text(2), text(3), text(4)) {
            continue;
        }
        let labels = [("name", text(0).to_owned()), ("file", text(5).to_owned())];
        out.gauge(
            "pg_settings_differs_from_file",
            "A setting whose line in the configuration file was changed and not loaded yet.",
        )
        .with(labels, 1.0);
    }
}

/// Whether a value as a person wrote it into the file is the one that the server has in effect.
fn same(written: &str, effective: &str, unit: &str, vartype: &str) -> bool {
    match vartype {
        "bool" => truth(written) == truth(effective),
        "integer" | "real" => match (quantity(written, unit), quantity(effective, unit)) {
            // Written in another unit, a value is rounded to the setting's own.
            (Some(one), Some(other)) => (one - other).abs() <= scale(unit).1 / 2.0,
            // Not understood is no reason to alarm anyone.
            _ => true,
        },
        // Names of encodings, zones and styles are brought into a form of the server's own.
        _ => plain(written) == plain(effective),
    }
}

/// A number with or without a unit behind it, in seconds or bytes.
fn quantity(text: &str, unit: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let letters = &text[digits.len()..];
    let factor = scale(if letters.is_empty() { unit } else { letters }).1;
    Some(digits.trim().parse::<f64>().ok()? * factor)
}

/// PostgreSQL takes any unambiguous beginning of these words.
fn truth(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word == "1" || word == "on" || "true".starts_with(&word) || "yes".starts_with(&word)
}

fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\''))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The unit of a setting as the end of a name, and the factor that brings it there. PostgreSQL
/// writes blocks as `8kB`.
fn scale(unit: &str) -> (&'static str, f64) {
    let letters = unit.trim_start_matches(|c: char| c.is_ascii_digit());
    let count = unit[..unit.len() - letters.len()].parse().unwrap_or(1.0);
    let (suffix, factor) = match letters {
        "us" => ("_seconds", 1e-6),
        "ms" => ("_seconds", 1e-3),
        "s" => ("_seconds", 1.0),
        "min" => ("_seconds", 60.0),
        "h" => ("_seconds", 3_600.0),
        "d" => ("_seconds", 86_400.0),
        "B" => ("_bytes", 1.0),
        "kB" => ("_bytes", 1024.0),
        "MB" => ("_bytes", 1024.0 * 1024.0),
        "GB" => ("_bytes", 1024.0 * 1024.0 * 1024.0),
        "TB" => ("_bytes", 1024.0 * 1024.0 * 1024.0 * 1024.0),
        _ => return ("", 1.0),
    };
    (suffix, count * factor)
}

#[cfg(test)]
mod tests {
    use super::{same, scale};

    #[test]
    fn units() {
        for (unit, expected) in [
            ("", ("", 1.0)),
            ("ms", ("_seconds", 0.001)),
            ("min", ("_seconds", 60.0)),
            ("8kB", ("_bytes", 8192.0)),
            ("kB", ("_bytes", 1024.0)),
            ("16MB", ("_bytes", 16.0 * 1_048_576.0)),
            ("B", ("_bytes", 1.0)),
            ("parsec", ("", 1.0)),
        ] {
            assert_eq!(scale(unit), expected, "{unit}");
        }
    }

    #[test]
    fn drift() {
        for (written, effective, unit, vartype, expected) in [
            ("1GB", "131072", "8kB", "integer", true),
            ("1024MB", "131072", "8kB", "integer", true),
            ("2GB", "131072", "8kB", "integer", false),
            ("5min", "300", "s", "integer", true),
            ("300", "300", "s", "integer", true),
            ("0.9", "0.9", "", "real", true),
            ("nonsense", "1", "", "integer", true),
            ("yes", "on", "", "bool", true),
            ("off", "on", "", "bool", false),
            ("'ISO, MDY'", "iso,mdy", "", "string", true),
            ("replica", "logical", "", "enum", false),
        ] {
            assert_eq!(
                same(written, effective, unit, vartype),
                expected,
                "{written}"
            );
        }
    }
}
