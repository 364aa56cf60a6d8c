//! What actions write within HTML.
//!
//! Go's `html/template` follows where in the HTML an action stands. Here each action's text is escaped so
//! that it is safe as text and within a quoted attribute, and an address within `href` or `src` must be
//! one that browsers only open. Templates of scripts and style sheets are not for what comes from outside.

use super::builtin;
use super::tree::{Pipe, Term};
use super::value::{self, Value};

/// Schemes of addresses that do no more than open something.
const SCHEMES: [&str; 4] = ["http", "https", "mailto", "tel"];

/// What stands in place of an address that might do more.
const NO_ADDRESS: &str = "#";

/// The text of an action as it is written after `before`.
pub(super) fn within(before: &str, pipe: &Pipe, (value, text): (&Value, String)) -> String {
    if value::is_html(value) || escapes_itself(pipe) {
        return text;
    }
    if is_address(before) && !is_harmless(&text) {
        return NO_ADDRESS.to_owned();
    }
    builtin::html(&text)
}

/// Whether the last command of a pipeline has escaped its result already.
fn escapes_itself(pipe: &Pipe) -> bool {
    let last = pipe.commands.last();
    let function = last.and_then(|command| command.operands.first());
    function.is_some_and(|operand| matches!(&operand.term, Term::Function(name) if name == "html"))
}

/// Whether what follows is the beginning of an address in an attribute.
fn is_address(before: &str) -> bool {
    let Some(attribute) = before.strip_suffix(['"', '\'']) else {
        return false;
    };
    ["href=", "src=", "action="].iter().any(|name| {
        let start = attribute.len().saturating_sub(name.len());
        let end = attribute.get(start..);
        end.is_some_and(|end| end.eq_ignore_ascii_case(name))
    })
}

fn is_harmless(address: &str) -> bool {
    let scheme = address.split(['/', '?', '#']).next().unwrap_or_default();
    match scheme.split_once(':') {
        Some((scheme, _)) => SCHEMES
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known)),
        None => true,
    }
}
