use super::{parse, parse_selector};
use crate::promql::{ValueType, pretty};

/// What is read prints like this, and reads again as the same.
fn check(text: &str, printed: &str) {
    let expr = parse(text).unwrap_or_else(|wrong| panic!("{text}: {}", wrong.describe(text)));
    assert_eq!(expr.to_string(), printed, "{text}");
    let again = parse(printed).unwrap().to_string();
    assert_eq!(again, printed, "{text}, read again");
}

#[test]
fn infinity_keeps_its_sign_to_itself() {
    check("Inf", "+Inf");
    check("Inf ^ 2", "Inf ^ 2");
    check("+Inf ^ 2", "+Inf ^ 2");
}

#[test]
fn expressions_print_as_read() {
    check("1+1", "1 + 1");
    check("0x1f", "31");
    check("1e6", "1e+06");
    check("-Inf", "-Inf");
    check("1h30m", "1h30m");
    check("a:b{c='d',e!=\"f\",}", "a:b{c=\"d\",e!=\"f\"}");
    check("{__name__=~\"a.*\"}", "{__name__=~\"a.*\"}");
    check("{\"a.b\", \"c.d\"=`e`}", "{\"a.b\",\"c.d\"=\"e\"}");
    check("{\"plain\"}", "plain");
    check("rate(a[5m] offset 1d)", "rate(a[5m] offset 1d)");
    check("a offset -5m @ 10", "a @ 10.000 offset -5m");
    check("a @ start()", "a @ start()");
    check("a[300]", "a[5m]");
    check("a[90s:]", "a[1m30s:]");
    check(
        "(a)[5m:1m] @ end() offset 1w",
        "(a)[5m:1m] @ end() offset 1w",
    );
    check(
        "a[step() * 2 + max(1m, range())]",
        "a[step() * 2 + max(1m, range())]",
    );
    check("a offset (1m+2m)", "a offset (1m + 2m)");
    check("SUM(a) BY (b, c)", "sum by (b, c) (a)");
    check("sum(a) without ()", "sum without () (a)");
    check("topk(3, a)", "topk(3, a)");
    check("a and ON (x) b", "a and on (x) b");
    check(
        "a * ignoring(x) group_left b",
        "a * ignoring (x) group_left () b",
    );
    check(
        "a == bool on () group_right (z) b",
        "a == bool on () group_right (z) b",
    );
    check("a + fill(0) b", "a + fill (0) b");
    check(
        "a + on (x) fill_left(1) fill_right(-2) b",
        "a + on (x) fill_left (1) fill_right (-2) b",
    );
    check("-a ^ 2 * - -b", "-a ^ 2 * --b");
    check("a[5m] anchored", "a[5m] anchored");
    check("a smoothed offset 1m", "a smoothed offset 1m");
    check("sum", "sum");
    check("by{on=\"1\"}", "by{on=\"1\"}");
    check(
        "label_replace(a, \"x\\n\", 'y\"', `z\\`, \"\")",
        "label_replace(a, \"x\\n\", \"y\\\"\", \"z\\\\\", \"\")",
    );
    check("# before\na # after\n", "a");
}

#[test]
fn operators_bind_as_they_should() {
    let check = |text: &str, same: &str| {
        let shape = |text: &str| format!("{:?}", strip(parse(text).unwrap()));
        assert_eq!(shape(text), shape(same), "{text}");
    };
    check("1 + 2 * 3", "1 + (2 * 3)");
    check("1 - 2 - 3", "(1 - 2) - 3");
    check("2 ^ 3 ^ 2", "2 ^ (3 ^ 2)");
    check("-a ^ 2", "-(a ^ 2)");
    check("-a * 2", "(-a) * 2");
    check("a or b and c", "a or (b and c)");
    check("a unless b and c", "(a unless b) and c");
    check("a == b + c", "a == (b + c)");
    check("a + b offset 5m", "a + (b offset 5m)");
    check("a atan2 b % c", "(a atan2 b) % c");
}

