use super::*;

fn reading(text: &str) -> Exposition {
    Exposition::parse(text).unwrap()
}

#[test]
fn the_text_format() {
    let text = "# HELP a Help \"text\" {x}\n# TYPE a counter\na 1\na{x=\"\"} 2\n\
        # TYPE h histogram\nh_bucket{le=\"+Inf\"} 3 1700000000000\nh_sum NaN\n\
        b{path=\"C:\\\\dir \\\"q\\\" \\n{}, \",y=\"2\",} -1.5e+09\n";
    let parsed = reading(text);
    let mut lines = Vec::new();
    for (key, value) in parsed.series() {
        lines.push(format!("{key} {value} {:?}", parsed.kind(&key.name)));
    }
    assert_eq!(
        lines,
        [
            "a 2 Some(Counter)",
            "b{path=\"C:\\\\dir \\\"q\\\" \\n{}, \",y=\"2\"} -1500000000 None",
            "h_bucket{le=\"+Inf\"} 3 Some(Histogram)",
            "h_sum NaN Some(Histogram)",
        ]
    );
    for broken in ["a", "a{", "a{x=\"1} 2", "a{x} 2", "a two", "# TYPE a thing"] {
        assert!(Exposition::parse(broken).is_err(), "{broken}");
    }
}

/// Compares readings of the exporter, before and after, with one of ours.
fn check(before: &str, ours: &str, after: &str, table: &str, problems: &[&str]) {
    let table = match table {
        "" => Table::default(),
        text => Table::parse(text).unwrap(),
    };
    let (before, ours, after) = (reading(before), reading(ours), reading(after));
    let readings = Readings {
        before: &before,
        ours: &ours,
        after: &after,
    };
    let report = compare(readings, &table, Tolerance::default());
    assert_eq!(report.problems, problems, "{report}");
}

#[test]
fn values_lie_between_the_readings() {
    check("a 1", "a 2", "a 3", "", &[]);
    check("a 3", "a 2", "a 1", "", &[]);
    check("a NaN", "a NaN", "a NaN", "", &[]);
    let problem = "a: the agent says 4, should lie in 1..=3";
    check("a 1", "a 4", "a 3", "", &[problem]);
    let table = "[[difference]]\nseries = 'a'\nreason = 'it moves'\n\
        tolerance = { relative = 0.1, absolute = 1 }";
    check("a 10", "a 12", "a 10", table, &[]);
    check("a 10", "a 8", "a 10", table, &[]);
    let problem = "a: the agent says 12.5, should lie in 8..=12";
    check("a 10", "a 12.5", "a 10", table, &[problem]);
}

#[test]
fn names_labels_and_kinds_are_the_same() {
    check("a 1", "b 1", "a 1", "", &["a: the agent does not give it"]);
    check("a{x=\"\"} 1", "a 1\nb 1", "a 1", "", &[]);
    let missing = "a{x=\"1\"}: the agent does not give it";
    check("a{x=\"1\"} 1", "a 1", "a{x=\"1\"} 1", "", &[missing]);
    check("gone 1", "b 1", "come 1", "", &[]);
    let counter = "# TYPE a counter\na 1";
    let kind = "a: the agent says Some(Gauge), should say Some(Counter)";
    check(counter, "# TYPE a gauge\na 1", counter, "", &[kind]);
}

#[test]
fn meant_differences() {
    let table = "
        [[difference]]
        series = 'gone_.*'
        labels = { mode = 'x|' }
        absent = true
        reason = 'nobody reads it'

        [[difference]]
        series = 'old_(.*)'
        renamed = 'new_$1'
        without = ['server']
        with = ['version']
        kind = 'gauge'
        reason = 'the name of later versions'
    ";
    let theirs = "# TYPE old_a counter\nold_a{server=\"s\",x=\"1\"} 1";
    let ours = "# TYPE new_a gauge\nnew_a{version=\"9\",x=\"1\"} 1";
    check(theirs, ours, theirs, table, &[]);
    check(
        "gone_a{mode=\"x\"} 1\ngone_b 2",
        "",
        "gone_a{mode=\"x\"} 1\ngone_b 2",
        table,
        &[],
    );
    let missing = "gone_a{mode=\"y\"}: the agent does not give it";
    check(
        "gone_a{mode=\"y\"} 1",
        "",
        "gone_a{mode=\"y\"} 1",
        table,
        &[missing],
    );
}

#[test]
fn a_table_says_what_and_why() {
    for broken in [
        "[[difference]]\nseries = 'a'\nabsent = true",
        "[[difference]]\nseries = 'a'\nabsent = true\nreason = ' '",
        "[[difference]]\nseries = 'a'\nreason = 'why'",
        "[[difference]]\nseries = '('\nabsent = true\nreason = 'why'",
        "[[difference]]\nseries = 'a'\nkind = 'thing'\nreason = 'why'",
        "[[difference]]\nseries = 'a'\nabsent = true\nreason = 'why'\nmore = 1",
    ] {
        assert!(Table::parse(broken).is_err(), "{broken}");
    }
}
