use proptest::prelude::*;

use super::*;

fn read(text: &str) -> String {
    match Matchers::parse(text) {
        Ok((matchers, None)) => matchers.to_string(),
        Ok((matchers, Some(Note::Classic { .. }))) => format!("classic {matchers}"),
        Ok((matchers, Some(Note::Ambiguous))) => format!("ambiguous {matchers}"),
        Err(_) => "wrong".to_owned(),
    }
}

#[test]
fn lists_are_read_as_alertmanager_reads_them() {
    let check = |text: &str, expected: &str| assert_eq!(read(text), expected, "{text}");
    check("", "{}");
    check("{}", "{}");
    check("foo=bar", r#"{foo="bar"}"#);
    check(
        r#"{foo="bar",dings!="bums",}"#,
        r#"{foo="bar",dings!="bums"}"#,
    );

    check(
        "{ foo = bar , dings != \"bums\" }",
        r#"{foo="bar",dings!="bums"}"#,
    );
    check(r#"statuscode=~"5..""#, r#"{statuscode=~"5.."}"#);
    check("foo!~[a-z]+", r#"{foo!~"[a-z]+"}"#);
    check("foo=", r#"classic {foo=""}"#);
    check("foo=bar baz", r#"classic {foo="bar baz"}"#);
    // What it takes for a closing brace belongs to the pattern; so it is with Alertmanager.
    check("foo=~a|b{2}", r#"classic {foo=~"a|b{2"}"#);
    check("foo=~a{2}|b", r#"classic {foo=~"a{2}|b"}"#);
    check(r"foo=a\b", r#"classic {foo="a\\b"}"#);
    check(r#"foo="\t""#, r#"ambiguous {foo="\\t"}"#);
    check(r#"foo="\"""#, r#"{foo="\""}"#);
    check(r#"foo="\q""#, r#"classic {foo="\\q"}"#);
    check("\"foo bar\"=x", r#"{"foo bar"="x"}"#);
    check("fö=x", r#"{fö="x"}"#);
    check(r#"foo="\u{1f642}""#, r#"classic {foo="\\u{1f642}"}"#);
    check(
        r#"foo="\xf0\x9f\x99\x82""#,
        r#"ambiguous {foo="\\xf0\\x9f\\x99\\x82"}"#,
    );
    check(r#"fö="\xf0\x9f\x99\x82""#, "{fö=\"\u{1f642}\"}");
    check(r#"fö="\xf0""#, "wrong");
    check("{foo=bar", r#"classic {foo="bar"}"#);
    check("foo=bar}", r#"classic {foo="bar"}"#);
    check("{{foo=bar}}", "wrong");
    check("foo=bar,,a=b", "wrong");
    check(",", "wrong");
    check("foo", "wrong");
    check("foo=~(", "wrong");
    check("=x", "wrong");
    check("foo=\"bar", "wrong");
    check("foo=ba\"r", "wrong");
    check("foo==bar", r#"classic {foo="=bar"}"#);
    check("foo!bar", "wrong");
    check("1foo=x", r#"{1foo="x"}"#);
    check("a:b=x", r#"{a:b="x"}"#);
    check("foo=~\"a\\\\.b\"", r#"{foo=~"a\\.b"}"#);
}

#[test]
fn one_matcher_is_one() {
    let check = |text: &str, expected: Option<&str>| {
        let read = Matcher::parse(text).ok().map(|(one, _)| one.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    };
    check("foo=bar", Some(r#"foo="bar""#));
    check("foo=bar,baz", Some(r#"foo="bar,baz""#));
    check("{foo=bar}", None);
    check("", None);
    check("fö=x,b=y", None);
}

#[test]
fn a_missing_label_is_empty_and_patterns_match_whole_values() {
    let labels = Labels::from_pairs([("a", "x1"), ("n", "one\ntwo")]);
    let check = |text: &str, expected: bool| {
        let matchers: Matchers = text.parse().unwrap();
        assert_eq!(matchers.match_labels(&labels), expected, "{text}");
    };
    check("", true);
    check("a=x1", true);
    check("a!=x1", false);
    check("b=\"\"", true);
    check("b!=\"\"", false);
    check("b=~\"|x\"", true);
    check("b!~x", true);
    check("a=~x", false);
    check("a=~x.", true);
    check("a=~y|x1", true);
    check("a!~x.+", false);
    check("n=~\"one.two\"", false);
    check("n=~\"(?s:one.two)\"", true);
    check("a=~\"x\\\\d\",b=\"\"", true);
    check("a=x1,b=y", false);
}

#[test]
fn the_order_is_that_of_group_keys() {
    let matchers: Matchers = "b=2,a=~x,a=x,b=1,a!=x".parse().unwrap();
    assert_eq!(
        matchers.sorted().to_string(),
        r#"{a="x",a!="x",a=~"x",b="1",b="2"}"#
    );
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let op = prop_oneof![
        Just(Op::Equal),
        Just(Op::NotEqual),
        Just(Op::Matches),
        Just(Op::NotMatches)
    ];
    let name = prop_oneof!["[a-zA-Z_][a-zA-Z0-9_]{0,8}", "\\PC{1,6}"];
    (name, op, "\\PC{0,8}|[\"\\\\\n,{}=~a]{0,6}")
        .prop_filter_map("a pattern", |(name, op, value)| {
            Matcher::new(name, op, value).ok()
        })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(matchers in proptest::collection::vec(matcher(), 0..4)) {
        let matchers = Matchers::new(matchers);
        let read = Matchers::parse(&matchers.to_string());
        prop_assert_eq!(read.map(|(read, _)| read), Ok(matchers));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z\"\\\\{}!=~, \n\u{e9}]{0,16}") {
        if let Ok((matchers, _)) = Matchers::parse(&text) {
            prop_assert_eq!(matchers.to_string().parse(), Ok(matchers));
        }
        let _either = Matcher::parse(&text);
    }

    #[test]
    fn an_operator_and_its_opposite_part_all_values(name in "[a-z]", value in "[a-c]{0,3}", seen in "[a-c]{0,3}") {
        for is_regex in [false, true] {
            let yes = Matcher::new(name.clone(), Op::of(true, is_regex), value.clone()).unwrap();
            let no = Matcher::new(name.clone(), Op::of(false, is_regex), value.clone()).unwrap();
            prop_assert_eq!(yes.accepts(&seen), seen == value);
            prop_assert_ne!(yes.accepts(&seen), no.accepts(&seen));
        }
    }
}
