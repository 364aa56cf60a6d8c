use std::collections::BTreeMap;

use proptest::prelude::*;
use query::promql::LabelledValue;
use store::labels::Labels;

use super::prometheus::Environment;
use super::*;

const AT_MS: i64 = 1_700_000_000_500;

fn ask(expr: &str) -> Result<Vec<LabelledValue>, String> {
    let sample = |host: &str, value| LabelledValue {
        labels: Labels::from_pairs([("__name__", "up"), ("instance", host)]),
        value,
    };
    match expr {
        "up" => Ok(vec![sample("b:1", 1.0), sample("a:2", 0.0)]),
        "none" => Ok(Vec::new()),
        _ => Err("no such query".to_owned()),
    }
}

fn render(text: &str) -> Result<String, TemplateError> {
    let names = ["$labels", "$value", "$list"];
    let template = Template::parse("t", text, Environment::FUNCTIONS, &names)?;
    let labels = Value::texts([("instance", "db-1:9100"), ("job", "node")]);
    let list = ["x", "y", "z"].map(Value::text).to_vec();
    let list = Value::list("[]string", list).unwrap();
    let value = Value::Float(0.98765);
    let fields = [
        ("Labels", labels.clone()),
        ("Value", value.clone()),
        ("List", list.clone()),
    ];
    let fields: BTreeMap<_, _> = fields.map(|(name, value)| (name.to_owned(), value)).into();
    let variables = [("$labels", labels), ("$value", value), ("$list", list)];
    let environment = Environment {
        ask: &ask,
        at_ms: AT_MS,
        external_url: "https://mon.example.com/ns/x?y",
    };
    let surroundings = Surroundings {
        functions: Environment::FUNCTIONS,
        environment: &environment,
    };
    template.render(&Value::map(fields).unwrap(), &variables, surroundings)
}

fn check(text: &str, expected: &str) {
    match render(text) {
        Ok(written) => assert_eq!(written, expected, "{text}"),
        Err(wrong) => panic!("{text}: {wrong}"),
    }
}

fn check_error(text: &str, expected: &str) {
    let shown: String = text.chars().take(100).collect();
    let wrong = render(text).expect_err(&shown).to_string();
    assert!(wrong.contains(expected), "{shown}: {wrong}");
}

#[test]
fn actions_write_values() {
    check("a {{ $labels.instance }} b", "a db-1:9100 b");
    check("{{ .Labels.job }}{{ $.Labels.job }}", "nodenode");
    check("{{ $labels.missing }}|{{ .Nothing.At.All }}", "|<no value>");
    check("{{ $labels }}", "map[instance:db-1:9100 job:node]");
    check(
        "{{ $list }} {{ $value }} {{ 1 }} {{ 0x1F }} {{ 'a' }} {{ 1e3 }} {{ 1_000 }}",
        "[x y z] 0.98765 1 31 97 1000 1000",
    );
    check("{{ \"q\\\"\\n\\u00e9\" }}{{ `raw\\n` }}", "q\"\néraw\\n");
    check("{{ true }} {{ print nil }}", "true <nil>");
    check("{{/* nothing */}}x{{- /* trims */ -}} y", "xy");
    check("a  {{- 1 -}}  b {{ -1 }} c\n{{- 2}}", "a1b -1 c2");
    check("}} { {{ \"{{\" }}", "}} { {{");
}

