//! The repository's files, read and parsed once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Folders that are not the repository's own, for where git cannot say.
const FOREIGN: [&str; 4] = [".git", "target", "node_modules", "dist"];

/// Larger files are no text that a person wrote.
const MOST_BYTES: u64 = 1 << 20;

/// All text files of the repository.
///
/// It belongs to the thread that read it: the places of syntax do.
pub struct Tree {
    /// The top of the repository.
    pub root: PathBuf,
    /// Rust files.
    pub rust: Vec<Source>,
    /// Other text files, Rust left out.
    pub texts: Vec<Text>,
}

/// A Rust file.
pub struct Source {
    /// From the top of the repository, with slashes.
    pub path: String,
    /// Its content.
    pub text: String,
    /// Its syntax.
    pub syntax: syn::File,
}

/// A text file.
#[derive(Debug)]
pub struct Text {
    /// From the top of the repository, with slashes.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl Source {
    /// Parses a Rust file.
    pub fn parse(path: &str, text: &str) -> Result<Self> {
        let syntax = syn::parse_file(text).with_context(|| format!("parse {path}"))?;
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            syntax,
        })
    }

    /// Whether the whole file is test code: an integration test, or a module's `tests.rs`.
    #[must_use]
    pub fn is_test(&self) -> bool {
        let mut folders: Vec<&str> = self.path.split('/').collect();
        let file = folders.pop().unwrap_or_default();
        // The crate `tests` has its library, the lab, in `tests/src`.
        let below = match folders.as_slice() {
            ["tests", rest @ ..] => rest,
            all => all,
        };
        file == "tests.rs" || below.contains(&"tests") || below.contains(&"benches")
    }
}

impl Tree {
    /// Reads the repository that this crate belongs to.
    pub fn read() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().context("the crate lies in a workspace")?;
        let mut tree = Self {
            root: root.to_path_buf(),
            rust: Vec::new(),
            texts: Vec::new(),
        };
        for path in files(root)? {
            tree.add(&path)?;
        }
        Ok(tree)
    }

    fn add(&mut self, path: &str) -> Result<()> {
        let whole = self.root.join(path);
        // Deleted but not committed yet, or a link.
        let Ok(about) = fs::symlink_metadata(&whole) else {
            return Ok(());
        };
        if !about.is_file() || about.len() > MOST_BYTES {
            return Ok(());
        }
        let bytes = fs::read(&whole).with_context(|| format!("read {path}"))?;
        let Ok(text) = String::from_utf8(bytes) else {
            return Ok(());
        };
        if path.ends_with(".rs") {
            self.rust.push(Source::parse(path, &text)?);
        } else {
            let path = path.to_owned();
            self.texts.push(Text { path, text });
        }
        Ok(())
    }
}

/// Every file that is in the repository or would be by `git add`; without git, every file that is
/// not below a foreign folder.
fn files(root: &Path) -> Result<Vec<String>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others"])
        .arg("--exclude-standard")
        .current_dir(root)
        .output();
    let mut found = match listed {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let paths = text.split('\0').filter(|path| !path.is_empty());
            paths.map(str::to_owned).collect()
        }
        _ => walk(root, root)?,
    };
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(root: &Path, folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if !entry.file_type()?.is_dir() {
            let below = path.strip_prefix(root)?;
            found.push(below.to_string_lossy().into_owned());
        } else if !FOREIGN.iter().any(|foreign| entry.file_name() == *foreign) {
            found.extend(walk(root, &path)?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_test_code_from_the_lab() {
        for (path, expected) in [
            ("agent/src/schedule.rs", false),
            ("agent/src/spool/tests.rs", true),
            ("agent/src/spool/tests/model.rs", true),
            ("agent/tests/containers/main.rs", true),
            ("tests/src/lab.rs", false),
            ("tests/src/tidy/tree.rs", false),
            ("tests/tests/tidy.rs", true),
        ] {
            let source = Source::parse(path, "").unwrap();
            assert_eq!(source.is_test(), expected, "{path}");
        }
    }

    #[test]
    fn lists_the_same_files_without_git() {
        let tree = Tree::read().unwrap();
        let mut walked = walk(&tree.root, &tree.root.join("tests/src")).unwrap();
        walked.retain(|path| path.ends_with(".rs"));
        walked.sort();
        let listed = tree.rust.iter().map(|source| source.path.clone());
        let listed: Vec<String> = listed
            .filter(|path| path.starts_with("tests/src/"))
            .collect();
        assert_eq!(listed, walked);
    }
}
