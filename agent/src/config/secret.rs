//! Secrets, which a configuration names and never holds.

use std::path::Path;

use wire::problem::Problems;
use wire::secret::Secret;

/// Reads a secret from a file or an environment variable, whichever of the two is named.
///
/// `key` is the name of the setting that holds the secret: `password` for `password_file` and
/// `password_env`.
pub fn read(
    problems: &mut Problems,
    key: &str,
    file: Option<&Path>,
    env: Option<&str>,
) -> Option<Secret> {
    match (file, env) {
        (None, None) => None,
        (Some(_), Some(_)) => {
            let both = format!("both {key}_file and {key}_env are set");
            problems.add(&format!("{key}_file"), both, "keep one of the two");
            None
        }
        (Some(path), None) => match std::fs::read_to_string(path) {
            Ok(text) => Some(Secret::new(&text)),
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                problems.add(
                    &format!("{key}_file"),
                    message,
                    "name a file that the agent may read",
                );
                None
            }
        },
        (None, Some(name)) => match std::env::var(name) {
            Ok(text) => Some(Secret::new(&text)),
            Err(_) => {
                let message = format!("the environment variable {name} is not set");
                problems.add(
                    &format!("{key}_env"),
                    message,
                    "set it in the service's environment",
                );
                None
            }
        },
    }
}
