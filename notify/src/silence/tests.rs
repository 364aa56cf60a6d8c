use super::*;

fn silence(matchers: &str, starts_at_ms: i64, ends_at_ms: i64) -> Silence {
    Silence {
        id: "one".to_owned(),
        matchers: matchers.parse().unwrap(),
        starts_at_ms,
        ends_at_ms,
        updated_at_ms: 0,
        created_by: "ann".to_owned(),
        comment: "maintenance".to_owned(),
    }
}

#[test]
fn a_silence_must_pick_something_out_and_end_after_it_begins() {
    let check = |matchers: &str, (starts, ends): (i64, i64), expected: &str| {
        let verdict = silence(matchers, starts, ends).validate(1_000);
        let text = verdict.err().map(|wrong| wrong.to_string());
        assert_eq!(text.unwrap_or_default(), expected, "{matchers}");
    };
    check("a=b", (0, 2_000), "");
    check("a=\"\",b!=c", (0, 2_000), "");
    check("a!=\"\"", (0, 2_000), "");
    check("a!~b", (0, 2_000), "");
    check("a=~b", (5_000, 6_000), "");
    check("", (0, 2_000), "at least one matcher required");
    let empty = "at least one matcher must not match the empty string";
    check("a=\"\"", (0, 2_000), empty);
    check("a=~\"b*\",c=~\".*\"", (0, 2_000), empty);
    check("\"\"=x,é=y", (0, 2_000), "invalid label name \"\"");
    check("a=b", (3_000, 2_000), "start time must be before end time");
    check("a=b", (2_000, 2_000), "start time must be before end time");
    check("a=b", (0, 999), "end time can't be in the past");
}

#[test]
fn it_mutes_while_it_is_active() {
    let labels = Labels::from_pairs([("a", "b")]);
    let silence = silence("a=b", 1_000, 2_000);
    let check = |now_ms: i64, state: State| {
        assert_eq!(silence.state(now_ms), state);
        assert_eq!(silence.mutes(&labels, now_ms), state == State::Active);
        assert!(!silence.mutes(&Labels::from_pairs([("a", "c")]), now_ms));
    };
    check(999, State::Pending);
    check(1_000, State::Active);
    check(1_999, State::Active);
    check(2_000, State::Expired);
}

#[test]
fn an_edit_never_changes_what_was_silenced() {
    let check = |old: (i64, i64), new: (&str, i64, i64), expected: Edit| {
        let edit = silence("a=b,c=d", old.0, old.1).edit(&silence(new.0, new.1, new.2), 10_000);
        assert_eq!(edit, expected, "{old:?} {new:?}");
    };
    let same = "a=b,c=d";
    // One that is active may end at another time.
    check((5_000, 20_000), (same, 5_999, 30_000), Edit::InPlace);
    check((5_000, 20_000), (same, 5_000, 10_000), Edit::InPlace);
    check((5_000, 20_000), (same, 6_000, 20_000), Edit::Replace);
    check((5_000, 20_000), (same, 5_000, 9_999), Edit::Replace);
    check((5_000, 20_000), ("a=b", 5_000, 20_000), Edit::Replace);
    // One that has not begun may begin at another time.
    check((15_000, 20_000), (same, 12_000, 30_000), Edit::InPlace);
    check((15_000, 20_000), (same, 9_999, 30_000), Edit::Replace);
    // One that is over stays over.
    check((5_000, 9_000), (same, 5_000, 20_000), Edit::Replace);
}

#[test]
fn a_new_one_begins_now_at_the_earliest() {
    let begun = silence("a=b", 1_000, 9_000).begun("two".to_owned(), 5_000);
    assert_eq!(
        (begun.id.as_str(), begun.starts_at_ms, begun.updated_at_ms),
        ("two", 5_000, 5_000)
    );
    let begun = silence("a=b", 8_000, 9_000).begun("two".to_owned(), 5_000);
    assert_eq!(begun.starts_at_ms, 8_000);
}

#[test]
fn ending_one_leaves_what_it_was() {
    let check = |(starts, ends): (i64, i64), expected: Option<(i64, i64)>| {
        let expired = silence("a=b", starts, ends).expired(5_000);
        let times = expired.as_ref().map(|it| (it.starts_at_ms, it.ends_at_ms));
        assert_eq!(times, expected);
        let is_over = expired.is_none_or(|it| it.state(5_000) == State::Expired);
        assert!(is_over);
    };
    check((1_000, 9_000), Some((1_000, 5_000)));
    check((8_000, 9_000), Some((5_000, 5_000)));
    check((1_000, 4_000), None);
}
