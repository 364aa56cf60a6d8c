//! Answers as comma-separated values: a line for each value, a column for each label, as RFC 4180 has
//! it. Times are RFC 3339 in UTC.

use std::collections::BTreeSet;

use crate::api::time;

use super::answer::{Labels, Point, ResultData};

/// Writes an answer.
pub(super) fn write(result: &ResultData) -> String {
    let rows: Vec<(&Labels, &Point)> = match result {
        ResultData::Scalar(point) | ResultData::String(point) => {
            return format!("time,value\r\n{}\r\n", row(&[], &Labels::new(), point));
        }
        ResultData::Vector(samples) => samples
            .iter()
            .map(|sample| (&sample.metric, &sample.value))
            .collect(),
        ResultData::Matrix(series) => series
            .iter()
            .flat_map(|series| series.values.iter().map(|point| (&series.metric, point)))
            .collect(),
    };
    let names: BTreeSet<&str> = rows
        .iter()
        .flat_map(|(labels, _)| labels.keys().map(String::as_str))
        .collect();
    let names: Vec<&str> = names.into_iter().collect();
    let head = ["time"].iter().chain(&names).chain(&["value"]);
    let head: Vec<String> = head.map(|name| quoted(name)).collect();
    let mut out = format!("{}\r\n", head.join(","));
    for (labels, point) in rows {
        out += &row(&names, labels, point);
        out += "\r\n";
    }
    out
}

fn row(names: &[&str], labels: &Labels, (seconds, value): &Point) -> String {
    #[allow(clippy::cast_possible_truncation)]
    let at = time::rfc3339((seconds * 1_000.0).round() as i64);
    let of = |name: &&str| quoted(labels.get(*name).map_or("", String::as_str));
    let cells = names.iter().map(of);
    let cells: Vec<String> = std::iter::once(at)
        .chain(cells)
        .chain([quoted(value)])
        .collect();
    cells.join(",")
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_a_column_for_each_label() {
        let check = |data: &str, expected: &str| {
            let result = serde_json::from_str(data).unwrap();
            assert_eq!(write(&result), expected);
        };
        check(
            r#"{"resultType":"scalar","result":[0.5,"2"]}"#,
            "time,value\r\n1970-01-01T00:00:00.500Z,2\r\n",
        );
        check(
            r#"{"resultType":"matrix","result":[
                {"metric":{"__name__":"up","a":"x,\"y\""},"values":[[0,"1"],[60,"NaN"]]},
                {"metric":{"b":"z"},"values":[[0,"+Inf"]]}]}"#,
            "time,__name__,a,b,value\r\n\
             1970-01-01T00:00:00.000Z,up,\"x,\"\"y\"\"\",,1\r\n\
             1970-01-01T00:01:00.000Z,up,\"x,\"\"y\"\"\",,NaN\r\n\
             1970-01-01T00:00:00.000Z,,,z,+Inf\r\n",
        );
        check(r#"{"resultType":"vector","result":[]}"#, "time,value\r\n");
    }
}
