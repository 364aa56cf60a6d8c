use proptest::prelude::*;

use super::*;

/// Families as text: `kind name|help` and a line a point.
fn read(body: &str, format: Format) -> Result<String, String> {
    let families = parse(body.as_bytes(), format).map_err(|error| error.to_string())?;
    let mut out = String::new();
    for family in families {
        out.push_str(&format!(
            "{} {}|{}\n",
            family.kind, family.name, family.help
        ));
        for point in family.points {
            out.push_str(&format!("  {}", point.suffix.as_str()));
            for label in point.labels {
                out.push_str(&format!("[{}={:?}]", label.name, label.value));
            }
            let at = point.at_ms.map(|at| format!(" @{at}")).unwrap_or_default();
            out.push_str(&format!(" {}{at}\n", point.value));
        }
    }
    Ok(out)
}

#[test]
fn text() {
    let body = r#"
# HELP rpc_duration_seconds A summary of\nRPC \\ durations.
# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile="0.5"} 4.7e-05
rpc_duration_seconds_sum 1.7560473e+04
rpc_duration_seconds_count 2693
# just a comment
#TYPE odd gauge
# TYPE hist histogram
hist_bucket{le="1"} 1
hist_bucket{le="+Inf"} 2
hist_sum 3 1395066363000
hist_count 2
# TYPE hits_total counter
hits_total { code = "200" , path="C:\\DIR\"\n\d", } 1027	1395066363000
bare NaN
bare{a=""} +Inf
odd -Inf -3982045
hist_bucket{le="2"} 2
not_hist_bucket 1
colon:name{ä} 1
"#;
    assert_eq!(
        read(body, Format::Text).unwrap_err(),
        "line 21: expected a label's name"
    );
    let expected = r#"summary rpc_duration_seconds|A summary of
RPC \ durations.
  [quantile="0.5"] 0.000047
  _sum 17560.473
  _count 2693
histogram hist|
  _bucket[le="1"] 1
  _bucket[le="+Inf"] 2
  _sum 3 @1395066363000
  _count 2
  _bucket[le="2"] 2
counter hits_total|
  [code="200"][path="C:\\DIR\"\n\\d"] 1027 @1395066363000
untyped bare|
   NaN
  [a=""] inf
gauge odd|
   -inf @-3982045
untyped not_hist_bucket|
   1
"#;
    let whole = body.replace("colon:name{ä} 1\n", "");
    assert_eq!(read(&whole, Format::Text).unwrap(), expected);
}

#[test]
fn open_metrics() {
    let body = r#"# TYPE foo counter
# UNIT foo seconds
# HELP foo Help.
foo_total{a="b"} 17.0 1520879607.789 # {id="x",trace_id="y"} 0.67 1520879607.789
foo_created 1520430000.123
# TYPE build info
build_info{version="1"} 1
# TYPE mode stateset
mode{mode="on"} 1
# TYPE h histogram
h_bucket{le="+Inf"} 2 # {} 0.5
h_created 1
h_sum 2
# TYPE g gaugehistogram
g_gcount 3
# TYPE u unknown
u 1 1.5
# EOF
"#;
    let expected = r#"counter foo_total|Help.
  [a="b"] 17 @1520879607789
gauge build_info|
  [version="1"] 1
gauge mode|
  [mode="on"] 1
histogram h|
  _bucket[le="+Inf"] 2
  _sum 2
untyped g_gcount|
   3
untyped u|
   1 @1500
"#;
    assert_eq!(read(body, Format::OpenMetrics).unwrap(), expected);
}

