//! Regular expressions as Go means them, in the words of the crate that runs them.
//!
//! Both have the same theory; they differ in what is a literal (`a{b}`, `[[]`), and in whether `\d`,
//! `\w`, `\s` and `\b` look beyond ASCII.

/// The same pattern for the crate. What is wrong stays wrong, for the crate to say.
pub fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    // Where in a class: its first character may be a bracket that closes nothing.
    let mut class: Option<Class> = None;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match (c, &class) {
            ('\\', _) => {
                class = class.map(|_| Class::Within);
                escape(after, class.is_some(), &mut out)
            }
            ('[', None) => {
                class = Some(Class::Begins);
                out.push(c);
                after.strip_prefix('^').map_or(after, |after| {
                    out.push('^');
                    after
                })
            }
            ('[', Some(_)) => {
                class = Some(Class::Within);
                named_class(rest, &mut out)
            }
            (']', Some(Class::Begins)) => {
                class = Some(Class::Within);
                out.push_str("\\]");
                after
            }
            (']', Some(Class::Within)) => {
                class = None;
                out.push(c);
                after
            }
            // Doubled, these are set operations to the crate.
            ('&' | '~', Some(_)) => {
                class = Some(Class::Within);
                out.push('\\');
                out.push(c);
                after
            }
            ('{', None) if !is_repetition(rest) => {
                out.push_str("\\{");
                after
            }
            (c, _) => {
                class = class.map(|_| Class::Within);
                out.push(c);
                after
            }
        };
    }
    out
}

/// How far into a class.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Begins,
    Within,
}

/// What stands behind a backslash; gives what follows it.
fn escape<'a>(after: &'a str, in_class: bool, out: &mut String) -> &'a str {
    let Some(kind) = after.chars().next() else {
        out.push('\\');
        return after;
    };
    let rest = &after[kind.len_utf8()..];
    match kind {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str("[\\t\\n\\f\\r ]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        'b' if !in_class => out.push_str("(?-u:\\b)"),
        'Q' if !in_class => {
            let (literal, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(literal));
            return rest;
        }
        _ => {
            out.push('\\');
            out.push(kind);
        }
    }
    rest
}

/// `[:alpha:]`, or a bracket that is a literal; gives what follows.
fn named_class<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let name = rest
        .strip_prefix("[:")
        .and_then(|name| name.split_once(":]"));
    match name {
        Some((name, after)) if name.chars().all(|c| c.is_ascii_lowercase() || c == '^') => {
            out.push_str("[:");
            out.push_str(name);
            out.push_str(":]");
            after
        }
        _ => {
            out.push_str("\\[");
            &rest[1..]
        }
    }
}

/// Whether a brace opens `{2}`, `{2,}` or `{2,3}`; otherwise it is a literal.
fn is_repetition(rest: &str) -> bool {
    let Some((within, _)) = rest[1..].split_once('}') else {
        return false;
    };
    let (least, most) = within.split_once(',').unwrap_or((within, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn patterns_match_as_in_go() {
        let check = |pattern: &str, yes: &[&str], no: &[&str]| {
            let regex = regex::Regex::new(&format!("^(?s:{})$", translate(pattern))).unwrap();
            for text in yes {
                assert!(regex.is_match(text), "{pattern} on {text}");
            }
            for text in no {
                assert!(!regex.is_match(text), "{pattern} on {text}");
            }
        };
        check("a{b}", &["a{b}"], &["a"]);
        check("a{2}", &["aa"], &["a", "a{2}"]);
        check("a{1,}b{,2}", &["aab{,2}"], &["ab"]);
        check("[[]x", &["[x"], &["x"]);
        check("[]a]", &["]", "a"], &["b"]);
        check("[^]a]", &["b"], &["]", "a"]);
        check("[a&&b]", &["a", "&", "b"], &["c"]);
        check("[[:digit:]]+", &["12"], &["a"]);
        check("\\d+", &["1"], &["\u{661}"]);
        check("[\\d.]+", &["1.2"], &["a"]);
        check("[^\\W]+", &["ab_1"], &["-"]);
        check("\\Qa.b\\E.", &["a.bc"], &["axbc"]);
        check("a\\.b", &["a.b"], &["axb"]);
        check("\\bé\\b|x", &["x"], &["é"]);
        check("(?i:AB).*", &["abc"], &["b"]);
    }
}
