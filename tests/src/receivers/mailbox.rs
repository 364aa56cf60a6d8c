//! A mail server with a mailbox: Debian's exim, run from a configuration of its own.
//!
//! It takes mail for anybody from those who log in, or from all where nobody can, and puts it into one
//! folder. Mail to `refused@` is refused for good, to `later@` for now.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{User, geteuid};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::lab::Account;
use crate::lab::folder::Folder;
use crate::lab::launch::Launch;
use crate::lab::ports::Port;
use crate::lab::process::Process;
use crate::wait::{GENEROUS, wait_for};

const PROGRAM: &str = "/usr/sbin/exim4";
const HOME: &str = "exim";

/// The account that Debian's package makes.
const ACCOUNT: &str = "Debian-exim";

/// How its connections are kept from strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all, and nobody logs in.
    None,
    /// STARTTLS is offered, and who does not log in, by PLAIN or LOGIN, is refused.
    StartTls,
    /// The same with TLS from the beginning, and by LOGIN alone.
    ImplicitTls,
    /// Logging in without TLS, by CRAM-MD5 alone.
    Challenge,
}

impl Security {
    fn macros(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::StartTls => &["TLS", "PLAIN", "PROMPTS"],
            Self::ImplicitTls => &["TLS", "IMPLICIT", "PROMPTS"],
            Self::Challenge => &["CHALLENGE"],
        }
    }
}

/// A mail as it lies in the mailbox.
#[derive(Clone, Debug)]
pub struct Mail {
    /// All of it.
    pub text: String,
}

impl Mail {
    /// The value of a header, on one line.
    #[must_use]
    pub fn header(&self, wanted: &str) -> Option<String> {
        let head = self
            .text
            .split("\n\n")
            .next()?
            .replace("\n ", " ")
            .replace("\n\t", " ");
        let mut lines = head.lines();
        lines.find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case(wanted)
                .then(|| value.trim().to_owned())
        })
    }
}

/// The server and its mailbox, which vanish with the value.
#[derive(Debug)]
pub struct Mailbox {
    folder: Arc<Folder>,
    port: Port,
    process: Process,
}

impl Mailbox {
    /// Who may log in, and with which password.
    pub const LOGIN: (&str, &str) = ("nightshift", "pass-word 1");

    /// Starts the server and waits until it takes connections.
    pub async fn start(security: Security) -> Result<Self> {
        ensure!(
            Path::new(PROGRAM).exists(),
            "no {PROGRAM}; scripts/setup.sh installs it"
        );
        ensure!(
            geteuid().is_root(),
            "only root can run exim from a configuration of its own"
        );
        let folder = Folder::new()?;
        let port = Port::claim()?;
        let home = folder.path().join(HOME);
        let account = User::from_name(ACCOUNT)?.context("no account of exim")?;
        for name in ["", "spool", "log", "mail"] {
            let path = home.join(name);
            fs::create_dir_all(&path)?;
            chown(
                &path,
                Some(account.uid.as_raw()),
                Some(account.gid.as_raw()),
            )?;
        }
        // The lab's folder is its owner's alone; exim must get through it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        certificate(&home)?;
        let settings = home.join("exim.conf");
        fs::write(&settings, configuration(&home, port.number(), security))?;
        let launch = Launch::new(HOME, PROGRAM, Account::Own)
            .args(["-C".as_ref(), settings.as_os_str()])
            .args(["-bdf", "-q10m"]);
        let process = folder.start(&launch)?;
        let mailbox = Self {
            folder,
            port,
            process,
        };
        wait_for("exim takes connections", GENEROUS, || {
            mailbox.greets(security)
        })
        .await?;
        Ok(mailbox)
    }

    async fn greets(&self, security: Security) -> Result<()> {
        self.process.check_running()?;
        let mut stream = TcpStream::connect(("127.0.0.1", self.port.number())).await?;
        if security == Security::ImplicitTls {
            return Ok(());
        }
        let mut greeting = [0; 3];
        stream.read_exact(&mut greeting).await?;
        ensure!(&greeting == b"220", "{greeting:?}");
        Ok(())
    }

    /// Where it takes mail, as `smarthost` has it.
    #[must_use]
    pub fn smarthost(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// The file with its certificate, for `127.0.0.1` and `localhost`.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join(HOME).join("exim.crt")
    }

    /// What lies in the mailbox, in the order in which it came.
    pub fn mails(&self) -> Result<Vec<Mail>> {
        let folder = self.folder.path().join(HOME).join("mail/new");
        let Ok(entries) = fs::read_dir(&folder) else {
            return Ok(Vec::new());
        };
        let mut paths = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()?;
        // The names begin with the time.
        paths.sort();
        let texts = paths.iter().map(fs::read);
        let mails = texts.map(|text| {
            let text = String::from_utf8_lossy(&text?).replace("\r\n", "\n");
            Ok(Mail { text })
        });
        mails.collect()
    }

    /// Waits until so many mails lie there.
    pub async fn wait_for(&self, count: usize) -> Result<Vec<Mail>> {
        wait_for("mail in the mailbox", GENEROUS, || async {
            let mails = self.mails()?;
            if mails.len() < count {
                bail!("{} of {count} mails; the log: {}", mails.len(), self.log());
            }
            Ok(mails)
        })
        .await
    }

    /// What the server wrote down of what it did.
    #[must_use]
    pub fn log(&self) -> String {
        let path = self.folder.path().join(HOME).join("log/main");
        fs::read_to_string(path).unwrap_or_default()
    }
}

fn certificate(home: &Path) -> Result<()> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    let files = [
        ("exim.crt", made.cert.pem()),
        ("exim.key", made.signing_key.serialize_pem()),
    ];
    for (name, text) in files {
        fs::write(home.join(name), text)?;
        fs::set_permissions(home.join(name), fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

/// The text of the configuration behind the macros that it goes by.
fn configuration(home: &Path, port: u16, security: Security) -> String {
    let (user, password) = Mailbox::LOGIN;
    let home = home.display();
    let mut text = format!("LAB_HOME = {home}\nLAB_PORT = {port}\n");
    for name in security.macros() {
        text += &format!("LAB_{name} = yes\n");
    }
    if security != Security::None {
        text += &format!("LAB_USER = {user}\nLAB_WORD = {password}\n");
    }
    text + include_str!("exim.conf")
}
