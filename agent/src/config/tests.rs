use super::*;

fn problems_of(text: &str) -> String {
    match toml::from_str::<RawConfig>(text) {
        Ok(raw) => match raw.validate() {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        },
        Err(error) => without_values(&error),
    }
}

#[test]
fn an_empty_file_is_a_configuration() {
    assert_eq!(problems_of(""), "");
}

#[test]
fn every_problem_is_named_at_once() {
    let text = r#"
        expose.listen = "9187"
        [labels]
        "not-a-name" = "x"
        job = "mine"
    "#;
    let problems = problems_of(text);
    for key in ["expose.listen", "\"not-a-name\"", "\"job\""] {
        assert!(problems.contains(key), "{key} in {problems}");
    }
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    assert!(problems_of("colector = 1").contains("colector"));
}

#[test]
fn a_parse_error_shows_no_value() {
    let problems = problems_of("[collector]\nendpoints = \"s3cr3t");
    assert!(
        !problems.is_empty() && !problems.contains("s3cr3t"),
        "{problems}"
    );
}

#[test]
fn the_shipped_file_is_valid() {
    let shipped = include_str!("../../nightshift-agent.toml");
    assert_eq!(problems_of(shipped), "");
    assert_eq!(shipped.matches("\n#[[").count(), 6);
}
