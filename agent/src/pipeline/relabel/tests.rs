use proptest::prelude::*;
use wire::metric::{Kind, Point, Suffix};

use super::*;

fn rules(toml: &str) -> Result<Rules, Vec<String>> {
    #[derive(Deserialize)]
    struct File {
        rule: Vec<RawRule>,
    }
    let file: File = toml::from_str(toml).map_err(|error| vec![error.message().to_owned()])?;
    let mut problems = Problems::default();
    let rules = Rules::validate("rule", file.rule, &mut problems);
    let found = problems.into_inner();
    rules.ok_or_else(|| {
        found
            .iter()
            .map(|p| format!("{}: {}", p.key, p.message))
            .collect()
    })
}

fn labels(text: &str) -> Vec<Label> {
    text.split_whitespace()
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            Label::new(name.to_owned(), value.to_owned())
        })
        .collect()
}

/// Applies one rule to `name a=b c=d`; a dropped series is `None`.
fn apply(toml: &str, series: &str) -> Option<String> {
    let rules = rules(&format!("[[rule]]\n{toml}")).unwrap();
    let (name, rest) = series.split_once(' ').unwrap_or((series, ""));
    let target = labels("job=node instance=db1:9100");
    let mut subject = Subject {
        name: Cow::Owned(name.to_owned()),
        labels: labels(rest),
        target: &target,
    };
    if rules.apply(&mut subject) == Verdict::Drop {
        return None;
    }
    let mut out = subject.name.to_string();
    for Label { name, value } in &subject.labels {
        out.push_str(&format!(" {name}={value}"));
    }
    Some(out)
}

