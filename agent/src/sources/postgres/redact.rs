//! Takes literals out of the text of a statement.
//!
//! `pg_stat_statements` itself replaces constants in queries, but not in utility statements:
//! `ALTER ROLE app PASSWORD '...'` is kept as it was typed. The text may have been cut anywhere, so
//! a literal without its end reaches to the end of the text.

/// The statement with `?` for each string and each number, in one line.
pub(crate) fn statement(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let taken = match character {
            '\'' => {
                let escapes = ends_with_escape_prefix(&out);
                out.push('?');
                string_length(rest, escapes)
            }
            '$' => match dollar_quoted_length(rest) {
                Some(length) => {
                    out.push('?');
                    length
                }
                None => copy(&mut out, rest, 1),
            },
            // Quoted names may hold anything, also a quote of the other kind.
            '"' => copy(&mut out, rest, quoted_name_length(rest)),
            '-' if rest.starts_with("--") => {
                push_space(&mut out);
                rest.find('\n').unwrap_or(rest.len())
            }
            '/' if rest.starts_with("/*") => {
                push_space(&mut out);
                rest.find("*/").map_or(rest.len(), |at| at + 2)
            }
            digit if digit.is_ascii_digit() && !continues_word(&out) => {
                out.push('?');
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_')
                    .unwrap_or(rest.len())
            }
            space if space.is_whitespace() => {
                push_space(&mut out);
                space.len_utf8()
            }
            other => copy(&mut out, rest, other.len_utf8()),
        };
        rest = &rest[taken..];
    }
    out.truncate(out.trim_end().len());
    out
}

fn copy(out: &mut String, rest: &str, length: usize) -> usize {
    out.push_str(&rest[..length]);
    length
}

fn push_space(out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

/// Whether a digit here belongs to a name (`t1`) or a parameter (`$1`).
fn continues_word(out: &str) -> bool {
    out.chars()
        .next_back()
        .is_some_and(|last| last.is_alphanumeric() || last == '_' || last == '$')
}

/// `E'...'` gives backslashes a meaning.
fn ends_with_escape_prefix(out: &str) -> bool {
    let mut last = out.chars().rev();
    matches!(last.next(), Some('e' | 'E'))
        && !last
            .next()
            .is_some_and(|before| before.is_alphanumeric() || before == '_')
}

/// Length of a string with its quotes; `''` within is a quote. Without the prefix a backslash is a
/// character like any other, as `standard_conforming_strings` has had it since 9.1.
fn string_length(rest: &str, escapes: bool) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 1,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 1,
            b'\'' => return at + 1,
            _ => {}
        }
        at += 1;
    }
    rest.len()
}

fn quoted_name_length(rest: &str) -> usize {
    rest[1..].find('"').map_or(rest.len(), |at| at + 2)
}

/// Length of `$tag$ ... $tag$`, if that is what begins here.
fn dollar_quoted_length(rest: &str) -> Option<usize> {
    let tag_end = rest[1..].find('$')? + 2;
    let tag = &rest[..tag_end];
    let name = &tag[1..tag_end - 1];
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !plain || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(
        rest[tag_end..]
            .find(tag)
            .map_or(rest.len(), |at| tag_end + at + tag_end),
    )
}

#[cfg(test)]
mod tests {
    use super::statement;

    #[test]
    fn literals_go_and_the_rest_stays() {
        for (text, expected) in [
            ("SELECT 1", "SELECT ?"),
            (
                "SELECT $1 FROM t1 WHERE a2 = $2",
                "SELECT $1 FROM t1 WHERE a2 = $2",
            ),
            (
                "ALTER ROLE app PASSWORD 'hunter2'",
                "ALTER ROLE app PASSWORD ?",
            ),
            (
                "ALTER ROLE app PASSWORD 'hun''ter2' LOGIN",
                "ALTER ROLE app PASSWORD ? LOGIN",
            ),
            (r"SELECT E'hun\'ter2', 'x\', 1", "SELECT E?, ?, ?"),
            (
                "SELECT $$hunter2$$, $x$hunt$$er2$x$ FROM t",
                "SELECT ?, ? FROM t",
            ),
            (
                "ALTER ROLE app PASSWORD 'hunter2 and then cut",
                "ALTER ROLE app PASSWORD ?",
            ),
            ("SELECT $x$hunter2 and then cut", "SELECT ?"),
            (
                "SELECT \"it's\" FROM \"a'b\"",
                "SELECT \"it's\" FROM \"a'b\"",
            ),
            (
                "SELECT a -- hunter2\n FROM t /* hunter2 */ WHERE b = 0x1F",
                "SELECT a FROM t WHERE b = ?",
            ),
            ("SELECT 1.5e10, -3", "SELECT ?, -?"),
            ("  SELECT\n\ta\r\n", "SELECT a"),
            ("SELECT 'ä', ü FROM straße5", "SELECT ?, ü FROM straße5"),
            ("", ""),
            ("'", "?"),
            ("\"", "\""),
            ("$", "$"),
            ("/*", ""),
            ("--", ""),
        ] {
            assert_eq!(statement(text), expected, "{text}");
        }
    }
}
