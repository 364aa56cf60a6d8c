//! What can be known of a pattern without running it: most that people write are a few words, the
//! beginning of a word, or anything.

/// What a pattern, matched against a whole value, comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `.*`
    Anything,
    /// `.+`
    Something,
    /// One of these, sorted: `a|b`, also in one pair of brackets.
    Words(Vec<String>),
    /// All that begins with this: `pg_.*`.
    Beginning(String),
    /// All that it accepts begins with this, which may be empty; only the pattern itself knows more.
    Other(String),
}

pub(super) fn shape_of(pattern: &str) -> Shape {
    match pattern {
        ".*" => return Shape::Anything,
        ".+" => return Shape::Something,
        _ => {}
    }
    let (inner, is_bracketed) = unbracketed(pattern);
    if let Some(words) = words(inner) {
        return Shape::Words(words);
    }
    if is_bracketed || pattern.contains('|') {
        return Shape::Other(String::new());
    }
    match prefix(pattern) {
        (prefix, ".*") => Shape::Beginning(prefix),
        (prefix, _) => Shape::Other(prefix),
    }
}

fn unbracketed(pattern: &str) -> (&str, bool) {
    let inner = pattern
        .strip_prefix("(?:")
        .or_else(|| pattern.strip_prefix('('));
    match inner.and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => (inner, true),
        None => (pattern, false),
    }
}

/// The alternatives, where each stands for itself alone.
fn words(pattern: &str) -> Option<Vec<String>> {
    let mut words = vec![String::new()];
    let mut rest = pattern;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('|') {
            words.push(String::new());
            rest = after;
            continue;
        }
        let (letter, after) = literal(rest)?;
        words.last_mut()?.push(letter);
        rest = after;
    }
    words.sort_unstable();
    words.dedup();
    Some(words)
}

/// The letters before anything that is more than a letter, and what comes then.
fn prefix(pattern: &str) -> (String, &str) {
    let mut prefix = String::new();
    let mut rest = pattern;
    while let Some((letter, after)) = literal(rest) {
        // What may be repeated may be absent too, be it only as `a+*`.
        if after.starts_with(['*', '?', '{', '+']) {
            break;
        }
        prefix.push(letter);
        rest = after;
    }
    (prefix, rest)
}

/// The first letter, if it stands for itself.
fn literal(pattern: &str) -> Option<(char, &str)> {
    let mut letters = pattern.chars();
    match letters.next()? {
        '\\' => {
            let escaped = letters.next()?;
            let stands_for_itself = escaped.is_ascii_punctuation() && !"<>".contains(escaped);
            stands_for_itself.then_some((escaped, letters.as_str()))
        }
        letter if "^$.|?*+()[]{}".contains(letter) => None,
        letter => Some((letter, letters.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_come_to_what_they_accept() {
        let words = |words: &[&str]| Shape::Words(words.iter().map(|&word| word.into()).collect());
        let other = |text: &str| Shape::Other(text.into());
        let beginning = |text: &str| Shape::Beginning(text.into());
        let check = |pattern: &str, expected: Shape| {
            assert_eq!(shape_of(pattern), expected, "{pattern}");
        };
        check(".*", Shape::Anything);
        check(".+", Shape::Something);
        check("", words(&[""]));
        check("b|a|b", words(&["a", "b"]));
        check("(?:a|)", words(&["", "a"]));
        check(r"db1\.example|x\-y", words(&["db1.example", "x-y"]));
        check("pg_.*", beginning("pg_"));
        check(r"a\.b.*", beginning("a.b"));
        check("pg_.*x", other("pg_"));
        check("pg_.*?", other("pg_"));
        check("pg_?x", other("pg"));
        check("pg_+", other("pg"));
        check("ab{0,2}", other("a"));
        check("a|b.*", other(""));
        check("(a)(b)", other(""));
        check("(a)|(b)", other(""));
        check("(?i)a", other(""));
        check(r"\d", other(""));
        check("^a$", other(""));
    }
}