/// A rule, a series, and the series after it; `None` where it was dropped.
const ACTIONS: &[(&str, &str, Option<&str>)] = &[
    // replace
    (
        "source_labels=['a']\ntarget_label='d'\nregex='f(.*)'\nreplacement='ch${1}-$1'",
        "m a=foo",
        Some("m a=foo d=choo-oo"),
    ),
    (
        "source_labels=['a','b']\ntarget_label='d'\nregex='f(.*);(.*)r'\nreplacement='b${1}${2}m'",
        "m a=foo b=bar",
        Some("m a=foo b=bar d=boobam"),
    ),
    (
        "source_labels=['a','b']\nseparator='-'\ntarget_label='a'\nregex='(.*)'",
        "m a=x b=y",
        Some("m a=x-y b=y"),
    ),
    (
        "source_labels=['a']\ntarget_label='d'\nregex='no'\nreplacement='x'",
        "m a=foo",
        Some("m a=foo"),
    ),
    (
        "target_label='d'\nreplacement='fixed'",
        "m",
        Some("m d=fixed"),
    ),
    (
        "source_labels=['a']\ntarget_label='a'\nregex='foo'\nreplacement=''",
        "m a=foo b=c",
        Some("m b=c"),
    ),
    (
        "source_labels=['a']\ntarget_label='${1}_x'\nregex='some-(\\w+)-(\\w+)'\nreplacement='$2'",
        "m a=some-name-value",
        Some("m a=some-name-value name_x=value"),
    ),
    (
        "source_labels=['a']\ntarget_label='$1'\nregex='(.*)'\nreplacement='x'",
        "m a=not-a-name",
        Some("m a=not-a-name"),
    ),
    (
        "source_labels=['__name__']\ntarget_label='__name__'\nregex='go_(.*)'\nreplacement='rust_$1'",
        "go_info",
        Some("rust_info"),
    ),
    (
        "source_labels=['job','instance']\ntarget_label='where'\nregex='(.*)'",
        "m",
        Some("m where=node;db1:9100"),
    ),
    (
        "source_labels=['job']\ntarget_label='job'\nregex='node'\nreplacement='host'",
        "m",
        Some("m job=host"),
    ),
    // keep and drop, anchored at both ends
    (
        "action='keep'\nsource_labels=['a']\nregex='oo'",
        "m a=foo",
        None,
    ),
    (
        "action='keep'\nsource_labels=['a']\nregex='.oo'",
        "m a=foo",
        Some("m a=foo"),
    ),
    (
        "action='keep'\nsource_labels=['a']\nregex='foo|bar'",
        "m a=foobar",
        None,
    ),
    (
        "action='drop'\nsource_labels=['__name__']\nregex='go_.*'",
        "go_threads",
        None,
    ),
    (
        "action='drop'\nsource_labels=['absent']\nregex='.+'",
        "m a=b",
        Some("m a=b"),
    ),
    (
        "action='keep'\nsource_labels=['absent']\nregex=''",
        "m",
        Some("m"),
    ),
    // by name
    (
        "action='labelmap'\nregex='meta_(.*)'\nreplacement='x_$1'",
        "m meta_a=1 b=2",
        Some("m meta_a=1 b=2 x_a=1"),
    ),
    (
        "action='labeldrop'\nregex='a.*'",
        "m a=1 ab=2 ba=3",
        Some("m ba=3"),
    ),
    (
        "action='labelkeep'\nregex='a.*'",
        "m a=1 ab=2 ba=3",
        Some("m a=1 ab=2"),
    ),
    // others
    (
        "action='hashmod'\nsource_labels=['c']\ntarget_label='d'\nmodulus=1000",
        "m c=baz",
        Some("m c=baz d=976"),
    ),
    (
        "action='lowercase'\nsource_labels=['a']\ntarget_label='a'",
        "m a=FoO",
        Some("m a=foo"),
    ),
    (
        "action='uppercase'\nsource_labels=['a']\ntarget_label='b'",
        "m a=FoO",
        Some("m a=FoO b=FOO"),
    ),
    (
        "action='keepequal'\nsource_labels=['a']\ntarget_label='b'",
        "m a=1 b=1",
        Some("m a=1 b=1"),
    ),
    (
        "action='keepequal'\nsource_labels=['a']\ntarget_label='b'",
        "m a=1 b=2",
        None,
    ),
    (
        "action='dropequal'\nsource_labels=['a']\ntarget_label='b'",
        "m a=1 b=1",
        None,
    ),
    (
        "action='dropequal'\nsource_labels=['a']\ntarget_label='b'",
        "m a=1 b=2",
        Some("m a=1 b=2"),
    ),
    // a series without a name is no series
    ("target_label='__name__'\nreplacement=''", "m a=1", None),
];

#[test]
fn actions() {
    for (rule, series, expected) in ACTIONS {
        assert_eq!(
            apply(rule, series).as_deref(),
            *expected,
            "{rule}\n{series}"
        );
    }
}

#[test]
fn the_dot_matches_line_ends_and_the_hash_is_prometheus_own() {
    let rules = rules("[[rule]]\naction='hashmod'\nsource_labels=['a']\ntarget_label='d'\nmodulus=1000\n[[rule]]\naction='keep'\nsource_labels=['a']\nregex='foo.bar'").unwrap();
    let mut subject = Subject {
        name: "m".into(),
        labels: vec![Label::new("a", "foo\nbar")],
        target: &[],
    };
    assert_eq!(rules.apply(&mut subject), Verdict::Keep);
    assert_eq!(subject.get("d"), "734");
}

