//! Cuts texts to what receivers take.

/// What stands where a text was cut.
const CUT: char = '…';

/// The beginning of a text, in so many characters.
pub(super) fn chars(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    let kept = text.chars().take(most.saturating_sub(1));
    kept.chain([CUT]).collect()
}

/// The beginning of a text, in so many bytes.
pub(super) fn bytes(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(CUT.len_utf8());
    let kept = text.char_indices();
    let end = kept
        .map(|(start, c)| start + c.len_utf8())
        .take_while(|end| *end <= room)
        .last();
    format!("{}{CUT}", &text[..end.unwrap_or(0)])
}

/// The beginning of a text that takes so many bytes as JSON, which writes some characters as many.
pub(super) fn json(text: &str, most: usize) -> String {
    let written = |c: char| match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        c if c.is_control() => 6,
        c => c.len_utf8(),
    };
    if text.chars().map(written).sum::<usize>() <= most {
        return text.to_owned();
    }
    let mut room = most.saturating_sub(CUT.len_utf8());
    let kept = text.chars().take_while(|c| {
        let fits = written(*c) <= room;
        room = room.saturating_sub(written(*c));
        fits
    });
    kept.chain([CUT]).collect()
}

/// The beginning of a text with simple HTML, in so many characters: no tag and no entity is cut apart,
/// and what is open is closed.
pub(super) fn html(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    let mut open: Vec<&str> = Vec::new();
    let mut out = String::new();
    let mut rest = text;
    while let Some(piece) = piece(rest) {
        let closing: usize = open.iter().map(|name| name.len() + 3).sum();
        let name = tag_name(piece);
        // The end of what is open has its room already.
        let more = match name {
            Some(_) if piece.starts_with("</") => 0,
            Some(name) => piece.chars().count() + name.len() + 3,
            None => piece.chars().count(),
        };
        if out.chars().count() + more + closing + 1 > most {
            break;
        }
        out.push_str(piece);
        rest = &rest[piece.len()..];
        match name {
            Some(name) if piece.starts_with("</") => {
                open.truncate(
                    open.iter()
                        .rposition(|known| *known == name)
                        .unwrap_or(open.len()),
                );
            }
            Some(name) if !piece.ends_with("/>") => open.push(name),
            _ => {}
        }
    }
    out.push(CUT);
    for name in open.iter().rev() {
        out.push_str("</");
        out.push_str(name);
        out.push('>');
    }
    out
}

/// A tag, an entity or one character.
fn piece(text: &str) -> Option<&str> {
    let first = text.chars().next()?;
    let end = match first {
        '<' => text.find('>'),
        '&' => text.find(';').filter(|end| *end <= 10),
        _ => None,
    };
    let end = end.map_or(first.len_utf8(), |end| end + 1);
    Some(&text[..end])
}

fn tag_name(piece: &str) -> Option<&str> {
    let inner = piece.strip_prefix('<')?.strip_suffix('>')?;
    let inner = inner.strip_prefix('/').unwrap_or(inner);
    inner
        .split([' ', '/'])
        .next()
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(chars("äöü", 3), "äöü");
        assert_eq!(chars("äöüx", 3), "äö…");
        assert_eq!(chars("", 0), "");
        assert_eq!(bytes("äöü", 6), "äöü");
        assert_eq!(bytes("äöüx", 6), "ä…");
        assert_eq!(bytes("abc", 2), "…");
        assert_eq!(json("a\nb", 4), "a\nb");
        assert_eq!(json("a\nbcd", 5), "a…");
    }

    #[test]
    fn html_is_cut_between_tags_and_closed() {
        let check = |text: &str, most: usize, expected: &str| {
            let cut = html(text, most);
            assert_eq!(cut, expected, "{text}");
            assert!(cut.chars().count() <= most, "{cut}");
        };
        check("<b>abc</b>", 10, "<b>abc</b>");
        check("<b>abcdefgh</b>", 12, "<b>abcd…</b>");
        check("abc&amp;&lt;def", 9, "abc&amp;…");
        check(
            "<a href=\"x\">abc</a>def<i>ghi</i>",
            24,
            "<a href=\"x\">abc</a>def…",
        );
        check("a < b & c and more", 10, "a < b & c…");
    }
}
