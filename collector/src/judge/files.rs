//! Rule files, found and read.
//!
//! What a file may say is the crate `rules`'. Either all files are right, or everything that is wrong is
//! said, with what could be read beside it: who starts goes on with that, who reloads does not.
//!
//! A shipped pack gives way to a file of its name: whoever copies one to change a threshold must not be
//! told twice, by the copy and by the original, and an update may replace the original at any time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rules::Problem;
use rules::file::{Group, MAX_BYTES, RuleFile};

use crate::glob;

/// Where the shipped packs are, below the prefix of the installation.
const SHIPPED: &str = "share/nightshift/rules";

/// A group and the file that it stands in.
#[derive(Clone, Debug)]
pub struct Found {
    /// The file.
    pub file: String,
    /// The group.
    pub group: Group,
}

/// What the patterns lead to.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The groups of the files that are right, by file and then in their order.
    pub groups: Vec<Found>,
    /// What is wrong, each as one text with file and place.
    pub problems: Vec<String>,
    /// What is hardly meant.
    pub warnings: Vec<String>,
}

impl Files {
    /// Finds and reads the files of some patterns.
    #[must_use]
    pub fn read(patterns: &[String]) -> Self {
        let mut files = Self::default();
        let mut paths = BTreeSet::new();
        for pattern in patterns {
            match glob::find(Path::new(""), pattern) {
                Ok(found) => paths.extend(found),
                Err(wrong) => files.problems.push(wrong),
            }
        }
        for path in without_replaced(paths) {
            files.add(&path);
        }
        files
    }

    fn add(&mut self, path: &Path) {
        let file = path.display().to_string();
        match load(path) {
            Ok(loaded) => {
                let warnings = loaded.warnings.iter().map(|warning| warning.in_file(&file));
                self.warnings.extend(warnings);
                let groups = loaded.groups.into_iter();
                self.groups.extend(groups.map(|group| Found {
                    file: file.clone(),
                    group,
                }));
            }
            Err(problems) => {
                let problems = problems.iter().map(|problem| problem.in_file(&file));
                self.problems.extend(problems);
            }
        }
    }
}

/// Without the shipped packs of which there is an own one, or another shipped one, of the same name.
fn without_replaced(paths: BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let is_shipped = |path: &PathBuf| {
        path.parent()
            .is_some_and(|folder| folder.ends_with(SHIPPED))
    };
    let (shipped, mut kept): (Vec<_>, Vec<_>) = paths.into_iter().partition(is_shipped);
    for path in shipped {
        if !kept.iter().any(|one| one.file_name() == path.file_name()) {
            kept.push(path);
        }
    }
    kept.sort();
    kept
}

/// Reads one file.
pub(crate) fn load(file: &Path) -> Result<RuleFile, Vec<Problem>> {
    RuleFile::parse(&read(file)?)
}

/// The bytes of a file, unless there are too many.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Vec<Problem>> {
    let problem = |message: String| vec![Problem::new(message, "")];
    let found =
        std::fs::metadata(file).map_err(|error| problem(format!("cannot read it: {error}")))?;
    // Nothing that large is read into memory only to be refused there.
    if found.len() > MAX_BYTES as u64 {
        let bytes = found.len();
        return Err(problem(format!(
            "the file has {bytes} bytes, more than {MAX_BYTES}"
        )));
    }
    std::fs::read(file).map_err(|error| problem(format!("cannot read it: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shipped_pack_gives_way_to_a_file_of_its_name() {
        let check = |paths: &[&str], expected: &[&str]| {
            let kept = without_replaced(paths.iter().map(PathBuf::from).collect());
            let expected: Vec<_> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(kept, expected, "{paths:?}");
        };
        let (own, other) = ("/etc/nightshift/rules/etl.yml", "/srv/team/etl.yml");
        let shipped = "/usr/share/nightshift/rules/etl.yml";
        let by_hand = "/usr/local/share/nightshift/rules/etl.yml";
        let redis = "/usr/share/nightshift/rules/redis.yml";
        check(&[own, redis, shipped], &[own, redis]);
        check(&[by_hand, redis, shipped], &[by_hand, redis]);
        check(&[own, by_hand, shipped], &[own]);
        // Only shipped ones give way: two files of operators are two files.
        check(&[own, other], &[own, other]);
        check(&[shipped], &[shipped]);
        check(&[], &[]);
    }
}