#[test]
fn wrong_rules_are_refused_with_their_place() {
    for (rule, expected) in [
        (
            "source_labels=['a']",
            "rule[0].target_label: the action replace needs it",
        ),
        (
            "action='hashmod'\nsource_labels=['a']\ntarget_label='b'",
            "rule[0].modulus: the action hashmod needs one above 0",
        ),
        (
            "action='keep'\nregex='('",
            "rule[0].regex: not a regular expression",
        ),
        (
            "action='keep'\nregex='a)(b'",
            "rule[0].regex: not a regular expression",
        ),
        (
            "action='lowercase'\ntarget_label='1a'",
            "rule[0].target_label: \"1a\" is not a label name",
        ),
        (
            "target_label='a-b'",
            "rule[0].target_label: \"a-b\" is not a label name",
        ),
        (
            "action='labeldrop'\nregex='a'\nsource_labels=['b']",
            "rule[0].source_labels: the action labeldrop does not use it",
        ),
        (
            "action='keepequal'\nregex='a'\ntarget_label='b'",
            "rule[0].regex: the action keepequal does not use it",
        ),
        (
            "action='labelmap'\nreplacement='a-$1'",
            "rule[0].replacement: \"a-$1\" does not make label names",
        ),
        ("action='erase'", "unknown variant `erase`"),
        ("sourcelabels=['a']", "unknown field `sourcelabels`"),
    ] {
        let problems = rules(&format!("[[rule]]\n{rule}")).unwrap_err();
        let said = problems.join("\n");
        assert!(said.contains(expected), "{rule}\nsaid {said}");
    }
}

#[test]
fn renamed_points_move_to_the_family_of_their_new_name() {
    let point = |suffix, le: &'static str| Point {
        suffix,
        labels: vec![Label::new("le", le)],
        value: 1.0,
        at_ms: None,
    };
    let mut family = Family::new("rtt", "Round trips.", Kind::Histogram);
    family.points = vec![point(Suffix::Bucket, "1"), point(Suffix::Count, "")];
    let rename = "[[rule]]\nsource_labels=['__name__']\ntarget_label='__name__'\nregex='rtt_(.*)'\nreplacement='trip_$1'";
    let (out, dropped) = rules(rename).unwrap().apply_to(vec![family.clone()], &[]);
    assert_eq!(dropped, 0);
    assert_eq!(out.len(), 1);
    assert_eq!(
        (out[0].name.as_ref(), out[0].kind, out[0].points.len()),
        ("trip", Kind::Histogram, 2)
    );

    let bare = "[[rule]]\nsource_labels=['__name__']\ntarget_label='__name__'\nregex='rtt_count'\nreplacement='trips'\n[[rule]]\naction='drop'\nsource_labels=['le']\nregex='1'";
    let (out, dropped) = rules(bare).unwrap().apply_to(vec![family], &[]);
    assert_eq!(dropped, 1);
    assert_eq!(
        (out[0].name.as_ref(), out[0].kind),
        ("trips", Kind::Untyped)
    );
    assert_eq!(out[0].points[0].suffix, Suffix::None);
}

proptest! {
    /// Whatever rules say and series hold: no panic, no label without a name or a value.
    #[test]
    fn labels_stay_labels(
        regex in "[a-z.*()|$\\[\\]?+]{0,8}",
        replacement in "[a-z$1{}]{0,6}",
        target in "[a-z$1{}_]{0,6}",
        value in "\\PC{0,12}",
        action in prop::sample::select(vec![
            Action::Replace, Action::Keep, Action::Drop, Action::LabelMap, Action::HashMod,
            Action::Lowercase, Action::Uppercase,
        ]),
    ) {
        let raw = RawRule {
            source_labels: vec!["a".to_owned(), "b".to_owned()],
            regex: Some(regex),
            replacement: Some(replacement),
            target_label: Some(target),
            modulus: Some(7),
            action,
            ..RawRule::default()
        };
        let mut problems = Problems::default();
        let Some(rules) = Rules::validate("rule", vec![raw], &mut problems) else {
            prop_assert!(!problems.into_inner().is_empty());
            return Ok(());
        };
        let mut subject = Subject {
            name: "m".into(),
            labels: vec![Label::new("a", value), Label::new("b", "x")],
            target: &[],
        };
        let before = subject.labels.len();
        rules.apply(&mut subject);
        prop_assert!(subject.labels.len() <= before * 2 + 1);
        for label in subject.labels.iter().skip(before) {
            prop_assert!(validate::is_label_name(&label.name));
        }
    }
}
