//! Series selectors: `up{job="node"}`, as `match[]` parameters give them.

use store::labels::METRIC_NAME;
use store::matcher::Matcher;
use store::read::Selector;

use crate::promql;

/// The text is not a series selector.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(String);

/// Reads a selector; its name comes first.
pub fn parse(text: &str) -> Result<Selector, SelectorError> {
    let selector =
        promql::parse_selector(text).map_err(|wrong| SelectorError(wrong.describe(text)))?;
    let mut matchers: Vec<Matcher> = selector
        .matches
        .into_iter()
        .map(|known| known.matcher)
        .collect();
    matchers.sort_by_key(|matcher| matcher.label() != METRIC_NAME);
    Ok(matchers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match parse(text) {
            Ok(matchers) => {
                let matchers: Vec<_> = matchers.iter().map(ToString::to_string).collect();
                matchers.join(" ")
            }
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn selectors_are_read() {
        let check = |text: &str, expected: &str| assert_eq!(shown(text), expected, "{text}");
        check("up", r#"__name__="up""#);
        check(
            r#"up{job="a",zone!="b"}"#,
            r#"__name__="up" job="a" zone!="b""#,
        );
        check(r#"{__name__=~"pg_.*"}"#, r#"__name__=~"pg_.*""#);
        check(r#"{job!~"a",x="y"}"#, r#"job!~"a" x="y""#);
        check(r#"{job=~"a{b}"}"#, r#"job=~"a\\{b}""#);
        check(
            r#"{"my.metric",job="a"}"#,
            r#"__name__="my.metric" job="a""#,
        );
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in [
            "",
            "{",
            "up{job}",
            "{}",
            r#"{job=~".*"}"#,
            r#"{job=~"("}"#,
            "rate(up[5m])",
            "up[5m]",
            "up offset 5m",
            "up @ 5",
            "1",
            r#"up{a="b" or c="d"}"#,
            "up + up",
            "-up",
        ] {
            let shown = shown(text);
            assert!(shown.starts_with("error: "), "{text}: {shown}");
        }
    }

    #[test]
    fn the_dot_matches_line_ends() {
        let matchers = parse(r#"{query=~"select.*"}"#).unwrap();
        assert!(matchers[0].accepts("select\n1"));
    }
}
