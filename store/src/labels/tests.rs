use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn hold_what_a_map_holds(pairs in prop::collection::vec((".{0,70}", ".{0,5000}"), 0..8)) {
        let labels = Labels::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        let mut model: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in &pairs {
            model.insert(name, value);
        }
        model.retain(|_, value| !value.is_empty());
        let short = |name: &str| name.len() < 30;
        let kept = Labels::from_pairs(model.clone().into_iter().filter(|(name, _)| short(name)));
        prop_assert_eq!(labels.filtered(short), kept);
        prop_assert_eq!(labels.iter().collect::<Vec<_>>(), model.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(Labels::from_encoded(labels.as_encoded()), Some(labels));
    }

    #[test]
    fn are_ordered_by_name_then_value(
        a in prop::collection::vec(("[ab]{1,2}", "[ab]{0,2}"), 0..3),
        b in prop::collection::vec(("[ab]{1,2}", "[ab]{0,2}"), 0..3),
    ) {
        let labels = |pairs: &[(String, String)]| {
            Labels::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())))
        };
        let (a, b) = (labels(&a), labels(&b));
        let pairs = |labels: &Labels| {
            labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect::<Vec<_>>()
        };
        prop_assert_eq!(a.cmp(&b), pairs(&a).cmp(&pairs(&b)));
        prop_assert_eq!(a == b, pairs(&a) == pairs(&b));
    }

    #[test]
    fn damaged_text_is_refused_or_read_never_a_panic(text in ".{0,40}") {
        if let Some(labels) = Labels::from_encoded(&text) {
            let again = Labels::from_pairs(labels.iter());
            prop_assert_eq!(again.iter().count(), labels.iter().count());
        }
    }
}

#[test]
fn find_a_label() {
    let labels = Labels::from_pairs([("job", "node"), (METRIC_NAME, "up"), ("zone", "")]);
    assert_eq!(labels.metric_name(), "up");
    assert_eq!(labels.get("job"), Some("node"));
    assert_eq!(labels.get("zone"), None);
}
