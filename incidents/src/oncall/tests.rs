use super::*;

const FILE: &str = r#"
people:
  - name: ann
    receivers: [ann-phone, ann-mail]
  - name: bob
    receivers: [bob-phone, ann-mail]
schedules:
  - name: dba
    time_zone: Europe/Berlin
    layers:
      - name: weeks
        rotation: weekly
        start: 2026-01-05
        handover: "09:00"
        people: [ann, bob]
        only:
          - {days: [monday, friday], from: "09:00", to: "17:00"}
    overrides:
      - {person: bob, from: 2026-12-24T09:00, to: 2026-12-27T09:00:00+01:00}
policies:
  - name: night
    severities: [high]
    steps:
      - {after: 0s, notify: [{schedule: dba}]}
      - {after: 15m, notify: [{person: bob}, {receiver: team-mail}]}
    repeat: {after: 30m, times: 2}
  - name: rest
    steps:
      - notify: [{receiver: team-mail}]
"#;

#[test]
fn a_file_is_read() {
    let receivers = ["ann-phone", "ann-mail", "bob-phone", "team-mail"];
    let receivers = receivers.map(str::to_owned).into();
    let on_call = OnCall::parse(FILE.as_bytes(), Some(&receivers)).unwrap();
    let dba = on_call.schedule("dba").unwrap();
    let layer = &dba.layers[0];
    assert_eq!((layer.days, layer.people.len()), (7, 2));
    let over = &dba.overrides[0];
    assert_eq!(over.to_ms - over.from_ms, 3 * 86_400_000);
    let night = on_call.policy(Severity::High).unwrap();
    assert_eq!(
        (night.name.as_str(), night.steps[1].after),
        ("night", Duration::from_secs(900))
    );
    assert_eq!(
        night.repeat,
        Some(Repeat {
            after: Duration::from_secs(1_800),
            times: 2
        })
    );
    assert_eq!(on_call.policy(Severity::Low).unwrap().name, "rest");
    // Christmas of 2026, when bob stands in.
    let reached = on_call.reached(&night.steps[0].targets, 1_798_200_000_000);
    assert_eq!(reached.people, ["bob"]);
    let reached = on_call.reached(&night.steps[1].targets, 0);
    assert_eq!(reached.people, ["bob"]);
    assert_eq!(reached.receivers, ["bob-phone", "ann-mail", "team-mail"]);
    // Nobody is on call on a Sunday.
    let nobody = on_call.reached(&night.steps[0].targets, 1_797_760_800_000);
    assert_eq!(nobody, Reached::default());
}

#[test]
fn an_empty_file_reaches_nobody() {
    let on_call = OnCall::parse(b"", None).unwrap();
    assert!(on_call.people.is_empty() && on_call.policy(Severity::High).is_none());
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = r#"
people:
  - name: ann
    receivers: [ann-phon]
  - name: ann
    receivers: [ann-phone]
  - receivers: []
schedules:
  - name: dba
    time_zone: Europe/Bärlin
    layers:
      - rotation: monthly
        start: 2026-02-30
        handover: 9
        people: [ann, zed]
        only: [{days: [mo], from: "25:00", hours: 3}]
      - people: []
    overrides:
      - {person: zed, from: 2026-01-02T00:00Z, to: 2026-01-01T00:00Z}
      - {person: ann, from: tomorrow}
  - name: empty
policies:
  - name: p
    severities: [urgent]
    steps:
      - {after: 10m, notify: [{schedule: none}, {person: ann, receiver: ann-phone}]}
      - {after: 5m, notify: []}
    repeat: {after: 1s, times: 0}
  - {name: p, steps: []}
colour: red
"#;
    let receivers = BTreeSet::from(["ann-phone".to_owned()]);
    let problems = OnCall::parse(text.as_bytes(), Some(&receivers)).unwrap_err();
    let told: Vec<String> = problems
        .iter()
        .map(|problem| problem.in_file("oncall.yml"))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_is_no_file_is_refused() {
    let check = |bytes: &[u8], part: &str| {
        let problems = OnCall::parse(bytes, None).unwrap_err();
        let told = problems[0].to_string();
        assert!(told.contains(part), "{told}");
    };
    check(b"people: [", "not YAML");
    check(b"\xff", "not UTF-8 at byte 0");
    check(&vec![b' '; MAX_BYTES + 1], "more than");
    check(b"- a", "expected a map, got a list");
    check(b"people: 5", "expected a list, got a single value");
    check(b"people: [5]", "the person has no name");
    check(b"---\na: 1\n---\n", "a second document follows");
}
