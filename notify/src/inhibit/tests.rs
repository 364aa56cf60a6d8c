use proptest::prelude::*;

use super::*;

fn labels(text: &str) -> Labels {
    let pairs = text.split_whitespace();
    Labels::from_pairs(pairs.map(|pair| pair.split_once('=').unwrap()))
}

fn rule(source: &str, target: &str, equal: &[&str]) -> InhibitRule {
    InhibitRule {
        name: String::new(),
        source: source.parse().unwrap(),
        target: target.parse().unwrap(),
        equal: equal.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn check(rules: &[InhibitRule], firing: &[&str], asked: &str, expected: &[&str]) {
    let firing: Vec<_> = firing.iter().map(|text| labels(text)).collect();
    let inhibitions = Inhibitions::new(rules, &firing);
    let mut expected: Vec<_> = expected
        .iter()
        .map(|text| Fingerprint::of(&labels(text)))
        .collect();
    expected.sort();
    assert_eq!(inhibitions.of(&labels(asked)), expected, "{asked}");
}

#[test]
fn a_source_keeps_targets_quiet_that_are_equal() {
    let rules = [rule("s=1", "t=1", &["e"])];
    check(&rules, &["s=1 e=a"], "t=1 e=a", &["s=1 e=a"]);
    check(&rules, &["s=1 e=a"], "t=1 e=b", &[]);
    check(&rules, &["s=1 e=a"], "t=2 e=a", &[]);
    check(&rules, &["s=2 e=a"], "t=1 e=a", &[]);
    check(&rules, &[], "t=1 e=a", &[]);
    check(
        &rules,
        &["s=1 e=a x=1", "s=1 e=a x=2", "s=1"],
        "t=1 e=a",
        &["s=1 e=a x=1", "s=1 e=a x=2"],
    );
}

#[test]
fn missing_is_the_same_as_empty() {
    let rules = [rule("s=1", "t=1", &["e"])];
    check(&rules, &["s=1"], "t=1", &["s=1"]);
    check(&rules, &["s=1 e="], "t=1", &["s=1 e="]);
    check(&rules, &["s=1 e=a"], "t=1", &[]);
    let no_label = [rule("s=1", "t=\"\"", &[])];
    check(&no_label, &["s=1 t=x"], "a=b", &["s=1 t=x"]);
}

#[test]
fn nothing_on_both_sides_keeps_another_such_quiet() {
    let rules = [rule("s=1", "t=1", &["e"])];
    check(&rules, &["s=1 t=1 e=a"], "s=1 t=1 e=a", &[]);
    check(&rules, &["s=1 t=1 e=a x=1"], "s=1 t=1 e=a x=2", &[]);
    // One that is on one side only does, and is.
    check(&rules, &["s=1 e=a"], "s=1 t=1 e=a", &["s=1 e=a"]);
    check(&rules, &["s=1 t=1 e=a"], "t=1 e=a", &["s=1 t=1 e=a"]);
}

#[test]
fn several_rules_add_up() {
    let rules = [
        rule("s=1", "t=1", &["e"]),
        rule("s=2", "t=~\".+\"", &[]),
        rule("s=~\"1|2\"", "t=1", &[]),
    ];
    let firing = ["s=1 e=a", "s=2", "s=1 e=b"];
    check(&rules, &firing, "t=1 e=a", &firing);
    check(&rules, &firing, "t=2 e=a", &["s=2"]);
    check(&rules, &firing, "e=a", &[]);
}

fn alert() -> impl Strategy<Value = String> {
    let one = |name: &'static str| {
        prop_oneof![
            Just(String::new()),
            Just(format!("{name}=1")),
            Just(format!("{name}=2"))
        ]
    };
    (one("s"), one("t"), one("e"), one("x")).prop_map(|(s, t, e, x)| format!("{s} {t} {e} {x}"))
}

proptest! {
    /// Against the rule as it is written down, asked of every pair.
    #[test]
    fn it_is_what_asking_every_pair_gives(
        firing in proptest::collection::vec(alert(), 0..6), asked in alert(),
        equal in prop_oneof![Just(vec![]), Just(vec!["e"]), Just(vec!["e", "x"])],
    ) {
        let rules = [rule("s=1", "t=1", &equal)];
        let firing: Vec<_> = firing.iter().map(|text| labels(text)).collect();
        let asked = labels(&asked);
        let is = |labels: &Labels, name: &str| labels.get(name) == Some("1");
        let mut expected: Vec<_> = firing
            .iter()
            .filter(|source| is(source, "s") && is(&asked, "t"))
            .filter(|source| equal.iter().all(|name| source.get(name) == asked.get(name)))
            .filter(|source| !(is(source, "t") && is(&asked, "s")))
            .map(Fingerprint::of)
            .collect();
        expected.sort();
        expected.dedup();
        prop_assert_eq!(Inhibitions::new(&rules, &firing).of(&asked), expected);
    }
}
