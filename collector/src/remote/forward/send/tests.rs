use super::*;

#[test]
fn answers_are_judged() {
    let check = |version, status, headers: &[(&'static str, &'static str)], expected| {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: Vec::new(),
        };
        assert_eq!(
            judge(version, 10, &answer),
            expected,
            "{version:?} {status}"
        );
    };
    use Verdict::{Again, Refused, SpeakV1, Taken};
    let soon = Again(Some(Duration::from_secs(7)));
    check(Version::V1, 200, &[], Taken);
    check(Version::V1, 204, &[], Taken);
    check(Version::V2, 204, &[(SAMPLES_WRITTEN, "10")], Taken);
    check(Version::V2, 204, &[], SpeakV1);
    check(Version::V2, 415, &[], SpeakV1);
    check(Version::V1, 415, &[], Refused(0));
    check(Version::V1, 400, &[], Refused(0));
    check(Version::V2, 400, &[(SAMPLES_WRITTEN, "4")], Refused(4));
    check(Version::V2, 400, &[(SAMPLES_WRITTEN, "400")], Refused(10));
    check(Version::V2, 400, &[(SAMPLES_WRITTEN, "-4")], Refused(0));
    check(Version::V1, 429, &[], Again(None));
    check(Version::V1, 429, &[("retry-after", "7")], soon);
    check(Version::V2, 503, &[("retry-after", "soon")], Again(None));
    check(Version::V1, 500, &[], Again(None));
    check(Version::V1, 302, &[], Again(None));
}

#[test]
fn pauses_differ_within_bounds() {
    let pauses: Vec<_> = (0..100).map(|_| jittered(FIRST_PAUSE)).collect();
    assert!(
        pauses
            .iter()
            .all(|pause| (FIRST_PAUSE / 2..=FIRST_PAUSE).contains(pause))
    );
    assert!(pauses.iter().any(|pause| *pause != pauses[0]));
}