/// What is wrong, and how it is said.
const WRONG: &[(&str, &str)] = &[
    ("", "1:1: parse error: no expression found in input"),
    (
        "# nothing",
        "1:1: parse error: no expression found in input",
    ),
    ("1 +", "1:4: parse error: unexpected end of input"),
    ("1 1", "1:3: parse error: unexpected number \"1\""),
    ("a b", "1:3: parse error: unexpected identifier \"b\""),
    ("*1", "1:1: parse error: unexpected <op:*>"),
    ("(1", "1:3: parse error: unclosed left parenthesis"),
    ("1)", "1:2: parse error: unexpected right parenthesis ')'"),
    (
        "a{",
        "1:3: parse error: unexpected end of input inside braces",
    ),
    (
        "a{b}",
        "1:4: parse error: unexpected \"}\" in label matching, expected label matching operator",
    ),
    (
        "a{b=1}",
        "1:5: parse error: unexpected character inside braces: '1'",
    ),
    (
        "a[",
        "1:3: parse error: unexpected end of input inside brackets",
    ),
    (
        "a[5m",
        "1:5: parse error: unexpected end of input inside brackets",
    ),
    ("a[0]", "1:3: parse error: duration must be greater than 0"),
    (
        "a[5x]",
        "1:3: parse error: bad number or duration syntax: \"5x\"",
    ),
    ("\"a", "1:1: parse error: unterminated quoted string"),
    ("a\n+ !b", "2:3: parse error: unexpected character: '!'"),
    ("foo(", "1:5: parse error: unclosed left parenthesis"),
    (
        "foo()",
        "1:1: parse error: unknown function with name \"foo\"",
    ),
    (
        "a + 1 and 2",
        "1:1: parse error: set operator \"and\" not allowed in binary scalar expression",
    ),
    (
        "a{__name__=\"b\"}",
        "1:1: parse error: metric name must not be set twice: \"a\" or \"b\"",
    ),
    (
        "sum(a, b)",
        "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 1, got 2",
    ),
    (
        "sum()",
        "1:1: parse error: no arguments for aggregate expression provided",
    ),
    (
        "topk(a)",
        "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1",
    ),
    (
        "-\"a\"",
        "1:2: parse error: unary expression only allowed on expressions of type scalar or instant vector, got \"string\"",
    ),
    (
        "1[5m:]",
        "1:1: parse error: subquery is only allowed on instant vector, got scalar instead",
    ),
    (
        "sum(a)[5m]",
        "1:7: parse error: ranges only allowed for vector selectors",
    ),
    (
        "sum(a) by b",
        "1:11: parse error: unexpected identifier \"b\" in grouping opts, expected \"(\"",
    ),
    (
        "abs(a,)",
        "1:6: parse error: trailing commas not allowed in function call args",
    ),
    (
        "a offset",
        "1:9: parse error: unexpected end of input in offset, expected number, duration, step(), or range()",
    ),
];

#[test]
fn what_is_wrong_is_said_where_it_is() {
    let check = |text: &str, message: &str| {
        let wrong = parse(text).expect_err(text);
        assert_eq!(wrong.describe(text), message, "{text}");
    };
    for (text, expected) in WRONG {
        check(text, expected);
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(parse(&nested).is_err());
    assert!(parse(&"-".repeat(100_000)).is_err());
    assert!(parse(&vec!["a"; 100_000].join("+")).is_err());
    assert!(parse(&format!("a[{}1]", "-".repeat(100_000))).is_err());
    // What people write is far from the bounds.
    assert!(parse(&vec!["a"; 300].join(" or ")).is_ok());
}

#[test]
fn selectors_stand_alone() {
    assert_eq!(parse_selector("a{b=\"c\"}").unwrap().matches.len(), 2);
    for wrong in ["a[5m]", "a offset 5m", "{}", "1", "a b"] {
        assert!(parse_selector(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn long_expressions_break_into_lines() {
    let text = "sum by (job, instance) (rate(http_requests_total{job=\"api\",code=~\"5..\"}[5m])) / on (job) group_left () count(up{job=\"api\"})";
    let lines = "  sum by (job, instance) (rate(http_requests_total{job=\"api\",code=~\"5..\"}[5m]))\n/ on (job) group_left ()\n  count(up{job=\"api\"})";
    assert_eq!(pretty(&parse(text).unwrap()), lines);
    assert_eq!(pretty(&parse("sum(a)").unwrap()), "sum(a)");
    assert_eq!(parse(lines).unwrap().value_type(), ValueType::Vector);
}

/// Without places and parentheses, to compare shapes.
fn strip(expr: crate::promql::Expr) -> String {
    use crate::promql::Expr;
    match expr {
        Expr::Paren(paren) => strip(paren.expr),
        Expr::Binary(binary) => {
            format!(
                "({} {} {})",
                strip(binary.left),
                binary.op.text(),
                strip(binary.right)
            )
        }
        Expr::Unary(unary) => format!("(-{})", strip(unary.expr)),
        other => other.to_string(),
    }
}
