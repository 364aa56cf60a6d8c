use std::time::Duration;

use super::*;

const PAINT: Paint = Paint {
    width: 48,
    height: 5,
    colour: false,
};

fn span(seconds: i64) -> Span {
    Span::Range {
        from_ms: 0,
        to_ms: seconds * 1_000,
        step: Duration::from_secs(60),
    }
}

fn series(name: &str, values: &[(i64, f64)]) -> Series {
    let values = values
        .iter()
        .map(|(step, value)| (*step as f64 * 60.0, value.to_string()));
    Series {
        metric: [("__name__".to_owned(), name.to_owned())].into(),
        values: values.collect(),
    }
}

fn lines(series: Vec<Series>, paint: Paint) -> Vec<String> {
    let text = draw(&ResultData::Matrix(series), span(600), paint);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn one_series_is_a_line_between_axes() {
    let rising: Vec<(i64, f64)> = (0..=10).map(|step| (step, step as f64 * 100.0)).collect();
    let drawn = lines(vec![series("m", &rising)], PAINT);
    let expected = [
        "1k ┤                                    ⢀⣀⡠⠤⠔⠒⠊⠉",
        "   │                           ⢀⣀⡠⠤⠤⠒⠒⠉⠉⠁",
        "   │                ⢀⣀⣀⣀⠤⠤⠤⠔⠒⠊⠉⠁",
        "   │        ⣀⣀⠤⠤⠒⠒⠊⠉⠁",
        " 0 ┤⣀⡠⠤⠔⠒⠒⠉⠉",
        "   └────────────────────────────────────────────",
        "    00:00:00    00:03:20    00:06:40    00:10:00",
        "── m  1000",
    ];
    assert_eq!(drawn, expected);
}

#[test]
fn several_series_are_letters_or_colours() {
    let both = || {
        vec![
            series("low", &[(0, 1.0), (5, 1.0), (10, 1.0)]),
            series("high", &[(0, 2.0), (1, 2.0)]),
        ]
    };
    let plain = lines(both(), PAINT);
    assert_eq!(plain[0], "2 ┤bbbbb");
    assert_eq!(plain[4], "1 ┤a                     a                     a");
    assert_eq!(plain[7..], ["a low  1", "b high  2"]);
    let colour = Paint {
        colour: true,
        ..PAINT
    };
    let painted = lines(both(), colour);
    assert_eq!(painted[0], "2 ┤\x1b[33m⠉⠉⠉⠉⠉\x1b[0m");
    assert_eq!(painted[7], "\x1b[36m──\x1b[0m low  1");
}

#[test]
fn hostile_values_are_left_out() {
    let odd = [
        (0, f64::NAN),
        (1, f64::INFINITY),
        (2, f64::MAX),
        (3, f64::MIN),
        (4, 1.0),
    ];
    let drawn = lines(vec![series("m", &odd)], PAINT);
    assert!(drawn[0].starts_with(" 1.80e308 ┤"), "{}", drawn[0]);
    assert!(drawn[4].starts_with("-1.80e308 ┤"), "{}", drawn[4]);
    let nothing = draw(
        &ResultData::Matrix(vec![series("m", &[(0, f64::NAN)])]),
        span(600),
        PAINT,
    );
    assert_eq!(nothing, "no values to draw\n");
    let one = lines(vec![series("m", &[(3, 5.0)])], PAINT);
    assert!(one[2].starts_with("5 ┤"), "{one:?}");
    let narrow = Paint {
        width: 0,
        height: 8,
        colour: true,
    };
    assert_eq!(lines(vec![series("m", &odd)], narrow).len(), 11);
}

#[test]
fn more_series_than_can_be_told_apart_are_counted() {
    let many = (0..15).map(|number| series(&format!("m{number}"), &[(0, 1.0)]));
    let drawn = lines(many.collect(), PAINT);
    assert_eq!(drawn.last().unwrap(), "and 3 more, not drawn");
}

#[test]
fn values_are_short() {
    let check = |value: f64, expected: &str| assert_eq!(short(value), expected);
    check(0.0, "0");
    check(0.25, "0.25");
    check(-1.5, "-1.5");
    check(1234.0, "1.234k");
    check(56_789_000.0, "56.79M");
    check(0.000_012_3, "1.23e-5");
    check(2e30, "2.00e30");
}