#[test]
fn blocks_decide_and_repeat() {
    check("{{ if $value }}y{{ else }}n{{ end }}", "y");
    check(
        "{{ if eq $labels.job \"x\" }}1{{ else if eq $labels.job \"node\" }}2{{ else }}3{{ end }}",
        "2",
    );
    check("{{ if $labels.missing }}y{{ else }}n{{ end }}", "n");
    check(
        "{{ with $labels.job }}{{ . }}{{ end }}{{ with .No }}{{ else with .Labels }}{{ .job }}{{ end }}",
        "nodenode",
    );
    check("{{ range $list }}{{ . }},{{ end }}", "x,y,z,");
    check(
        "{{ range $i, $x := $list }}{{ $i }}{{ $x }}{{ end }}",
        "0x1y2z",
    );
    check(
        "{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}",
        "instance=db-1:9100;job=node;",
    );
    check(
        "{{ range .None }}x{{ else }}empty{{ end }}{{ range 3 }}{{ . }}{{ end }}",
        "empty012",
    );
    check(
        "{{ range $list }}{{ if eq . \"y\" }}{{ continue }}{{ end }}{{ . }}{{ end }}",
        "xz",
    );
    check(
        "{{ range $list }}{{ if eq . \"y\" }}{{ break }}{{ end }}{{ . }}{{ end }}",
        "x",
    );
    check(
        "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ $x }}{{ end }}{{ $x }}",
        "32",
    );
    check(
        "{{ $n := 0 }}{{ range $list }}{{ $n = . }}{{ end }}{{ $n }}",
        "z",
    );
    check(
        "{{ define \"t\" }}<{{ . }}{{ $ }}>{{ end }}{{ template \"t\" 5 }}{{ template \"t\" }}",
        "<55><<no value><no value>>",
    );
    check("{{ block \"b\" $labels }}{{ .job }}{{ end }}", "node");
    check(
        "{{ define \"t\" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template \"t\" (args 1 \"b\") }}{{ tmpl \"t\" (args 2 3) }}",
        "1-b2-3",
    );
}

#[test]
fn functions_compare_and_combine() {
    check(
        "{{ and 1 0 2 }} {{ or 0 \"\" 3 }} {{ not 0 }} {{ and true false }}",
        "0 3 true false",
    );
    check("{{ or true (index $list 99) }}", "true");
    check(
        "{{ eq 1 2 1 }} {{ ne \"a\" \"b\" }} {{ lt 1 2 }} {{ le 2.0 2.0 }} {{ gt \"b\" \"a\" }} {{ ge 1 2 }}",
        "true true true true true false",
    );
    check(
        "{{ eq .Missing \"x\" }}{{ eq $labels.missing \"\" }}",
        "falsetrue",
    );
    check_error("{{ eq 1 1.0 }}", "incompatible types for comparison");
    check_error("{{ lt 1 \"a\" }}", "incompatible types for comparison");
    check_error(
        "{{ eq $labels $labels }}",
        "uncomparable type map[string]string",
    );
    check("{{ len $list }}{{ len \"é\" }}{{ len $labels }}", "322");
    check(
        "{{ index $list 1 }}{{ index $labels \"job\" }}{{ index $labels \"no\" }}",
        "ynode",
    );
    check("{{ slice $list 1 }}{{ slice \"abcd\" 1 3 }}", "[y z]bc");
    check_error(
        "{{ index $list 5 }}",
        "error calling index: index out of range: 5",
    );
    check(
        "{{ print 1 2 \"a\" 3 \"b\" \"c\" true false }}|{{ println 1 \"a\" }}",
        "1 2a3bctrue false|1 a\n",
    );
    check(
        "{{ html \"<a href='x'>&\" }} {{ js \"it's <b>\" }} {{ urlquery \"a b&c\" }}",
        "&lt;a href=&#39;x&#39;&gt;&amp; it\\'s \\u003Cb\\u003E a+b%26c",
    );
    check(
        "{{ \"out\" | printf \"%s-%s\" \"in\" }}{{ (print 1 | printf \"%s\") | len }}",
        "in-out1",
    );
    check_error(
        "{{ call $labels }}",
        "error calling call: non-function of type map[string]string",
    );
}

