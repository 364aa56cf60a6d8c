use super::*;

fn chart(points: &[(i64, f64)]) -> Chart {
    Chart {
        title: "CPU <busy>".to_owned(),
        expr: "cpu".to_owned(),
        bound: Some(Bound {
            value: 90.0,
            side: Side::Above,
        }),
        lines: vec![Line {
            name: "instance=\"db1\"".to_owned(),
            points: points.to_vec(),
        }],
        more: 0,
        spans: vec![Span {
            from_ms: 120_000,
            to_ms: Some(300_000),
        }],
        from_ms: 0,
        to_ms: 600_000,
        step_ms: 60_000,
    }
}

#[test]
fn a_chart_is_drawn() {
    let points: Vec<(i64, f64)> = [50.0, 70.0, 95.0, 99.5, 97.0, 60.0]
        .into_iter()
        .zip(0..)
        .map(|(value, minute)| (minute * 60_000, value))
        .collect();
    let chart = chart(&points);
    assert_eq!(chart.worst(), Some((180_000, 99.5)));
    insta::assert_snapshot!(chart.svg());
}

#[test]
fn gaps_are_left_open_and_single_points_are_dots() {
    let svg = chart(&[
        (0, 1.0),
        (60_000, 2.0),
        (400_000, 3.0),
        (460_000, f64::NAN),
        (590_000, 4.0),
    ]);
    let svg = svg.svg();
    assert_eq!(svg.matches("fill=\"none\"").count(), 1);
    assert_eq!(svg.matches("r=\"1.6\"").count(), 2);
    let line = svg
        .lines()
        .find(|line| line.contains("fill=\"none\""))
        .unwrap();
    assert_eq!(line.matches('M').count(), 1, "{line}");
}

#[test]
fn any_numbers_and_times_are_drawn() {
    let odd = [
        vec![],
        vec![(0, f64::NAN)],
        vec![(0, f64::INFINITY), (60_000, f64::NEG_INFINITY)],
        vec![(0, f64::MAX), (60_000, f64::MIN)],
        vec![(0, f64::MIN_POSITIVE), (60_000, 0.0)],
        vec![(0, 5.0), (60_000, 5.0)],
        vec![(i64::MIN / 4, 1.0), (i64::MAX / 4, 2.0)],
    ];
    for points in odd {
        for value in [90.0, 0.0, -1e308, f64::NAN] {
            let mut one = chart(&points);
            one.bound = Some(Bound {
                value,
                side: Side::Below,
            });
            one.to_ms = one.from_ms;
            let svg = one.svg();
            assert!(!svg.contains("NaN\"") && !svg.contains("inf\""), "{svg}");
            assert!(svg.lines().all(|line| !line.trim().is_empty()));
        }
    }
}

#[test]
fn hostile_names_stay_text() {
    let mut one = chart(&[(0, 1.0)]);
    one.title = "</text><script>alert(1)</script>\n\n\u{202e}".to_owned();
    one.lines[0].name = "\"/><image href=\"http://x\"/>".repeat(50);
    one.more = 3;
    let svg = one.svg();
    assert!(!svg.contains("<script") && !svg.contains("<image"), "{svg}");
    assert!(svg.contains("and 3 more"));
    assert!(svg.lines().all(|line| !line.trim().is_empty()), "{svg}");
}

#[test]
fn axes_are_marked_at_round_places() {
    let check = |values: &[f64], expected: &[&str]| {
        let frame = (0.0, 1.0, 0.0, 1.0);
        let scale = Scale::new((0, 1), values.iter().copied(), frame);
        let ticks: Vec<String> = scale
            .value_ticks()
            .into_iter()
            .map(scale::compact)
            .collect();
        assert_eq!(ticks, expected, "{values:?}");
    };
    check(&[0.0, 100.0], &["0", "20", "40", "60", "80", "100"]);
    check(&[0.0, 1.0], &["0", "0.2", "0.4", "0.6", "0.8", "1"]);
    check(&[4e9, 6e9], &["4G", "4.5G", "5G", "5.5G", "6G"]);
    check(&[-5.0, 5.0], &["-6", "-4", "-2", "0", "2", "4"]);
    let check = |from_s: i64, to_s: i64, first: &str, count: usize| {
        let found = ticks(from_s * 1_000, to_s * 1_000);
        assert_eq!((found[0].1.as_str(), found.len()), (first, count));
    };
    check(0, 60, "00:00:00", 7);
    check(30, 3_600, "00:10", 6);
    check(0, 86_400 * 30, "01-01", 8);
    assert!(ticks(0, i64::MAX).len() <= 9);
}
