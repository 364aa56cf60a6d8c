use query::promql;
use serde_json::{Value, json};

use super::*;

fn tree(query: &str) -> Value {
    let mut out = Json::default();
    write(&mut out, &promql::parse(query).unwrap());
    serde_json::from_slice(&out.into_bytes()).unwrap()
}

fn selector(name: &str) -> Value {
    json!({
        "type": "vectorSelector", "name": name, "offset": 0, "timestamp": null, "startOrEnd": null,
        "anchored": false, "smoothed": false,
        "matchers": [{"name": "__name__", "type": "=", "value": name}],
    })
}

#[test]
fn each_kind_of_expression_has_its_shape() {
    let check = |query: &str, expected: Value| assert_eq!(tree(query), expected, "{query}");
    check("1e3", json!({"type": "numberLiteral", "val": "1000"}));
    check("-Inf", json!({"type": "numberLiteral", "val": "-Inf"}));
    check("'a\"b'", json!({"type": "stringLiteral", "val": "a\"b"}));
    check(
        "-up",
        json!({"type": "unaryExpr", "op": "-", "expr": selector("up")}),
    );
    check("(up)", json!({"type": "parenExpr", "expr": selector("up")}));
    check(
        "topk by(a, b) (3, up)",
        json!({
            "type": "aggregation", "op": "topk", "expr": selector("up"), "grouping": ["a", "b"],
            "param": {"type": "numberLiteral", "val": "3"}, "without": false,
        }),
    );
    check(
        "sum without() (up)",
        json!({
            "type": "aggregation", "op": "sum", "expr": selector("up"), "grouping": [],
            "param": null, "without": true,
        }),
    );
    check(
        "round(up)",
        json!({
            "type": "call", "args": [selector("up")],
            "func": {
                "name": "round", "argTypes": ["vector", "scalar"], "variadic": 1,
                "returnType": "vector",
            },
        }),
    );
    check(
        "a * on(x) group_left(y) b",
        json!({
            "type": "binaryExpr", "op": "*", "lhs": selector("a"), "rhs": selector("b"),
            "bool": false,
            "matching": {
                "card": "many-to-one", "labels": ["x"], "on": true, "include": ["y"],
                "fillValues": {"lhs": null, "rhs": null},
            },
        }),
    );
    check(
        "1 > bool 2",
        json!({
            "type": "binaryExpr", "op": ">", "bool": true, "matching": null,
            "lhs": {"type": "numberLiteral", "val": "1"},
            "rhs": {"type": "numberLiteral", "val": "2"},
        }),
    );
    assert_eq!(tree("a and b")["matching"]["card"], "many-to-many");
}

#[test]
fn ranges_and_shifts_are_milliseconds() {
    let matrix = tree(r#"up{job!="a"}[5m] @ start() offset -1m"#);
    assert_eq!(matrix["type"], "matrixSelector");
    assert_eq!(matrix["range"], 300_000);
    assert_eq!(matrix["offset"], -60_000);
    assert_eq!(matrix["startOrEnd"], "start");
    assert_eq!(matrix["matchers"][0]["type"], "!=");
    let subquery = tree("up[1h:1m] @ 5 offset 1d");
    let expected = json!({
        "type": "subquery", "expr": selector("up"), "range": 3_600_000, "step": 60_000,
        "offset": 86_400_000, "timestamp": 5_000, "startOrEnd": null,
    });
    assert_eq!(subquery, expected);
}
