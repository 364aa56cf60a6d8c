//! Finds files by a pattern as Go's `filepath.Glob` does: `*`, `?` and `[...]` within one part of a
//! path, `\` before what is meant as it is.

use std::path::{Component, Path, PathBuf};

/// The files that a pattern matches, below `folder` unless it begins at the root; sorted. What cannot
/// be read matches nothing.
pub(crate) fn find(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let whole = folder.join(pattern);
    let mut found = vec![PathBuf::new()];
    for part in whole.components() {
        let Component::Normal(name) = part else {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        };
        let name = name.to_string_lossy();
        let pieces = parse(&name).ok_or_else(|| format!("bad pattern: {pattern}"))?;
        let mut next = Vec::new();
        for path in found {
            if pieces.iter().all(|piece| matches!(piece, Piece::One(_))) {
                let literal: String = pieces.iter().filter_map(Piece::literal).collect();
                let path = path.join(literal);
                next.extend(path.exists().then_some(path));
                continue;
            }
            next.extend(entries(&path, &pieces));
        }
        found = next;
    }
    found.sort();
    Ok(found)
}

fn entries(folder: &Path, pieces: &[Piece]) -> Vec<PathBuf> {
    let here = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let Ok(entries) = std::fs::read_dir(here) else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    let fits = |name: &std::ffi::OsString| {
        let name: Vec<char> = name.to_string_lossy().chars().collect();
        matches(pieces, &name)
    };
    names.filter(fits).map(|name| folder.join(name)).collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// This character.
    One(char),
    /// Any character.
    Any,
    /// Any number of characters.
    Many,
    /// A character in one of these ranges, or in none.
    Range(Vec<(char, char)>, bool),
}

impl Piece {
    fn literal(&self) -> Option<char> {
        match self {
            Self::One(c) => Some(*c),
            _ => None,
        }
    }

    fn accepts(&self, c: char) -> bool {
        match self {
            Self::One(one) => *one == c,
            Self::Any => true,
            Self::Many => false,
            Self::Range(ranges, inverted) => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *inverted
            }
        }
    }
}

fn parse(pattern: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            '*' => Piece::Many,
            '?' => Piece::Any,
            '\\' => Piece::One(chars.next()?),
            '[' => {
                let inverted = chars.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                loop {
                    let from = match chars.next()? {
                        ']' if !ranges.is_empty() => break,
                        '\\' => chars.next()?,
                        c => c,
                    };
                    let to = match chars.next_if_eq(&'-') {
                        Some(_) => match chars.next()? {
                            '\\' => chars.next()?,
                            c => c,
                        },
                        None => from,
                    };
                    ranges.push((from, to));
                }
                Piece::Range(ranges, inverted)
            }
            c => Piece::One(c),
        });
    }
    Some(pieces)
}

/// Goes back to the last `*` only: what an earlier one took does not matter.
fn matches(pieces: &[Piece], name: &[char]) -> bool {
    let (mut piece, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while place < name.len() {
        match pieces.get(piece) {
            Some(Piece::Many) => {
                star = Some((piece, place));
                piece += 1;
            }
            Some(one) if one.accepts(name[place]) => {
                piece += 1;
                place += 1;
            }
            _ => {
                let Some((last, from)) = star else {
                    return false;
                };
                star = Some((last, from + 1));
                piece = last + 1;
                place = from + 1;
            }
        }
    }
    pieces[piece..].iter().all(|piece| *piece == Piece::Many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_patterns() {
        let check = |pattern: &str, name: &str, expected: bool| {
            let name: Vec<char> = name.chars().collect();
            let found = parse(pattern).map(|pieces| matches(&pieces, &name));
            assert_eq!(found, Some(expected), "{pattern} {name:?}");
        };
        check("*.yml", "a.yml", true);
        check("*.yml", "a.yaml", false);
        check("a*b*c", "aXbYbZc", true);
        check("a*b*c", "aXbYbZ", false);
        check("?.[a-c]", "x.b", true);
        check("?.[^a-c]", "x.b", false);
        check("\\*", "*", true);
        check("\\*", "a", false);
        check("*", "", true);
        for bad in ["[", "[a", "[a-", "\\"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn files_are_found_part_by_part() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["a/one.yml", "a/two.yml", "b/one.yml", "b/x.txt"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let check = |pattern: &str, expected: &[&str]| {
            let found = find(folder.path(), pattern).unwrap();
            let expected: Vec<_> = expected
                .iter()
                .map(|path| folder.path().join(path))
                .collect();
            assert_eq!(found, expected, "{pattern}");
        };
        check("*/one.yml", &["a/one.yml", "b/one.yml"]);
        check("a/*.yml", &["a/one.yml", "a/two.yml"]);
        check("b/x.txt", &["b/x.txt"]);
        check("c/*", &[]);
        check("nothing", &[]);
    }
}
