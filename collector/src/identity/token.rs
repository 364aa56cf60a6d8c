//! One-time tokens with which agents join.
//!
//! A token is `nsj1-FINGERPRINT-SECRET` in hexadecimal: the fingerprint lets the agent know the right
//! collector before it has ever seen it, the secret lets the collector know the agent was invited.
//! The data folder holds one file a token, `join-tokens/SHA256-OF-SECRET`, with the second at which
//! it expires. Removing the file is using the token, and the system lets exactly one remove it.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::SecureRandom;

use super::IdentityError;
use super::authority::file_error;

const PREFIX: &str = "nsj1";
const SECRET_LEN: usize = 16;

/// The tokens of one data folder.
#[derive(Clone, Debug)]
pub struct Tokens {
    folder: PathBuf,
}

impl Tokens {
    /// The tokens of the collector whose data folder that is.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self {
            folder: data.join("join-tokens"),
        }
    }

    /// Makes a token that is good until `now + lifetime`.
    pub fn create(
        &self,
        fingerprint: [u8; 32],
        now: SystemTime,
        lifetime: Duration,
    ) -> Result<String, IdentityError> {
        let mut secret = [0u8; SECRET_LEN];
        ring::rand::SystemRandom::new()
            .fill(&mut secret)
            .map_err(|_| IdentityError::certificate("a new token", "no random numbers"))?;
        fs::create_dir_all(&self.folder)
            .map_err(|source| file_error("create", &self.folder, source))?;
        let path = self.path_of(&secret);
        let expires = seconds(now).saturating_add(lifetime.as_secs());
        fs::write(&path, expires.to_string())
            .map_err(|source| file_error("write", &path, source))?;
        Ok(format!("{PREFIX}-{}-{}", hex(&fingerprint), hex(&secret)))
    }

    /// Uses a token up. Succeeds once at the most for each token.
    pub fn redeem(&self, token: &str, now: SystemTime) -> Result<(), IdentityError> {
        let secret = secret_of(token).ok_or(IdentityError::Token)?;
        let path = self.path_of(&secret);
        let expires = fs::read_to_string(&path).map_err(|_| IdentityError::Token)?;
        fs::remove_file(&path).map_err(|_| IdentityError::Token)?;
        match expires.trim().parse::<u64>() {
            Ok(expires) if seconds(now) < expires => Ok(()),
            _ => Err(IdentityError::Token),
        }
    }

    /// The folder holds hashes, so that reading it lets nobody join.
    fn path_of(&self, secret: &[u8]) -> PathBuf {
        let digest = ring::digest::digest(&ring::digest::SHA256, secret);
        self.folder.join(hex(digest.as_ref()))
    }
}

fn secret_of(token: &str) -> Option<[u8; SECRET_LEN]> {
    let mut parts = token.trim().split('-');
    let (prefix, _fingerprint, secret) = (parts.next()?, parts.next()?, parts.next()?);
    if prefix != PREFIX || parts.next().is_some() || secret.len() != 2 * SECRET_LEN {
        return None;
    }
    let mut bytes = [0u8; SECRET_LEN];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(secret.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_once_and_until_it_expires() {
        let data = tempfile::tempdir().unwrap();
        let tokens = Tokens::of(data.path());
        let hour = Duration::from_secs(3600);
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let token = tokens.create([7; 32], now, hour).unwrap();
        assert!(token.starts_with("nsj1-0707"));
        tokens.redeem(&token, now + hour / 2).unwrap();
        assert!(tokens.redeem(&token, now + hour / 2).is_err());

        let late = tokens.create([7; 32], now, hour).unwrap();
        assert!(tokens.redeem(&late, now + hour).is_err());
    }

    #[test]
    fn nothing_else_is_a_token() {
        let data = tempfile::tempdir().unwrap();
        let tokens = Tokens::of(data.path());
        for text in [
            "",
            "nsj1",
            "nsj1-a-b",
            "nsj1-a-../../etc/passwd",
            "nsj2-00-00112233445566778899aabbccddeeff",
            "nsj1-é-é",
        ] {
            assert!(tokens.redeem(text, UNIX_EPOCH).is_err(), "{text}");
        }
    }
}
