//! Secrets, read when they are needed, and kept out of what is said.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wire::secret::Secret;

use crate::config::SecretSource;
use crate::receiver::Verdict;

/// No secret, certificate or key is longer.
const MAX_FILE: u64 = 1 << 20;

/// Texts that are shorter than this would turn up by chance.
const SHORTEST: usize = 4;

/// The same for parts of an address or a token, which are words as often as secrets.
const SHORTEST_PART: usize = 8;

/// Reads secrets for one attempt, and knows which it read.
pub(super) struct Secrets {
    folder: Arc<Path>,
    seen: Mutex<Vec<Secret>>,
}

impl Secrets {
    pub(super) fn new(folder: Arc<Path>) -> Self {
        Self {
            folder,
            seen: Mutex::default(),
        }
    }

    /// A secret, from its file where it lies in one.
    pub(super) fn read(&self, source: &SecretSource) -> Result<Secret, String> {
        let secret = match source {
            SecretSource::Inline(secret) => secret.clone(),
            SecretSource::File(path) => {
                let text = read_file(&self.folder, path)?;
                let text = String::from_utf8(text);
                let text = text.map_err(|_| format!("{} is no text", path.display()))?;
                Secret::new(text.trim())
            }
        };
        self.note(secret.clone());
        Ok(secret)
    }

    /// Notes a secret that was not read here.
    pub(super) fn note(&self, secret: Secret) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(secret);
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was said, without any of the secrets.
    pub(super) fn hide_in(&self, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Delivered { detail } => Verdict::Delivered {
                detail: self.hide(&detail),
            },
            Verdict::Retry { after, error } => Verdict::Retry {
                after,
                error: self.hide(&error),
            },
            Verdict::Refused { error } => Verdict::Refused {
                error: self.hide(&error),
            },
        }
    }

    fn hide(&self, text: &str) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hidden = text.to_owned();
        for secret in seen.iter() {
            for part in parts(secret.reveal()) {
                hidden = hidden.replace(&part, "***");
            }
        }
        hidden
    }
}

/// The texts by which a secret would be known: itself, as it travels, and its parts, such as the last of
/// an address.
fn parts(secret: &str) -> Vec<String> {
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    let mut parts = vec![secret.to_owned(), STANDARD.encode(secret)];
    let rest = match secret.split_once("://") {
        // The host is no secret.
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, rest)| rest),
        None => secret,
    };
    let pieces = rest.split(['/', '?', '&', '=', '#', ':']);
    let long = pieces.filter(|piece| piece.len() >= SHORTEST_PART);
    parts.extend(long.map(str::to_owned));
    parts
}

/// A file beside the configuration, or anywhere.
pub(super) fn read_file(folder: &Path, path: &Path) -> Result<Vec<u8>, String> {
    let path: PathBuf = folder.join(path);
    let cannot = |wrong: std::io::Error| format!("cannot read {}: {wrong}", path.display());
    let file = std::fs::File::open(&path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("{} is too long", path.display()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "in-a-file\n").unwrap();
        let secrets = Secrets::new(folder.path().into());
        let url = "https://hooks.example.com/services/T000/tokentoken?k=vvvvvvvvv";
        for source in [
            SecretSource::Inline(Secret::new("pass")),
            SecretSource::Inline(Secret::new(url)),
            SecretSource::File("key".into()),
            SecretSource::Inline(Secret::new("ab")),
        ] {
            secrets.read(&source).unwrap();
        }
        let check = |text: &str, expected: &str| assert_eq!(secrets.hide(text), expected);
        check("bad pass in-a-file", "bad *** ***");
        check("no tokentoken at vvvvvvvvv: cGFzcw==", "no *** at ***: ***");
        check(&format!("at {url}!"), "at ***!");
        check("about hooks.example.com", "about hooks.example.com");
        let missing = secrets
            .read(&SecretSource::File("none".into()))
            .unwrap_err();
        assert!(missing.contains("none: No such file"), "{missing}");
    }
}
