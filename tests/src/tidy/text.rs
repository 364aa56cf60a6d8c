//! What no text file of the repository may hold: notes of work left undone, and paths that exist on
//! one person's machine only.

use std::path::Path;

use super::Problem;
use super::tree::Tree;

/// Notes to oneself. In two halves, so that this file passes its own rule.
const NOTES: [&str; 3] = [
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("XX", "X"),
];

/// Where people keep their files; what follows is somebody's name.
const HOMES: [&str; 4] = [
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
];

/// Everything of the kind in the repository.
#[must_use]
pub fn problems(tree: &Tree) -> Vec<Problem> {
    let rust = tree.rust.iter().map(|source| (&source.path, &source.text));
    let other = tree.texts.iter().map(|text| (&text.path, &text.text));
    rust.chain(other)
        .filter(|(path, _)| !path.ends_with(".lock"))
        .flat_map(|(path, text)| of_text(path, text, &tree.root))
        .collect()
}

/// Everything of the kind in one file of a repository that lies at `root`.
#[must_use]
pub fn of_text(path: &str, text: &str, root: &Path) -> Vec<Problem> {
    let root = root.to_string_lossy();
    // A repository at the top of the file system has a path that any text may hold.
    let checkout = (root.matches('/').count() > 1).then_some(root);
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let note = NOTES.iter().find(|note| has_word(line, note));
        if let Some(note) = note {
            let message = format!("`{note}`: do it, or open an issue");
            found.push(Problem::at(path, at + 1, message));
        }
        let own = checkout
            .as_deref()
            .is_some_and(|checkout| line.contains(checkout));
        if own || HOMES.iter().any(|home| begins_a_path(line, home)) {
            let message = "a path of one machine; use one that exists on every machine";
            found.push(Problem::at(path, at + 1, message));
        }
    }
    found
}

/// Whether a word stands by itself.
fn has_word(line: &str, word: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(plain) && !after.is_some_and(plain)
    })
}

/// Whether a folder stands at the beginning of a path that goes on below it.
fn begins_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        let begins = !before.is_some_and(|c| c.is_alphanumeric() || "/._-}".contains(c));
        begins && after.is_some_and(|c| c.is_alphanumeric() || c == '.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: usize) {
        let found = of_text("a.md", line, Path::new("/srv/build/nightshift"));
        assert_eq!(found.len(), expected, "{line}: {found:?}");
    }

    #[test]
    fn notes_are_found_as_words() {
        for note in NOTES {
            check(&format!("// {note}: later"), 1);
            check(&format!("# {note}"), 1);
            check(&format!("A_{note}_LIST"), 0);
            check(&note.to_lowercase(), 0);
        }
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        for home in HOMES {
            check(&format!("cd {home}ann/src"), 1);
            check(&format!("\"{home}x\""), 1);
            check(&format!("https://example.com{home}x"), 0);
            check(&format!("below {home} lies"), 0);
            check(&format!("$PREFIX}}{home}x"), 0);
        }
        check("cp /srv/build/nightshift/target/x .", 1);
        check("/var/lib/nightshift", 0);
        assert!(of_text("a.md", "/nightshift/x", Path::new("/nightshift")).is_empty());
    }
}