#[test]
fn printf_writes_as_go_does() {
    let check = |call: &str, expected: &str| check(&format!("{{{{ printf {call} }}}}"), expected);
    check("\"%v %v %v %v\" 1 1.5 \"s\" true", "1 1.5 s true");
    check(
        "\"%5.2f|%-8.3f|%08.3f|%+.1f|% d\" 3.14159 2.0 -3.14159 1.0 7",
        " 3.14|2.000   |-003.142|+1.0| 7",
    );
    check(
        "\"%e %E %g %G\" 123456.789 0.00001234 1e21 1e-7",
        "1.234568e+05 1.234000E-05 1e+21 1E-07",
    );
    check(
        "\"%.3g %.4g %.10g %g\" 1234567.0 100000.0 0.1 100000.0",
        "1.23e+06 1e+05 0.1 100000",
    );
    check(
        "\"%d %5d %-5d| %05d %x %X %o %b %c %U %q\" 42 42 42 42 255 255 8 5 65 65 65",
        "42    42 42   | 00042 ff FF 10 101 A U+0041 'A'",
    );
    check(
        "\"%s %10s|%-10s|%.2s %q %x\" \"a\" \"b\" \"c\" \"def\" \"q\\\"\" \"hi\"",
        "a          b|c         |de \"q\\\"\" 6869",
    );
    check(
        "\"%t %T %T %T %T\" true 1 1.5 \"a\" $labels",
        "true int float64 string map[string]string",
    );
    check(
        "\"%v %+v %s %d\" $list $labels $list (slice $list 0 0)",
        "[x y z] map[instance:db-1:9100 job:node] [x y z] []",
    );
    check(
        "\"%d %s %z %d\" \"hi\" 5 1",
        "%!d(string=hi) %!s(int=5) %!z(int=1) %!d(MISSING)",
    );
    check("\"%%|%\" ", "%|%!(NOVERB)");
    check("\"x\" 1 \"b\"", "x%!(EXTRA int=1, string=b)");
    check("\"%[2]d %[1]d\" 1 2", "2 1");
    check("\"%*d|%.*f\" 5 42 2 3.14159", "   42|3.14");
    check("\"%s %v\" nil nil", "%!s(<nil>) <nil>");
    check(
        "\"%f %v %v\" 1e300 1e20 123456789.0",
        &format!("{:.6} 1e+20 1.23456789e+08", 1e300),
    );
    check("\"%6.2f%%\" 12.3456", " 12.35%");
    check(
        "\"%v\" (query \"up\")",
        "[{map[__name__:up instance:b:1] 1} {map[__name__:up instance:a:2] 0}]",
    );
}

#[test]
fn numbers_are_made_readable() {
    let check = |call: &str, expected: &str| check(&format!("{{{{ {call} }}}}"), expected);
    for (value, expected) in [
        ("0.0", "0"),
        ("1.0", "1"),
        ("1234567.0", "1.235M"),
        (".12", "120m"),
        ("-1e-7", "-100n"),
        ("\"1e25\"", "10Y"),
        ("999.96", "1000"),
    ] {
        check(&format!("humanize {value}"), expected);
    }
    for (value, expected) in [
        ("0", "0"),
        ("1024", "1ki"),
        ("1048576.0", "1Mi"),
        (".22", "0.22"),
        ("-2048", "-2ki"),
    ] {
        check(&format!("humanize1024 {value}"), expected);
    }
    for (value, expected) in [
        ("0", "0s"),
        ("1", "1s"),
        ("60", "1m 0s"),
        ("3600", "1h 0m 0s"),
        ("86400", "1d 0h 0m 0s"),
        ("899.99", "14m 59s"),
        ("59.123456", "59.12s"),
        (".1", "100ms"),
        (".0001234567", "123.5us"),
        ("-1.5", "-1.5s"),
        ("-3661", "-1h 1m 1s"),
        ("\"90\"", "1m 30s"),
        ("(toDuration 90)", "1m 30s"),
    ] {
        check(&format!("humanizeDuration {value}"), expected);
    }
}

#[test]
fn shares_and_moments_are_made_readable() {
    let check = |call: &str, expected: &str| check(&format!("{{{{ {call} }}}}"), expected);
    check("humanizePercentage 0.987654", "98.77%");
    check("$value | humanizePercentage", "98.77%");
    check(
        "humanizeTimestamp 1435065584.128",
        "2015-06-23 13:19:44.128 +0000 UTC",
    );
    check("humanizeTimestamp -0.5", "1969-12-31 23:59:59.5 +0000 UTC");
    check("toTime 1435065584.128", "2015-06-23 13:19:44.128 +0000 UTC");
    check("(toTime 1435065584).Unix", "1435065584");
    check("toDuration 3723.5", "1h2m3.5s");
    check("now | printf \"%.1f\"", "1700000000.5");
    check("parseDuration \"1h30m\"", "5400");
    check_error(
        "{{ humanize \"x\" }}",
        "error calling humanize: strconv.ParseFloat: parsing \"x\": invalid syntax",
    );
    check_error(
        "{{ humanize $labels }}",
        "can't convert map[string]string to float",
    );
    check_error("{{ toTime 1e30 }}", "overflows int64");
    check_error(
        "{{ parseDuration \"1x\" }}",
        "not a valid duration string: \"1x\"",
    );
}

