//! Alertmanager's configuration file, found and read together with the templates that it names.
//!
//! What the file may say is the crate `notify`'s. Either all of it is right, or everything that is
//! wrong is said, each with its file and place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::config::Config;
use notify::template::Templates;
use rules::Problem;

use crate::config::notify::{NotifyConfig, USUAL_FILE};
use crate::glob;
use crate::judge::files::read;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the file says.
    pub config: Config,
    /// Our own templates and those of the files that it names.
    pub templates: Templates,
    /// Those files, sorted.
    pub files: Vec<PathBuf>,
    /// What is hardly meant, each as one text with its place.
    pub notes: Vec<String>,
}

/// The file that the configuration names, or the usual one; nothing where none was named and that is not
/// there.
#[must_use]
pub fn file(config: &NotifyConfig) -> Option<&Path> {
    let usual = || Some(Path::new(USUAL_FILE)).filter(|usual| usual.exists());
    config.config.as_deref().or_else(usual)
}

/// Everything that is wrong with that file and the templates that it names.
#[must_use]
pub fn problems(config: &NotifyConfig) -> Vec<String> {
    let read = file(config).map(Loaded::read);
    read.and_then(Result::err).unwrap_or_default()
}

impl Loaded {
    /// Reads a file and the templates that it names.
    pub fn read(file: &Path) -> Result<Self, Vec<String>> {
        let told = |problems: Vec<Problem>| tell(file, &problems);
        let parsed = read(file).and_then(|bytes| Config::parse(&bytes));
        let (config, notes) = parsed.map_err(told)?;
        let mut notes = tell(file, &notes);
        let folder = file.parent().unwrap_or(Path::new(""));
        let paths = find(folder, &config.templates, &mut notes)?;
        let files: Vec<_> = paths.into_iter().collect();
        let templates = templates(&files)?;
        notes.extend(wrong_texts(&config, &templates));
        Ok(Self {
            config,
            templates,
            files,
            notes,
        })
    }
}

/// The templates of files, all of them, or all that is wrong with them.
fn templates(files: &[PathBuf]) -> Result<Templates, Vec<String>> {
    let mut texts = Vec::with_capacity(files.len());
    let mut problems = Vec::new();
    for path in files {
        match text(path) {
            Ok(text) => texts.push((path.display().to_string(), text)),
            Err(wrong) => problems.extend(tell(path, &wrong)),
        }
    }
    let pairs = texts
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()));
    match Templates::new(pairs) {
        Ok(templates) if problems.is_empty() => Ok(templates),
        Ok(_) => Err(problems),
        Err(wrong) => {
            let places = wrong.iter().map(|wrong| {
                let (name, line, column) = (&wrong.name, wrong.line, wrong.column);
                format!("{name}:{line}:{column}: {}", wrong.message)
            });
            problems.extend(places);
            Err(problems)
        }
    }
}

/// Templates in the file itself that cannot be parsed. As with Alertmanager they are no reason to
/// refuse it: what they were to say is told plainly instead.
fn wrong_texts(config: &Config, templates: &Templates) -> Vec<String> {
    let integrations = config.receivers.iter().flat_map(|it| &it.integrations);
    let mut wrong = Vec::new();
    for integration in integrations {
        for (key, text) in integration.settings.templates() {
            if let Err(error) = templates.check(key, text) {
                let (line, column) = (error.line, error.column);
                wrong.push(format!(
                    "{}, {key}: line {line} of the text, column {column}: {}",
                    integration.id, error.message
                ));
            }
        }
    }
    wrong
}

/// The files that patterns lead to, each once.
fn find(
    folder: &Path,
    patterns: &[String],
    notes: &mut Vec<String>,
) -> Result<BTreeSet<PathBuf>, Vec<String>> {
    let mut paths = BTreeSet::new();
    let mut problems = Vec::new();
    for pattern in patterns {
        match glob::find(folder, pattern) {
            // As in Alertmanager, that is no mistake: a folder of templates may be empty.
            Ok(found) if found.is_empty() => {
                notes.push(format!("no file matches the pattern {pattern}"));
            }
            Ok(found) => paths.extend(found),
            Err(wrong) => problems.push(wrong),
        }
    }
    if problems.is_empty() {
        Ok(paths)
    } else {
        Err(problems)
    }
}

fn text(path: &Path) -> Result<String, Vec<Problem>> {
    String::from_utf8(read(path)?).map_err(|wrong| {
        let at = wrong.utf8_error().valid_up_to();
        vec![Problem::new(format!("not UTF-8 at byte {at}"), "")]
    })
}

fn tell(file: &Path, problems: &[Problem]) -> Vec<String> {
    let file = file.display().to_string();
    problems.iter().map(|one| one.in_file(&file)).collect()
}
