//! Whether a text of SQL is one statement.
//!
//! Several would escape the read-only transaction: `COMMIT; DROP TABLE ...`. The text is only
//! taken apart as far as to tell a `;` that ends a statement from one inside quotes or a comment.

/// Whether nothing but space and comments follows the first statement's end.
pub(super) fn is_single(sql: &str) -> bool {
    let mut rest = sql;
    let mut has_ended = false;
    let mut before = ' ';
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment(rest),
            letter if letter.is_whitespace() => letter.len_utf8(),
            ';' => {
                has_ended = true;
                1
            }
            _ if has_ended => return false,
            '\'' => quoted(rest, '\'', matches!(before, 'e' | 'E')),
            '"' => quoted(rest, '"', false),
            // `a$1$b` is a name; a dollar quote begins behind anything else.
            '$' if !is_name(before) => dollar_quoted(rest),
            letter => letter.len_utf8(),
        };
        before = letter;
        rest = &rest[length..];
    }
    true
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}

/// How long the comment is that `text` begins with; comments nest.
fn comment(text: &str) -> usize {
    let mut depth = 0_u32;
    let mut place = 0;
    while place < text.len() {
        let rest = &text.as_bytes()[place..];
        if rest.starts_with(b"/*") {
            depth += 1;
            place += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            place += 2;
            if depth == 0 {
                return place;
            }
        } else {
            place += 1;
        }
    }
    text.len()
}

/// How long the quoted text is that `text` begins with. A doubled quote ends it and begins the
/// next, which comes to the same.
fn quoted(text: &str, quote: char, has_escapes: bool) -> usize {
    let mut is_escaped = false;
    for (place, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if has_escapes => is_escaped = true,
            letter if letter == quote => return place + 1,
            _ => {}
        }
    }
    text.len()
}

/// How long `$tag$...$tag$` is, or 1 where it is none.
fn dollar_quoted(text: &str) -> usize {
    let Some(end) = text[1..].find('$') else {
        return 1;
    };
    let tag = &text[..end + 2];
    let name = &tag[1..tag.len() - 1];
    let is_tag = name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if !is_tag {
        return 1;
    }
    match text[tag.len()..].find(tag) {
        Some(close) => tag.len() + close + tag.len(),
        None => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn statements() {
        for (sql, expected) in [
            ("SELECT 1", true),
            ("SELECT 1;", true),
            ("SELECT 1; -- done\n /* really; /* yes; */ */ ;", true),
            ("SELECT ';', \"a;b\", 'it''s;', $$;$$, $x$ $$; $x$", true),
            ("SELECT E'\\';', e'\\\\'", true),
            ("-- first;\nSELECT 1", true),
            ("SELECT a$1$b FROM t", true),
            ("SELECT 1 -- ;\n", true),
            ("", true),
            ("COMMIT; DROP TABLE t", false),
            ("SELECT 1; SELECT 2", false),
            ("SELECT '\\'; SELECT 2", false),
            ("SELECT E'\\\\'; SELECT 2", false),
            ("SELECT 'a' /* ' */; SELECT 2", false),
            ("SELECT $$a$$; SELECT 2", false),
            ("SELECT $1; SELECT $2", false),
            ("SELECT 1;;SELECT 2", false),
            ("SELECT a$x$; SELECT 2", false),
        ] {
            assert_eq!(is_single(sql), expected, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn odd_texts_do_not_panic(sql in "(['\";$/*\\\\eE\n-]|\\PC){0,40}") {
            is_single(&sql);
        }
    }
}
