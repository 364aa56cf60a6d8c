//! Texts from outside, made harmless for where they stand.
//!
//! Beside what each format gives a meaning, some characters show another text than there is: controls,
//! and those that turn the direction of writing. They become a mark that one sees.

/// The longest text that is shown; more is cut off, and one sees that.
const LONGEST: usize = 2_000;

/// What stands for a character that must not.
const MARK: char = '\u{fffd}';

/// The text without what deceives the eye, cut where it is too long. Line ends stay.
pub(super) fn plain(text: &str) -> String {
    let mut out: String = text.chars().take(LONGEST).map(seen).collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}

fn seen(c: char) -> char {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_hidden = matches!(
        c,
        '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    );
    match c {
        '\n' => '\n',
        '\t' => ' ',
        _ if c.is_control() || turns || is_hidden => MARK,
        _ => c,
    }
}

/// For HTML and SVG, in text and in quoted attributes.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// For Markdown, within a line and within a cell of a table.
pub(super) fn markdown(text: &str) -> String {
    let plain = plain(text);
    let chars: Vec<char> = plain.trim().chars().collect();
    let mut out = String::with_capacity(plain.len());
    for (place, c) in chars.iter().enumerate() {
        let is_word = |at: Option<usize>| {
            let neighbour = at.and_then(|at| chars.get(at));
            neighbour.is_some_and(|c| c.is_alphanumeric())
        };
        // Within a word an underscore means itself, and names of metrics stay readable.
        let is_inner = *c == '_' && is_word(place.checked_sub(1)) && is_word(Some(place + 1));
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' => out.push_str("<br>"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '$' | '@' if !is_inner => {
                out.push('\\');
                out.push(*c);
            }
            _ => out.push(*c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_harmless() {
        let check = |text: &str, html: &str, md: &str| {
            assert_eq!((xml(text).as_str(), markdown(text).as_str()), (html, md));
        };
        check("plain é 漢", "plain é 漢", "plain é 漢");
        check(
            "<script>alert('x')</script>",
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;",
            "&lt;script&gt;alert('x')&lt;/script&gt;",
        );
        check("\"a\" & b", "&quot;a&quot; &amp; b", "\"a\" &amp; b");
        check(
            "![x](http://e) | `a` **b** _c_ a_b",
            "![x](http://e) | `a` **b** _c_ a_b",
            "!\\[x\\](http://e) \\| \\`a\\` \\*\\*b\\*\\* \\_c\\_ a_b",
        );
        check("a\nb", "a\nb", "a<br>b");
        check("a\u{0}\u{202e}b\u{1b}[31m", "a��b�[31m", "a��b�\\[31m");
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(xml(&long).chars().count(), LONGEST + 1);
        assert!(xml(&long).ends_with('…'));
    }
}