#[test]
fn texts_are_changed() {
    let check = |call: &str, expected: &str| check(&format!("{{{{ {call} }}}}"), expected);
    check(
        "title \"hello wide-world a_b it's\"",
        "Hello Wide-World A_b It'S",
    );
    check("toUpper \"ab\" | toLower", "ab");
    check("stripPort \"host:80\"", "host");
    check("stripPort \"[::1]:80\"", "::1");
    check("stripPort \"::1\"", "::1");
    check("stripDomain \"db.example.com:9100\"", "db:9100");
    check("stripDomain \"10.0.0.1:80\"", "10.0.0.1:80");
    check("stripDomain \"db.example.com\"", "db");
    check("match \"a.*\" \"xab\"", "true");
    check(
        "reReplaceAll \"(.*):(.*)\" \"$2-${1}x\" $labels.instance",
        "9100-db-1x",
    );
    check(
        "graphLink \"up{a='b'}\"",
        "/graph?g0.expr=up%7Ba%3D%27b%27%7D&g0.tab=0",
    );
    check("tableLink \"up\"", "/graph?g0.expr=up&g0.tab=1");
    check("pathPrefix", "/ns/x");
    check("externalURL", "https://mon.example.com/ns/x?y");
    check("urlQueryEscape \"a/b c\"", "a%2Fb+c");
    check("safeHtml \"<b>\"", "<b>");
    check_error(
        "{{ match \"(\" \"a\" }}",
        "error calling match: error parsing regexp",
    );
    check_error(
        "{{ toUpper 1 }}",
        "wrong type for value; expected string; got int",
    );
    check_error("{{ toUpper .Missing }}", "invalid value; expected string");
    check_error(
        "{{ toUpper }}",
        "wrong number of args for toUpper: want 1 got 0",
    );
}

#[test]
fn queries_are_asked() {
    check(
        "{{ with query \"up\" }}{{ . | first | value }}{{ end }}",
        "1",
    );
    check(
        "{{ range query \"up\" | sortByLabel \"instance\" }}{{ .Labels.instance }}={{ .Value }} {{ end }}",
        "a:2=0 b:1=1 ",
    );
    check("{{ query \"up\" | first | label \"instance\" }}", "b:1");
    check(
        "{{ query \"none\" | len }}{{ if query \"none\" }}x{{ end }}",
        "0",
    );
    check("{{ (first (query \"up\")).Labels.instance }}", "b:1");
    check_error(
        "{{ query \"none\" | first | value }}",
        "error calling first: first() called on vector with no elements",
    );
    check_error(
        "{{ query \"bad\" }}",
        "executing \"t\" at <query>: error calling query: no such query",
    );
    check_error("{{ value 1 }}", "expected *template.sample; got int");
}

#[test]
fn what_is_no_template_is_refused_with_its_line() {
    check_error(
        "a\n{{ if }}x{{ end }}",
        "template: t:2: missing value for if",
    );
    for (text, expected) in [
        ("{{ ", "unclosed action"),
        ("{{ }}", "missing value for command"),
        ("{{ $nope }}", "undefined variable \"$nope\""),
        ("{{ nope }}", "function \"nope\" not defined"),
        ("{{ if 1 }}", "unexpected EOF"),
        ("{{ end }}", "unexpected {{end}}"),
        ("{{ else }}", "unexpected {{else}}"),
        (
            "{{ if 1 }}{{ else }}{{ else }}{{ end }}",
            "expected end; found {{else}}",
        ),
        ("{{ break }}", "{{break}} outside {{range}}"),
        ("{{ (1 }}", "unclosed left paren"),
        ("{{ 1) }}", "unexpected right paren"),
        ("{{ \"a }}", "unterminated quoted string"),
        ("{{ 'ab' }}", "malformed character constant"),
        ("{{ 1x }}", "bad number syntax: \"1x\""),
        ("{{ 99999999999999999999 }}", "integer overflow"),
        ("{{ 1 | 2 }}", "non executable command in pipeline stage 2"),
        ("{{ print | }}", "missing value for command"),
        ("{{ $x := }}", "missing value for command"),
        ("{{ $x = 1 }}", "undefined variable \"$x\""),
        ("{{ /* a */ }}", "unexpected '/' in command"),
        ("{{/* a }}", "unclosed comment"),
        ("{{/* a */ }}", "comment ends before closing delimiter"),
        ("{{ $a, $b := 1 }}", "too many declarations in command"),
        ("{{ template x }}", "unexpected \"x\" in template clause"),
        ("{{ \"a\".b }}", "unexpected . after term"),
        ("{{ print\"a\" }}", "unexpected \"\\\"a\\\"\" in operand"),
        (
            "{{ if 1 }}{{ define \"a\" }}{{ end }}{{ end }}",
            "unexpected \"define\"",
        ),
        ("{{ \u{1f600} }}", "unexpected '\u{1f600}' in command"),
    ] {
        check_error(text, expected);
    }
    check_error("{{ template \"no\" }}", "template \"no\" not defined");
    check_error("{{ 1 2 }}", "can't give argument to non-function");
    check_error("{{ nil }}", "nil is not a command");
    check_error(
        "{{ .Labels.job 1 }}",
        "job has arguments but cannot be invoked as function",
    );
    check_error(
        "{{ $value.Sub }}",
        "can't evaluate field Sub in type float64",
    );
    check_error(
        "{{ range $value }}{{ end }}",
        "range can't iterate over 0.98765",
    );
}

