//! Rule files, found and read.
//!
//! What a file may say is the crate `rules`'. Either all files are right, or everything that is wrong is
//! said, with what could be read beside it: who starts goes on with that, who reloads does not.

use std::collections::BTreeSet;
use std::path::Path;

use rules::Problem;
use rules::file::{Group, MAX_BYTES, RuleFile};

use crate::glob;

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
        for path in paths {
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
