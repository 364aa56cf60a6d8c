//! Which series a rule reads, by their names: what an earlier rule of its group gave must be in the
//! store before it is evaluated, and only then.

use std::collections::BTreeSet;

use query::promql::{Expr, MatchOp, Query};
use rules::file::{Rule, Text};
use store::labels::METRIC_NAME;

/// What a rule reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// It may be any series.
    Anything,
    /// Only series of these names.
    Names(BTreeSet<String>),
}

impl Reads {
    pub(super) fn of(rule: &Rule) -> Self {
        let mut queries: Vec<&Query> = vec![rule.expr()];
        if let Rule::Alert(alert) = rule {
            queries.extend(alert.on_missing.presence());
            queries.extend(&alert.clear);
            let mut texts = alert.labels.iter().chain(&alert.annotations);
            // What a template asks for is known only once it is written.
            let asks = |text: &Text| text.template().is_some() && text.source().contains("query");
            if texts.any(|(_, text)| asks(text)) {
                return Self::Anything;
            }
        }
        let mut names = BTreeSet::new();
        for query in queries {
            for name in selected(query.expr()) {
                match name {
                    Some(name) => names.insert(name),
                    None => return Self::Anything,
                };
            }
        }
        Self::Names(names)
    }

    /// Whether it may read a series of this name.
    pub(super) fn reads(&self, name: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Names(names) => names.contains(name),
        }
    }
}

/// The names that the selectors of an expression ask for; nothing for one that names none.
fn selected(expr: &Expr) -> Vec<Option<String>> {
    let mut found = Vec::new();
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        open.extend(expr.children());
        let selector = match expr {
            Expr::Selector(selector) => &**selector,
            Expr::Matrix(matrix) => &matrix.selector,
            _ => continue,
        };
        let mut matches = selector.matches.iter();
        let name = matches.find(|one| one.name == METRIC_NAME && one.op == MatchOp::Equal);
        found.push(name.map(|one| one.value.clone()));
    }
    found
}

#[cfg(test)]
mod tests {
    use rules::file::RuleFile;

    use super::*;

    #[test]
    fn names_are_found_in_all_of_a_rule() {
        let check = |rule: &str, expected: Option<&[&str]>| {
            let text = format!("groups:\n- name: g\n  rules:\n  - {rule}\n");
            let file = RuleFile::parse(text.as_bytes()).unwrap();
            let expected = match expected {
                None => Reads::Anything,
                Some(names) => Reads::Names(names.iter().map(|name| (*name).to_owned()).collect()),
            };
            assert_eq!(Reads::of(&file.groups[0].rules[0]), expected, "{rule}");
        };
        check("{record: r, expr: 'a + rate(b[5m])'}", Some(&["a", "b"]));
        check("{record: r, expr: 'sum({job=\"x\"})'}", None);
        check("{record: r, expr: '{__name__=~\"a.*\"}'}", None);
        check("{alert: A, expr: a > 1, clear: b < 1}", Some(&["a", "b"]));
        check(
            "{alert: A, expr: a > 1, annotations: {x: '{{ query \"b\" }}'}}",
            None,
        );
        check("{record: r, expr: '1'}", Some(&[]));
    }
}
