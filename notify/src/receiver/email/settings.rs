//! What the file says of mail.

use rules::Problems;
use rules::yaml::Cursor;

use super::super::read::{self, template};
use crate::config::{Global, HostPort, SecretSource, TlsConfig, value};

/// What the file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(super) to: String,
    pub(super) from: String,
    pub(super) html: String,
    pub(super) text: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) threading: Threading,
    /// The server that takes it.
    pub smarthost: HostPort,
    /// Who we say that we are.
    pub hello: String,
    /// How we log in.
    pub login: Login,
    /// Whether a connection without TLS is refused.
    pub require_tls: bool,
    /// Whether TLS begins at once, rather than by STARTTLS; where nothing is said, on port 465.
    pub implicit_tls: Option<bool>,
    /// Whom to trust.
    pub tls: TlsConfig,
}

/// How we log in; not at all without a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Login {
    /// Our name.
    pub username: Option<String>,
    /// Our password, for LOGIN and PLAIN.
    pub password: Option<SecretSource>,
    /// Our secret, for CRAM-MD5.
    pub secret: Option<SecretSource>,
    /// In whose name, for PLAIN.
    pub identity: Option<String>,
}

/// Which mails a client shows together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Threading {
    No,
    /// All of a group.
    Group,
    /// All of a group on one day.
    GroupAndDay,
}

const KEYS: [&str; 18] = [
    "send_resolved",
    "to",
    "from",
    "hello",
    "smarthost",
    "auth_username",
    "auth_password",
    "auth_password_file",
    "auth_secret",
    "auth_secret_file",
    "auth_identity",
    "headers",
    "html",
    "text",
    "require_tls",
    "tls_config",
    "force_implicit_tls",
    "threading",
];

impl Settings {
    pub(in super::super) fn read(
        at: &Cursor<'_>,
        global: &Global,
        problems: &mut Problems,
    ) -> Option<Self> {
        at.fields(&KEYS, problems);
        let smtp = &global.smtp;
        let to = value::text(at, "to", problems);
        if to.is_none() {
            read::missing(at, "to", "add the addresses, parted by commas", problems);
        }
        let from = value::text(at, "from", problems).or_else(|| smtp.from.clone());
        if from.is_none() {
            let hint = "add from here, or smtp_from under global";
            read::missing(at, "from", hint, problems);
        }
        let smarthost = value::host_port(at, "smarthost", problems);
        let smarthost = smarthost.or_else(|| smtp.smarthost.clone());
        if smarthost.is_none() && at.get("smarthost").is_none() {
            let hint = "add smarthost here, or smtp_smarthost under global";
            read::missing(at, "smarthost", hint, problems);
        }
        let html = r#"{{ template "email.default.html" . }}"#;
        let text = r#"{{ template "email.default.text" . }}"#;
        let tls = at.get("tls_config");
        let headers = headers(at, problems);
        Some(Self {
            to: to?,
            from: from?,
            smarthost: smarthost?,
            html: template(at, "html", html, problems),
            text: template(at, "text", text, problems),
            threading: threading(at, &headers, problems),
            headers,
            hello: value::text(at, "hello", problems).unwrap_or_else(|| smtp.hello.clone()),
            login: login(at, global, problems),
            require_tls: at.flag("require_tls", problems).unwrap_or(smtp.require_tls),
            implicit_tls: at
                .flag("force_implicit_tls", problems)
                .or(smtp.implicit_tls),
            tls: tls.map_or_else(|| smtp.tls.clone(), |tls| TlsConfig::read(&tls, problems)),
        })
    }

    pub(in super::super) fn templates(&self) -> Vec<(&'static str, &str)> {
        let mut templates = vec![
            ("to", self.to.as_str()),
            ("from", &self.from),
            ("html", &self.html),
            ("text", &self.text),
        ];
        let headers = self.headers.iter();
        templates.extend(headers.map(|(_, value)| ("headers", value.as_str())));
        templates
    }
}

fn login(at: &Cursor<'_>, global: &Global, problems: &mut Problems) -> Login {
    let smtp = &global.smtp;
    let username = value::text(at, "auth_username", problems);
    let password = value::secret(at, "auth_password", problems);
    let secret = value::secret(at, "auth_secret", problems);
    let identity = value::text(at, "auth_identity", problems);
    Login {
        username: username.or_else(|| smtp.username.clone()),
        password: password.or_else(|| smtp.password.clone()),
        secret: secret.or_else(|| smtp.secret.clone()),
        identity: identity.or_else(|| smtp.identity.clone()),
    }
}

fn headers(at: &Cursor<'_>, problems: &mut Problems) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value, place) in at.texts("headers", problems) {
        if headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            place.key_problem(
                problems,
                format!("the header {name:?} stands here twice"),
                "",
            );
        }
        let is_name = name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b':');
        if !is_name || name.is_empty() {
            place.key_problem(problems, format!("{name:?} is no name of a header"), "");
        }
        headers.push((name.to_owned(), value.to_owned()));
    }
    headers
}

fn threading(at: &Cursor<'_>, headers: &[(String, String)], problems: &mut Problems) -> Threading {
    let Some(at) = at.get("threading") else {
        return Threading::No;
    };
    at.fields(&["enabled", "thread_by_date"], problems);
    let is_enabled = read::flag(&at, "enabled", problems);
    let by_date = at.text("thread_by_date", problems).unwrap_or_default();
    if !is_enabled {
        return Threading::No;
    }
    let ours = ["References", "In-Reply-To"];
    for name in ours {
        if headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            let message = format!("threading and a header {name} of one's own exclude each other");
            at.problem(problems, message, "remove one of them");
        }
    }
    match by_date {
        "none" => Threading::Group,
        "daily" => Threading::GroupAndDay,
        _ => {
            let message = format!("thread_by_date: expected none or daily, got {by_date:?}");
            at.problem(problems, message, "");
            Threading::No
        }
    }
}
