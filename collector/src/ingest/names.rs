//! Metric and label names of third-party OTLP, as Prometheus' own OTLP receiver makes them.
//!
//! Characters that Prometheus does not allow become `_`, runs of them one; the unit is appended where
//! the name does not hold it already; monotonic sums end in `_total`, gauges of unit 1 in `_ratio`.

/// What a metric is, as far as its name goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A monotonic sum.
    Counter,
    /// A gauge.
    Gauge,
    /// Anything else.
    Other,
}

/// The name under which a metric is stored.
pub(super) fn metric(name: &str, unit: &str, form: Form) -> String {
    let mut words: Vec<String> = words_of(name);
    let (main, per) = unit_words(unit);
    for word in [main, per].into_iter().flatten() {
        append_unless_there(&mut words, &word);
    }
    if form == Form::Counter {
        move_to_end(&mut words, "total");
    }
    if form == Form::Gauge && unit.trim() == "1" {
        move_to_end(&mut words, "ratio");
    }
    let joined = words.join("_");
    if joined.starts_with(|first: char| first.is_ascii_digit()) {
        return format!("_{joined}");
    }
    joined
}

/// The name of a label.
pub(super) fn label(name: &str) -> String {
    let clean: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if clean.starts_with(|first: char| first.is_ascii_digit()) {
        return format!("key_{clean}");
    }
    clean
}

fn words_of(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != ':')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// `By/s` is `bytes` and `per_second`; what stands in braces is a remark, not a unit.
fn unit_words(unit: &str) -> (Option<String>, Option<String>) {
    let (main, per) = match unit.split_once('/') {
        Some((main, per)) => (main, Some(per)),
        None => (unit, None),
    };
    let word = |text: &str, table: &[(&str, &str)]| {
        let text = text.trim();
        if text.is_empty() || text.contains(['{', '}']) {
            return None;
        }
        let known = table.iter().find(|(short, _)| *short == text);
        let long = known.map_or(text, |(_, long)| long);
        let clean = words_of(long).join("_");
        (!clean.is_empty()).then_some(clean)
    };
    let per = per
        .and_then(|per| word(per, PER_UNITS))
        .map(|per| format!("per_{per}"));
    (word(main, UNITS), per)
}

/// The unit may itself be several words: `per_second` is there if both follow each other.
fn append_unless_there(words: &mut Vec<String>, unit: &str) {
    let wanted: Vec<String> = unit.split('_').map(str::to_owned).collect();
    if !words.windows(wanted.len()).any(|window| window == wanted) {
        words.extend(wanted);
    }
}

fn move_to_end(words: &mut Vec<String>, word: &str) {
    words.retain(|candidate| candidate != word);
    words.push(word.to_owned());
}

const UNITS: &[(&str, &str)] = &[
    ("1", ""),
    ("%", "percent"),
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tebibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
];

const PER_UNITS: &[(&str, &str)] = &[
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_named_as_prometheus_names_them() {
        let check = |name, unit, form, expected: &str| {
            assert_eq!(metric(name, unit, form), expected, "{name} in {unit:?}");
        };
        check(
            "http.server.duration",
            "ms",
            Form::Other,
            "http_server_duration_milliseconds",
        );
        check(
            "http.server.requests",
            "{request}",
            Form::Counter,
            "http_server_requests_total",
        );
        check("requests_total", "1", Form::Counter, "requests_total");
        check("total.requests", "", Form::Counter, "requests_total");
        check("process.memory", "By", Form::Gauge, "process_memory_bytes");
        check("memory_bytes", "By", Form::Gauge, "memory_bytes");
        check("cpu.utilization", "1", Form::Gauge, "cpu_utilization_ratio");
        check(
            "throughput",
            "By/s",
            Form::Gauge,
            "throughput_bytes_per_second",
        );
        check("rate", "{thing}/s", Form::Gauge, "rate_per_second");
        check("5xx.errors", "", Form::Counter, "_5xx_errors_total");
        check("weird--name..x", "", Form::Gauge, "weird_name_x");
        check("ns:metric", "", Form::Gauge, "ns:metric");
        check(
            "up.to.date",
            "m/s",
            Form::Gauge,
            "up_to_date_meters_per_second",
        );
        check("größe", "", Form::Gauge, "gr_e");
        check("", "", Form::Gauge, "");
        check("power", "kW.h", Form::Gauge, "power_kW_h");
    }

    #[test]
    fn labels_are_named_as_prometheus_names_them() {
        for (name, expected) in [
            ("http.method", "http_method"),
            ("1st", "key_1st"),
            ("a-b", "a_b"),
            ("ok", "ok"),
            ("ü", "_"),
        ] {
            assert_eq!(label(name), expected);
        }
    }
}
