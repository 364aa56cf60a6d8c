use proptest::prelude::*;

use super::*;
use crate::config::Config;

fn read(text: &str) -> Config {
    let (config, _) = Config::parse(text.as_bytes()).unwrap();
    config
}

const FILE: &str = r#"
route:
  receiver: r
  group_by: [alertname, cluster]
  group_wait: 1s
  routes:
    - match_re: {severity: page|crit}
      match: {team: db}
      receiver: pager
      group_by: ['...']
      repeat_interval: 1h
      mute_time_intervals: [never]
      routes:
        - matchers: [z="1", "b!=2"]
          group_by: []
        - matchers: ['"x y"="a\nb"']
          receiver: other
          group_wait: 9s
          active_time_intervals: [never, always]
        - active_time_intervals: [never]
receivers: [{name: r}, {name: pager}, {name: other}]
time_intervals:
  - {name: never}
  - {name: always, time_intervals: [{}]}
"#;

#[test]
fn what_a_node_does_not_say_it_has_from_above() {
    let config = read(FILE);
    let all = config.route.all();
    let seconds: Vec<_> = all
        .iter()
        .map(|it| {
            (
                it.group_wait.as_secs(),
                it.group_interval.as_secs(),
                it.repeat_interval.as_secs(),
            )
        })
        .collect();
    assert_eq!(
        seconds,
        [
            (1, 300, 14_400),
            (1, 300, 3_600),
            (1, 300, 3_600),
            (9, 300, 3_600),
            (1, 300, 3_600)
        ]
    );
    let receivers: Vec<_> = all.iter().map(|it| it.receiver.as_str()).collect();
    assert_eq!(receivers, ["r", "pager", "pager", "other", "pager"]);
    let names = |names: &[&str]| GroupBy::Labels(names.iter().map(|it| (*it).to_owned()).collect());
    let group_by: Vec<_> = all.iter().map(|it| it.group_by.clone()).collect();
    assert_eq!(group_by[0], names(&["alertname", "cluster"]));
    assert_eq!(group_by[1], GroupBy::All);
    assert_eq!(group_by[2], names(&[]));
    assert_eq!(group_by[3], GroupBy::All);
    // Intervals are not taken over.
    assert_eq!(all[1].muted_by(&config.intervals, 0), Vec::<&str>::new());
    assert_eq!(all[3].muted_by(&config.intervals, 0), Vec::<&str>::new());
    assert_eq!(all[4].muted_by(&config.intervals, 0), ["never"]);
}

#[test]
fn keys_are_those_of_alertmanager() {
    let config = read(FILE);
    let keys: Vec<_> = config
        .route
        .all()
        .iter()
        .map(|it| it.key().to_owned())
        .collect();
    let first = r#"{}/{severity=~"^(?:page|crit)$",team="db"}"#;
    assert_eq!(
        keys,
        [
            "{}".to_owned(),
            first.to_owned(),
            format!(r#"{first}/{{b!="2",z="1"}}"#),
            format!(r#"{first}/{{"x y"="a\nb"}}"#),
            format!("{first}/{{}}"),
        ]
    );
    let ids: std::collections::BTreeSet<_> = config
        .route
        .all()
        .iter()
        .map(|it| it.id().to_owned())
        .collect();
    assert_eq!(ids.len(), keys.len());
    let labels = Labels::from_pairs([("alertname", "A\"b"), ("cluster", "c"), ("host", "h")]);
    let group = config.route.group_labels(&labels);
    assert_eq!(
        config.route.group_key(&group),
        r#"{}:{alertname="A\"b", cluster="c"}"#
    );
    let alone = config.route.all()[1].group_labels(&labels);
    assert_eq!(alone, labels);
    let none = config.route.group_labels(&Labels::from_pairs([("a", "b")]));
    assert_eq!(config.route.group_key(&none), "{}:{}");
}

/// A tree: the label that must be 1, whether it continues, and what is below.
#[derive(Clone, Debug)]
struct Tree(char, bool, Vec<Tree>);

fn tree() -> impl Strategy<Value = Tree> {
    let label = prop_oneof![Just('a'), Just('b'), Just('c')];
    let leaf =
        (label.clone(), any::<bool>()).prop_map(|(label, goes_on)| Tree(label, goes_on, vec![]));
    leaf.prop_recursive(3, 12, 3, move |inner| {
        let below = proptest::collection::vec(inner, 0..3);
        (label.clone(), any::<bool>(), below)
            .prop_map(|(label, goes_on, below)| Tree(label, goes_on, below))
    })
}

fn build(parent: &Route, trees: &[Tree]) -> Vec<Route> {
    let mut routes = Vec::new();
    for (place, Tree(label, goes_on, below)) in trees.iter().enumerate() {
        let matchers = format!("{label}=1").parse().unwrap();
        let mut route = parent.child(matchers, place);
        route.after = if *goes_on {
            After::Continue
        } else {
            After::Stop
        };
        route.routes = build(&route, below);
        routes.push(route);
    }
    routes
}

proptest! {
    #[test]
    fn every_alert_reaches_somebody_by_the_rules(
        trees in proptest::collection::vec(tree(), 0..4), a in any::<bool>(), b in any::<bool>(), c in any::<bool>(),
    ) {
        let mut root = Route::root();
        root.routes = build(&root, &trees);
        let labels = [("a", a), ("b", b), ("c", c)];
        let labels = Labels::from_pairs(labels.iter().filter(|(_, has)| *has).map(|(name, _)| (*name, "1")));
        let found = root.matches(&labels);
        prop_assert!(!found.is_empty());
        for route in &found {
            prop_assert!(route.matchers.match_labels(&labels));
            // Nothing below a node that was found would have taken it.
            prop_assert!(route.routes.iter().all(|below| below.matches(&labels).is_empty()));
        }
        // None twice, and in the order of the file.
        let all: Vec<_> = root.all().into_iter().map(Route::id).collect();
        let places: Vec<_> = found.iter().map(|it| all.iter().position(|id| *id == it.id())).collect();
        prop_assert!(places.is_sorted_by(|one, other| one < other));
        // The first node that stops ends its row of siblings.
        let first = root.routes.iter().find(|it| !it.matches(&labels).is_empty());
        if let Some(first) = first && first.after == After::Stop {
            prop_assert!(found.iter().all(|it| it.id().starts_with(first.id())));
        }
    }
}
