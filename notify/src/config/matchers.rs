//! Matchers in the three ways in which the file may give them: as a map of values, a map of patterns,
//! and a list of texts.

use rules::Problems;
use rules::yaml::Cursor;

use crate::matcher::{Matcher, Matchers, Note, Op};

/// The matchers of the keys `equal` and `pattern` (the old ways) and `list`.
pub(super) fn read(
    at: &Cursor<'_>,
    (equal, pattern, list): (&str, &str, &str),
    problems: &mut Problems,
    notes: &mut Problems,
) -> Matchers {
    let mut matchers = Matchers::default();
    for (name, value, place) in at.texts(equal, problems) {
        check_name(name, &place, problems);
        add(&mut matchers, (name, Op::Equal, value), &place, problems);
    }
    for (name, value, place) in at.texts(pattern, problems) {
        check_name(name, &place, problems);
        if place.is_null() {
            let message = format!("no pattern for {name:?}");
            place.problem(problems, message, "write \"\" for the empty one");
        }
        // Anchored here already, as Alertmanager has it, for group keys hold this text.
        let value = format!("^(?:{value})$");
        add(&mut matchers, (name, Op::Matches, &value), &place, problems);
    }
    for item in at.list(list, problems) {
        let Some(text) = item.as_text(problems) else {
            continue;
        };
        match Matchers::parse(text) {
            Ok((read, note)) => {
                matchers.extend(read);
                tell(text, note, &item, notes);
            }
            Err(wrong) => {
                let hint = "write it as name=\"value\", or with != =~ !~";
                item.problem(problems, wrong.to_string(), hint);
            }
        }
    }
    matchers.sorted()
}

fn check_name(name: &str, place: &Cursor<'_>, problems: &mut Problems) {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_name =
        name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit());
    if !is_name {
        let message = format!("invalid label name {name:?}");
        place.key_problem(problems, message, "use a list of matchers for such names");
    }
}

fn add(
    matchers: &mut Matchers,
    (name, op, value): (&str, Op, &str),
    place: &Cursor<'_>,
    problems: &mut Problems,
) {
    match Matcher::new(name, op, value) {
        Ok(matcher) => matchers.extend([matcher]),
        Err(wrong) => place.problem(problems, wrong.to_string(), ""),
    }
}

fn tell(text: &str, note: Option<Note>, at: &Cursor<'_>, notes: &mut Problems) {
    match note {
        None => {}
        Some(Note::Classic { suggestion }) => {
            let message = format!("{text:?} is a matcher only in the classic way of writing");
            at.problem(notes, message, &format!("write {suggestion}"));
        }
        Some(Note::Ambiguous) => {
            let message = format!("{text:?} means something else when read as UTF-8");
            at.problem(notes, message, "double the backslashes");
        }
    }
}
