use super::*;

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn layer(people: &[&str], days: i32, handover: &str) -> Layer {
    Layer {
        name: "turns".to_owned(),
        people: people.iter().map(|one| (*one).to_owned()).collect(),
        days,
        start: "2026-03-23".parse().unwrap(),
        handover: handover.parse().unwrap(),
        only: Vec::new(),
    }
}

fn schedule(layers: Vec<Layer>) -> Schedule {
    Schedule {
        name: "dba".to_owned(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        layers,
        overrides: Vec::new(),
    }
}

/// Who is on call at a time and until when, both as instants in UTC.
fn check(schedule: &Schedule, when: &str, who: Option<&str>, until: Option<&str>) {
    let duty = schedule.on_call(at(when));
    assert_eq!(duty.map(|duty| duty.person).as_deref(), who, "{when}");
    assert_eq!(schedule.until(at(when)), until.map(at), "{when}");
}

#[test]
fn turns_are_handed_over_at_local_time() {
    // Clocks in Berlin are put forward on 29 March 2026 and back on 25 October.
    let weekly = schedule(vec![layer(&["ann", "bob"], 7, "09:00")]);
    let first = Some("2026-03-23T08:00:00Z");
    check(&weekly, "2026-03-23T07:59:59Z", None, first);
    check(
        &weekly,
        "2026-03-23T08:00:00Z",
        Some("ann"),
        Some("2026-03-30T07:00:00Z"),
    );
    check(
        &weekly,
        "2026-03-30T06:59:59Z",
        Some("ann"),
        Some("2026-03-30T07:00:00Z"),
    );
    check(
        &weekly,
        "2026-10-24T12:00:00Z",
        Some("ann"),
        Some("2026-10-26T08:00:00Z"),
    );
    let daily = schedule(vec![layer(&["ann", "bob", "cem"], 1, "02:30")]);
    // On the 29th there is no 02:30 in Berlin: the handover is as much later.
    check(
        &daily,
        "2026-03-29T01:29:59Z",
        Some("cem"),
        Some("2026-03-29T01:30:00Z"),
    );
    check(
        &daily,
        "2026-03-29T01:30:00Z",
        Some("ann"),
        Some("2026-03-30T00:30:00Z"),
    );
    let third = schedule(vec![layer(&["ann", "bob"], 3, "00:00")]);
    check(
        &third,
        "2026-03-26T00:00:00Z",
        Some("bob"),
        Some("2026-03-28T23:00:00Z"),
    );
    // One person has it for good.
    check(
        &schedule(vec![layer(&["ann"], 7, "09:00")]),
        "2026-04-01T00:00:00Z",
        Some("ann"),
        None,
    );
    check(&schedule(Vec::new()), "2026-04-01T00:00:00Z", None, None);
}

/// Ann always, bob in office hours, cem in the night from Friday to Saturday.
fn layered() -> Schedule {
    let office = Layer {
        only: vec![Window {
            days: vec![Weekday::Monday, Weekday::Tuesday],
            from: "09:00".parse().unwrap(),
            to: "17:00".parse().unwrap(),
        }],
        ..layer(&["bob"], 7, "00:00")
    };
    let night = Layer {
        only: vec![Window {
            days: vec![Weekday::Friday],
            from: "22:00".parse().unwrap(),
            to: "06:00".parse().unwrap(),
        }],
        ..layer(&["cem"], 7, "00:00")
    };
    schedule(vec![layer(&["ann"], 7, "00:00"), office, night])
}

#[test]
fn the_last_layer_that_has_somebody_counts() {
    let both = layered();
    check(
        &both,
        "2026-06-01T06:59:00Z",
        Some("ann"),
        Some("2026-06-01T07:00:00Z"),
    );
    check(
        &both,
        "2026-06-01T07:00:00Z",
        Some("bob"),
        Some("2026-06-01T15:00:00Z"),
    );
    check(
        &both,
        "2026-06-02T15:00:00Z",
        Some("ann"),
        Some("2026-06-05T20:00:00Z"),
    );
    check(
        &both,
        "2026-06-06T03:59:59Z",
        Some("cem"),
        Some("2026-06-06T04:00:00Z"),
    );
}

#[test]
fn overrides_count_more_than_layers() {
    let mut both = layered();
    both.overrides = vec![
        Override {
            person: "dora".to_owned(),
            from_ms: at("2026-06-01T08:00:00Z"),
            to_ms: at("2026-06-01T20:00:00Z"),
        },
        Override {
            person: "ed".to_owned(),
            from_ms: at("2026-06-01T10:00:00Z"),
            to_ms: at("2026-06-01T11:00:00Z"),
        },
    ];
    let shifts = both.shifts(at("2026-06-01T06:00:00Z"), at("2026-06-01T21:00:00Z"));
    let told: Vec<String> = shifts
        .iter()
        .map(|shift| {
            let who = shift.duty.as_ref().map_or("-", |duty| &duty.person);
            let hours = (shift.to_ms - shift.from_ms) / 3_600_000;
            format!("{who} {hours}h")
        })
        .collect();
    assert_eq!(
        told,
        ["ann 1h", "bob 1h", "dora 2h", "ed 1h", "dora 9h", "ann 1h"]
    );
    assert!(
        shifts
            .windows(2)
            .all(|pair| pair[0].to_ms == pair[1].from_ms)
    );
}

#[test]
fn any_time_can_be_asked_for() {
    let one = schedule(vec![layer(&["ann", "bob"], 1, "09:00")]);
    for at_ms in [i64::MIN, -1, 0, i64::MAX] {
        let (who, until) = (one.on_call(at_ms), one.until(at_ms));
        assert!(who.is_none() || until.is_some(), "{at_ms}");
        assert!(one.shifts(at_ms, i64::MAX).len() <= MOST_CHANGES);
    }
}
