//! An answer of the API as the command shows it. Numbers stay the texts that came: the shortest that
//! read back as the same number.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::Failure;

/// Labels by name.
pub(super) type Labels = BTreeMap<String, String>;

/// A time in seconds since 1970 and a number as text.
pub(super) type Point = (f64, String);

/// What came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) result: ResultData,
    data: Value,
    warnings: Vec<String>,
    infos: Vec<String>,
}

/// The value of the query.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub(super) enum ResultData {
    Scalar(Point),
    String(Point),
    Vector(Vec<Sample>),
    Matrix(Vec<Series>),
}

/// A series at one time.
#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Sample {
    pub(super) metric: Labels,
    pub(super) value: Point,
}

/// A series over time.
#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Series {
    pub(super) metric: Labels,
    pub(super) values: Vec<Point>,
}

impl Answer {
    pub(super) fn parse(body: &Bytes) -> Result<Self, Failure> {
        let wrong = |error: serde_json::Error| {
            Failure::unreachable(format!("the answer is not one of a collector: {error}"))
        };
        let mut told: Value = serde_json::from_slice(body).map_err(wrong)?;
        let texts = |told: &Value, key: &str| -> Vec<String> {
            let texts = told
                .get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            texts.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (warnings, infos) = (texts(&told, "warnings"), texts(&told, "infos"));
        let data = told.get_mut("data").map(Value::take).unwrap_or_default();
        Ok(Self {
            result: ResultData::deserialize(&data).map_err(wrong)?,
            data,
            warnings,
            infos,
        })
    }

    /// The data as it came.
    pub(super) fn json(&self) -> String {
        format!("{}\n", self.data)
    }

    /// What the collector says about the answer.
    pub(super) fn notes(&self) -> String {
        let warnings = self
            .warnings
            .iter()
            .map(|note| format!("warning: {note}\n"));
        let infos = self.infos.iter().map(|note| format!("info: {note}\n"));
        warnings.chain(infos).collect()
    }
}

/// A series as PromQL writes it.
pub(super) fn series_name(labels: &Labels) -> String {
    let name = labels.get("__name__").map_or("", String::as_str);
    let others = labels.iter().filter(|(label, _)| *label != "__name__");
    let others: Vec<String> = others
        .map(|(label, value)| format!("{label}={}", query::promql::quote(value)))
        .collect();
    match (name, others.is_empty()) {
        (_, false) => format!("{name}{{{}}}", others.join(", ")),
        ("", true) => "{}".to_owned(),
        (name, true) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_read() {
        let check = |data: &str, expected: ResultData| {
            let body = format!(r#"{{"status":"success","data":{data},"infos":["i"]}}"#);
            let answer = Answer::parse(&Bytes::from(body)).unwrap();
            assert_eq!(answer.result, expected);
            let came: Value = serde_json::from_str(data).unwrap();
            assert_eq!(answer.json(), format!("{came}\n"));
            assert_eq!(answer.notes(), "info: i\n");
        };
        let labels = Labels::from([("a".to_owned(), "b".to_owned())]);
        check(
            r#"{"resultType":"scalar","result":[4,"2"]}"#,
            ResultData::Scalar((4.0, "2".into())),
        );
        check(
            r#"{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[4.5,"NaN"]}]}"#,
            ResultData::Vector(vec![Sample {
                metric: labels.clone(),
                value: (4.5, "NaN".into()),
            }]),
        );
        check(
            r#"{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[4,"1"]]}],"stats":{}}"#,
            ResultData::Matrix(vec![Series {
                metric: labels,
                values: vec![(4.0, "1".into())],
            }]),
        );
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for body in ["", "{}", "<html>", r#"{"status":"success","data":[]}"#] {
            let failure = Answer::parse(&Bytes::from(body)).unwrap_err();
            assert_eq!(failure.code(), 1, "{body}");
        }
    }
}