const WRONG: &[(&str, Format, &str)] = &[
    ("a 1\nb", Format::Text, "line 2: expected a value"),
    (
        "a 1\n\nb one\n",
        Format::Text,
        "line 3: \"one\" is not a number",
    ),
    (
        "a 1 2 3",
        Format::Text,
        "line 1: unexpected \"3\" behind the sample",
    ),
    (
        "a 1 1.5",
        Format::Text,
        "line 1: \"1.5\" is not a timestamp",
    ),
    (
        "a 1 nan\n# EOF",
        Format::OpenMetrics,
        "line 1: \"nan\" is not a timestamp",
    ),
    (
        "a{b=\"c\" 1",
        Format::Text,
        "line 1: expected , or } behind a label",
    ),
    (
        "a{b=\"c} 1",
        Format::Text,
        "line 1: a label's value has no closing quote",
    ),
    (
        "a{b=c} 1",
        Format::Text,
        "line 1: expected a label's value in quotes",
    ),
    (
        "a{b} 1",
        Format::Text,
        "line 1: expected = behind a label's name",
    ),
    (
        "a{b=\"1\",b=\"2\"} 1",
        Format::Text,
        "line 1: the label \"b\" is given twice",
    ),
    (
        "a{1b=\"1\"} 1",
        Format::Text,
        "line 1: expected a label's name",
    ),
    ("1a 1", Format::Text, "line 1: expected a metric's name"),
    ("<html>", Format::Text, "line 1: expected a metric's name"),
    (
        "# TYPE a wheel",
        Format::Text,
        "line 1: \"wheel\" is not a type",
    ),
    ("# TYPE", Format::Text, "line 1: expected a metric's name"),
    (
        "a 1\n",
        Format::OpenMetrics,
        "line 2: ends without # EOF: the rest is missing",
    ),
    (
        "# EOF\na 1\n",
        Format::OpenMetrics,
        "line 2: text behind # EOF",
    ),
    (
        "",
        Format::OpenMetrics,
        "line 1: ends without # EOF: the rest is missing",
    ),
];

#[test]
fn wrong_lines_are_named() {
    for (body, format, expected) in WRONG {
        let error = read(body, *format).unwrap_err();
        assert_eq!(&error, expected, "{body}");
    }
    let error = parse(b"a 1\nb\xff 1\n", Format::Text).unwrap_err();
    assert_eq!(error.to_string(), "line 2: not UTF-8");
    let many: Vec<String> = (0..200).map(|n| format!("l{n}=\"\"")).collect();
    let error = read(&format!("a{{{}}} 1", many.join(",")), Format::Text);
    assert_eq!(error.unwrap_err(), "line 1: more than 128 labels");
    let long = "x".repeat(1_000_000);
    assert!(read(&format!("a {long}"), Format::Text).unwrap_err().len() < 100);
    assert_eq!(read("", Format::Text).unwrap(), "");
}

fn written(families: &[(String, String, f64, Option<i64>)]) -> String {
    let mut out = String::new();
    for (name, value, number, at) in families {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        let at = at.map(|at| format!(" {at}")).unwrap_or_default();
        out.push_str(&format!("{name}{{l=\"{value}\"}} {number}{at}\n"));
    }
    out
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        samples in prop::collection::vec(
            ("[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", "(\\PC|\n|\\\\|\"){0,12}", -1e12..1e12f64, any::<Option<i64>>()),
            0..8,
        ),
    ) {
        let families = parse(written(&samples).as_bytes(), Format::Text).unwrap();
        let mut read = Vec::new();
        for family in families {
            for point in family.points {
                let value = point.labels[0].value.to_string();
                read.push((family.name.to_string(), value, point.value, point.at_ms));
            }
        }
        let order = |a: &(String, String, f64, Option<i64>), b: &(String, String, f64, Option<i64>)| {
            (&a.0, &a.1, a.3).cmp(&(&b.0, &b.1, b.3)).then(a.2.total_cmp(&b.2))
        };
        let mut samples = samples;
        samples.sort_by(order);
        read.sort_by(order);
        prop_assert_eq!(read, samples);
    }

    #[test]
    fn torn_expositions_do_not_panic(cut in 0..400usize, junk in "\\PC{0,8}") {
        let body = "# HELP a b\\n\n# TYPE a histogram\na_bucket{le=\"1\",x=\"\\\"y\"} 1 2\na_sum 3\n# EOF\n";
        let cut = cut % body.len();
        let torn = format!("{}{junk}{}", &body[..cut], &body[cut..]);
        for format in [Format::Text, Format::OpenMetrics] {
            let lines = torn.split('\n').count();
            if let Err(error) = parse(torn.as_bytes(), format) {
                prop_assert!((1..=lines).contains(&error.line));
            }
        }
    }

    #[test]
    fn hostile_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in [Format::Text, Format::OpenMetrics] {
            if let Err(error) = parse(&bytes, format) {
                prop_assert!(error.line >= 1);
            }
        }
    }
}
