//! Sends a mail to a server that takes it.

mod login;

use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, Identity, TlsParameters, TlsVersion,
};
use lettre::transport::smtp::commands::{self, Data, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use wire::causes::with_causes;

use super::secrets::Secrets;
use super::tls::Material;
use crate::config::HostPort;
use crate::config::tls::TlsVersion as Version;
use crate::receiver::Verdict;
use crate::receiver::email::{Mail, Settings};

/// How long all of it may take: servers look senders up, and look through what they get.
const TIMEOUT: Duration = Duration::from_secs(60);
/// No longer than that for the connection alone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A goodbye that is not answered changes nothing.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// The port on which TLS begins at once.
const IMPLICIT_TLS: u16 = 465;

/// How much of an error is told.
const SHOWN: usize = 400;

/// Why a mail was not sent.
enum Fault {
    /// What the server, or the way there, says.
    Smtp(Error),
    /// What we say: an operator may mend it.
    Own(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Smtp(error)
    }
}

/// Sends a mail.
pub(super) async fn send(settings: &Settings, mail: &Mail, secrets: &Secrets) -> Verdict {
    let sent = tokio::time::timeout(TIMEOUT, try_to_send(settings, mail, secrets)).await;
    let sent = sent.unwrap_or_else(|_| {
        let error = format!("not sent within {} s", TIMEOUT.as_secs());
        Err(Fault::Own(error))
    });
    match sent {
        Ok(said) => Verdict::Delivered { detail: said },
        // What is wrong with logging in, or with the server, an operator may mend; only what the server
        // says of this mail is final.
        Err(Fault::Smtp(error)) if is_about_mail(&error) => Verdict::Refused {
            error: told(&error),
        },
        Err(Fault::Smtp(error)) => Verdict::Retry {
            after: None,
            error: told(&error),
        },
        Err(Fault::Own(error)) => Verdict::Retry { after: None, error },
    }
}

fn told(error: &Error) -> String {
    with_causes(error).chars().take(SHOWN).collect()
}

/// 530 to 535 and 538 are about who we are, 421 and the like about the server.
fn is_about_mail(error: &Error) -> bool {
    let code = error.status().map(u16::from);
    error.is_permanent() && !code.is_some_and(|code| matches!(code, 500..=504 | 530..=538 | 521))
}

async fn try_to_send(settings: &Settings, mail: &Mail, secrets: &Secrets) -> Result<String, Fault> {
    let mut connection = connect(settings, secrets).await?;
    let sent = hand_over(&mut connection, settings, mail, secrets).await;
    // The mail is taken or not, whatever becomes of the goodbye.
    drop(tokio::time::timeout(QUIT_TIMEOUT, connection.quit()).await);
    sent
}

async fn connect(settings: &Settings, secrets: &Secrets) -> Result<AsyncSmtpConnection, Fault> {
    let HostPort { host, port } = &settings.smarthost;
    let port =
        port_number(port).ok_or_else(|| Fault::Own(format!("smarthost: {port:?} is no port")))?;
    let host = if host.is_empty() { "localhost" } else { host };
    let is_implicit = settings.implicit_tls.unwrap_or(port == IMPLICIT_TLS);
    let tls = if is_implicit {
        Some(parameters(settings, host, secrets).map_err(Fault::Own)?)
    } else {
        None
    };
    let hello = hello(settings);
    let target = (host, port);
    let connecting =
        AsyncSmtpConnection::connect_tokio1(target, Some(CONNECT_TIMEOUT), &hello, tls, None);
    let mut connection = connecting.await?;
    if is_implicit {
        return Ok(connection);
    }
    if connection.can_starttls() {
        let tls = parameters(settings, host, secrets).map_err(Fault::Own)?;
        connection.starttls(tls, &hello).await?;
    } else if settings.require_tls {
        connection.abort().await;
        let error = "the server offers no STARTTLS, and require_tls is set";
        return Err(Fault::Own(error.to_owned()));
    }
    Ok(connection)
}

async fn hand_over(
    connection: &mut AsyncSmtpConnection,
    settings: &Settings,
    mail: &Mail,
    secrets: &Secrets,
) -> Result<String, Fault> {
    if settings.login.username.is_some() {
        login::log_in(connection, settings, secrets).await?;
    }
    let refused = name_parties(connection, mail).await?;
    connection.command(Data).await?;
    let answer = connection.message(&mail.bytes).await?;
    let said = answer.message().next().unwrap_or_default();
    let said: String = said
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN)
        .collect();
    Ok(format!("{} {said}{refused}", u16::from(answer.code())))
}

/// Says from whom the mail is and to whom it goes. An address that is refused for good keeps nobody else
/// from being told: only when all are is the mail refused. Returns which were.
async fn name_parties(connection: &mut AsyncSmtpConnection, mail: &Mail) -> Result<String, Fault> {
    let addresses = [&mail.from].into_iter().chain(&mail.to);
    let is_ascii = addresses
        .map(ToString::to_string)
        .all(|text| text.is_ascii());
    let parameters = if is_ascii {
        Vec::new()
    } else {
        vec![MailParameter::SmtpUtfEight]
    };
    let from = commands::Mail::new(Some(mail.from.clone()), parameters);
    connection.command(from).await?;
    let (mut refused, mut last, mut count) = (String::new(), None, 0);
    for address in &mail.to {
        match connection
            .command(Rcpt::new(address.clone(), Vec::new()))
            .await
        {
            Ok(_) => {}
            Err(error) if is_about_mail(&error) => {
                refused += &format!("; not to {address}: {}", told(&error));
                last = Some(error);
                count += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    match last {
        Some(error) if count == mail.to.len() => Err(error.into()),
        _ => Ok(refused),
    }
}

fn hello(settings: &Settings) -> ClientId {
    let name = settings.hello.as_str();
    ClientId::Domain(if name.is_empty() { "localhost" } else { name }.to_owned())
}

/// A port, which may be a name.
fn port_number(text: &str) -> Option<u16> {
    match text {
        "smtp" => Some(25),
        "smtps" | "submissions" => Some(IMPLICIT_TLS),
        "submission" => Some(587),
        number => number.parse().ok(),
    }
}

fn parameters(settings: &Settings, host: &str, secrets: &Secrets) -> Result<TlsParameters, String> {
    let config = &settings.tls;
    let material = Material::read(config, secrets.folder())?;
    let name = config.server_name.as_deref().unwrap_or(host);
    let mut builder = TlsParameters::builder(name.to_owned())
        .certificate_store(CertificateStore::None)
        .dangerous_accept_invalid_certs(config.skip_verification)
        .set_min_tls_version(match config.min_version {
            Some(Version::Tls13) => TlsVersion::Tlsv13,
            _ => TlsVersion::Tlsv12,
        });
    for root in material.roots {
        // Bundles hold certificates that are of no use here, and one is enough.
        if let Ok(root) = Certificate::from_der(root.to_vec()) {
            builder = builder.add_root_certificate(root);
        }
    }
    if let Some((chain, key)) = material.identity {
        // The reason is left out: it could quote the key.
        let identity = Identity::from_pem(&chain, &key);
        let identity = identity.map_err(|_| "our certificate and key cannot be read".to_owned())?;
        builder = builder.identify_with(identity);
    }
    builder.build().map_err(|error| with_causes(&error))
}
