//! Logs in to a mail server: the first of the ways that the server offers for which we have what it takes.
//!
//! A password is never sent in the clear, but to this host.

use std::fmt::{self, Display};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Ehlo;
use lettre::transport::smtp::response::Response;
use md5::{Digest, Md5};
use wire::secret::Secret;

use super::super::secrets::Secrets;
use super::{Fault, hello};
use crate::receiver::email::Settings;

/// The block of MD5, in bytes.
const BLOCK: usize = 64;

/// A line that is sent as it is.
struct Line(String);

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\r\n", self.0)
    }
}

/// Logs in. A server that knows nothing of it is taken as one that wants none.
pub(super) async fn log_in(
    connection: &mut AsyncSmtpConnection,
    settings: &Settings,
    secrets: &Secrets,
) -> Result<(), Fault> {
    let login = &settings.login;
    let username = login.username.as_deref().unwrap_or_default();
    let greeting = connection.command(Ehlo::new(hello(settings))).await?;
    let ways = ways(&greeting);
    if ways.is_empty() {
        return Ok(());
    }
    let read = |source: &Option<_>| {
        let secret = source.as_ref().map(|source| secrets.read(source));
        secret.transpose().map_err(Fault::Own)
    };
    let (password, secret) = (read(&login.password)?, read(&login.secret)?);
    let is_private = connection.is_encrypted() || is_this_host(&settings.smarthost.host);
    for way in &ways {
        match (way.as_str(), &secret, &password) {
            ("CRAM-MD5", Some(secret), _) => {
                return cram_md5(connection, username, secret).await;
            }
            ("PLAIN" | "LOGIN", _, Some(_)) if !is_private => {}
            ("PLAIN", _, Some(password)) => {
                let identity = login.identity.as_deref().unwrap_or_default();
                let reply = format!("{identity}\0{username}\0{}", password.reveal());
                let reply = STANDARD.encode(reply);
                secrets.note(Secret::new(&reply));
                connection
                    .command(Line(format!("AUTH PLAIN {reply}")))
                    .await?;
                return Ok(());
            }
            ("LOGIN", _, Some(password)) => {
                return login_way(connection, username, password).await;
            }
            _ => {}
        }
    }
    let why = if password.is_some() && !is_private {
        "the connection has no TLS, and the password is not sent in the clear"
    } else {
        "there is no password or secret for any of them"
    };
    let ways = ways.join(", ");
    Err(Fault::Own(format!("cannot log in by {ways}: {why}")))
}

fn is_this_host(host: &str) -> bool {
    matches!(host, "" | "localhost" | "127.0.0.1" | "::1")
}

/// The ways that a server offers, in its order.
fn ways(greeting: &Response) -> Vec<String> {
    let lines = greeting.message();
    let offered = lines.filter_map(|line| {
        let (word, rest) = line.split_once([' ', '='])?;
        word.eq_ignore_ascii_case("AUTH").then_some(rest)
    });
    let mut ways: Vec<String> = Vec::new();
    for way in offered.flat_map(str::split_whitespace) {
        let way = way.to_ascii_uppercase();
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways
}

/// The server asks for one after the other.
async fn login_way(
    connection: &mut AsyncSmtpConnection,
    username: &str,
    password: &Secret,
) -> Result<(), Fault> {
    connection.command(Line("AUTH LOGIN".to_owned())).await?;
    let username = STANDARD.encode(username);
    connection.command(Line(username)).await?;
    let password = STANDARD.encode(password.reveal());
    connection.command(Line(password)).await?;
    Ok(())
}

/// The server says something once, and we prove that we know the secret.
async fn cram_md5(
    connection: &mut AsyncSmtpConnection,
    username: &str,
    secret: &Secret,
) -> Result<(), Fault> {
    let answer = connection.command(Line("AUTH CRAM-MD5".to_owned())).await?;
    let challenge = answer.message().next().unwrap_or_default();
    let challenge = STANDARD.decode(challenge.trim());
    let challenge =
        challenge.map_err(|_| Fault::Own("the server's challenge is none".to_owned()))?;
    let proof = hmac_md5(secret.reveal().as_bytes(), &challenge);
    let reply = STANDARD.encode(format!("{username} {proof}"));
    connection.command(Line(reply)).await?;
    Ok(())
}

/// RFC 2104 with MD5, in hexadecimal digits.
fn hmac_md5(key: &[u8], message: &[u8]) -> String {
    let mut block = [0u8; BLOCK];
    let hashed = Md5::digest(key);
    let key = if key.len() > BLOCK { &hashed[..] } else { key };
    block[..key.len()].copy_from_slice(key);
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Md5::new()
        .chain_update(padded(0x36))
        .chain_update(message)
        .finalize();
    let outer = Md5::new()
        .chain_update(padded(0x5c))
        .chain_update(inner)
        .finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_are_those_of_the_standard() {
        let check = |key: &[u8], message: &[u8], expected: &str| {
            assert_eq!(hmac_md5(key, message), expected);
        };
        check(&[0x0b; 16], b"Hi There", "9294727a3638bb1c13f48ef8158bfc9d");
        check(
            b"Jefe",
            b"what do ya want for nothing?",
            "750c783e6ab0b503eaa86e310a5db738",
        );
        let long = b"Test Using Larger Than Block-Size Key - Hash Key First";
        check(&[0xaa; 80], long, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
    }
}