#[test]
fn what_would_not_end_is_stopped() {
    let deep = "(".repeat(5_000) + "1" + &")".repeat(5_000);
    for (text, expected) in [
        (
            "{{ range 1000000000000 }}{{ end }}".to_owned(),
            "more than 1000000 steps",
        ),
        (
            "{{ range 100000 }}{{ range 100000 }}x{{ end }}{{ end }}".to_owned(),
            "more than",
        ),
        (
            "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}".to_owned(),
            "exceeded maximum template depth",
        ),
        (
            "{{ define \"a\" }}{{ tmpl \"a\" . }}{{ end }}{{ template \"a\" . }}".to_owned(),
            "exceeded maximum template depth",
        ),
        (
            "{{ $x := \"x\" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}".to_owned(),
            "more than 1048576 bytes of text",
        ),
        (
            "{{ $x := 1 }}{{ range 100000 }}{{ $x = args $x }}{{ end }}".to_owned(),
            "values lie more than 32 deep",
        ),
        (
            "{{ $x := 1 }}{{ range 30 }}{{ $x = args $x $x }}{{ end }}{{ $x }}".to_owned(),
            "more than 1048576 bytes of text",
        ),
        (
            "{{ printf \"%1000000d%1000000d\" 1 1 }}".to_owned(),
            "more than 1048576 bytes of text",
        ),
        (
            "{{ reReplaceAll \"\" (printf \"%100000d\" 1) (printf \"%100000d\" 1) }}".to_owned(),
            "more than 1048576 bytes of text",
        ),
        (
            format!("{{{{ {deep} }}}}"),
            "more than 50 blocks or parentheses",
        ),
        (
            "{{ if 1 }}".repeat(5_000),
            "more than 50 blocks or parentheses",
        ),
        (
            "{{ if 1 }}".to_owned() + &"{{ else if 1 }}".repeat(5_000),
            "more than 50 blocks",
        ),
        (
            "{{ match \"(a{1000}){1000}\" \"a\" }}".to_owned(),
            "error parsing regexp",
        ),
    ] {
        check_error(&text, expected);
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        // Whether it is a template does not matter here.
        let _rendered = render(&text);
        let _within = render(&format!("{{{{ {text} }}}}"));
    }

    #[test]
    fn no_mix_of_its_words_makes_it_panic(words in proptest::collection::vec(0..WORDS.len(), 0..24)) {
        let text: Vec<&str> = words.into_iter().map(|word| WORDS[word]).collect();
        let _rendered = render(&text.concat());
    }

    #[test]
    fn numbers_read_back(value in proptest::num::f64::NORMAL) {
        let text = float(value, 'g', None);
        prop_assert_eq!(text.parse::<f64>().unwrap(), value);
    }
}

const WORDS: [&str; 34] = [
    "{{",
    "}}",
    "{{- ",
    " -}}",
    "if ",
    "else ",
    "end",
    "range ",
    "with ",
    "define ",
    "template ",
    "block ",
    "break",
    "continue",
    "$x ",
    "$labels",
    ".",
    ".a",
    ":=",
    "=",
    "|",
    "(",
    ")",
    ",",
    "\"t\" ",
    "1 ",
    "-2.5 ",
    "nil ",
    "print ",
    "printf ",
    "index ",
    "query ",
    " ",
    "text",
];
