//! `global`: what holds for all receivers that do not say otherwise.
//!
//! The keys of receivers that are not known here are read all the same, so that a file with them says
//! what is wrong with it; they change nothing.

use std::time::Duration;

use rules::Problems;
use rules::yaml::Cursor;

use super::http::HttpConfig;
use super::tls::TlsConfig;
use super::value::{self, HostPort, SecretSource, Url};

/// What holds for all receivers.
#[derive(Clone, Debug, PartialEq)]
pub struct Global {
    /// When an alert is over that is not heard of again and did not say itself when.
    pub resolve_timeout: Duration,
    /// How requests are sent.
    pub http: HttpConfig,
    /// How mail is sent.
    pub smtp: Smtp,
    /// Of Slack.
    pub slack: Slack,
    /// Where PagerDuty takes events.
    pub pagerduty_url: Url,
    /// Of Opsgenie.
    pub opsgenie: Opsgenie,
    /// Of Telegram.
    pub telegram: Telegram,
}

/// How mail is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Smtp {
    /// From whom; a template.
    pub from: Option<String>,
    /// Who we say that we are.
    pub hello: String,
    /// To which server.
    pub smarthost: Option<HostPort>,
    /// Our name there.
    pub username: Option<String>,
    /// Our password, for LOGIN and PLAIN.
    pub password: Option<SecretSource>,
    /// Our secret, for CRAM-MD5.
    pub secret: Option<SecretSource>,
    /// In whose name, for PLAIN.
    pub identity: Option<String>,
    /// Whether a connection without TLS is refused.
    pub require_tls: bool,
    /// Whom to trust.
    pub tls: TlsConfig,
    /// Whether TLS begins at once, rather than by STARTTLS; where nothing is said, on port 465.
    pub implicit_tls: Option<bool>,
}

/// Where Slack takes messages: a webhook, or its API with the token of an app.
#[derive(Clone, Debug, PartialEq)]
pub struct Slack {
    /// The address of a webhook.
    pub api_url: Option<SecretSource>,
    /// The token of an app.
    pub app_token: Option<SecretSource>,
    /// Where the API takes messages.
    pub app_url: Url,
}

/// Where Opsgenie takes alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct Opsgenie {
    /// The address of the API.
    pub api_url: Url,
    /// The key to it.
    pub api_key: Option<SecretSource>,
}

/// Where Telegram takes messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Telegram {
    /// The address of the API.
    pub api_url: Url,
    /// Whose messages they are.
    pub bot_token: Option<SecretSource>,
}

/// What Alertmanager takes for alerts that say no end.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(300);

const KEYS: [&str; 42] = [
    "resolve_timeout",
    "http_config",
    "smtp_from",
    "smtp_hello",
    "smtp_smarthost",
    "smtp_auth_username",
    "smtp_auth_password",
    "smtp_auth_password_file",
    "smtp_auth_secret",
    "smtp_auth_secret_file",
    "smtp_auth_identity",
    "smtp_require_tls",
    "smtp_tls_config",
    "smtp_force_implicit_tls",
    "slack_api_url",
    "slack_api_url_file",
    "slack_app_token",
    "slack_app_token_file",
    "slack_app_url",
    "pagerduty_url",
    "opsgenie_api_url",
    "opsgenie_api_key",
    "opsgenie_api_key_file",
    "telegram_api_url",
    "telegram_bot_token",
    "telegram_bot_token_file",
    "jira_api_url",
    "wechat_api_url",
    "wechat_api_secret",
    "wechat_api_secret_file",
    "wechat_api_corp_id",
    "victorops_api_url",
    "victorops_api_key",
    "victorops_api_key_file",
    "webex_api_url",
    "rocketchat_api_url",
    "rocketchat_token",
    "rocketchat_token_file",
    "rocketchat_token_id",
    "rocketchat_token_id_file",
    "mattermost_webhook_url",
    "mattermost_webhook_url_file",
];

/// Addresses, secrets and secret addresses of receivers that we do not have.
const OTHER_URLS: [&str; 5] = [
    "jira_api_url",
    "wechat_api_url",
    "victorops_api_url",
    "webex_api_url",
    "rocketchat_api_url",
];
const OTHER_SECRETS: [&str; 4] = [
    "wechat_api_secret",
    "victorops_api_key",
    "rocketchat_token",
    "rocketchat_token_id",
];

impl Default for Global {
    fn default() -> Self {
        Self {
            resolve_timeout: RESOLVE_TIMEOUT,
            http: HttpConfig::default(),
            smtp: Smtp::default(),
            slack: Slack {
                api_url: None,
                app_token: None,
                app_url: fixed("https://slack.com/api/chat.postMessage"),
            },
            pagerduty_url: fixed("https://events.pagerduty.com/v2/enqueue"),
            opsgenie: Opsgenie {
                api_url: fixed("https://api.opsgenie.com/"),
                api_key: None,
            },
            telegram: Telegram {
                api_url: fixed("https://api.telegram.org"),
                bot_token: None,
            },
        }
    }
}

impl Default for Smtp {
    fn default() -> Self {
        Self {
            from: None,
            hello: "localhost".to_owned(),
            smarthost: None,
            username: None,
            password: None,
            secret: None,
            identity: None,
            require_tls: true,
            tls: TlsConfig::default(),
            implicit_tls: None,
        }
    }
}

/// One of the addresses above.
fn fixed(text: &str) -> Url {
    Url::parse(text).expect("it is an address, as a test shows")
}

impl Global {
    /// Reads the section.
    pub fn read(at: &Cursor<'_>, problems: &mut Problems) -> Self {
        at.fields(&KEYS, problems);
        for key in OTHER_URLS {
            value::url(at, key, problems);
        }
        for key in OTHER_SECRETS {
            value::secret(at, key, problems);
        }
        value::secret_url(at, "mattermost_webhook_url", problems);
        let global = Self::default();
        let http = at.get("http_config");
        let url = |key: &str, default: Url, problems: &mut Problems| {
            value::url(at, key, problems).unwrap_or(default)
        };
        Self {
            resolve_timeout: at
                .duration("resolve_timeout", problems)
                .unwrap_or(global.resolve_timeout),
            http: http.map_or(global.http, |http| HttpConfig::read(&http, problems)),
            smtp: Smtp::read(at, problems),
            slack: slack(at, global.slack.app_url, problems),
            pagerduty_url: url("pagerduty_url", global.pagerduty_url, problems),
            opsgenie: Opsgenie {
                api_url: url("opsgenie_api_url", global.opsgenie.api_url, problems),
                api_key: value::secret(at, "opsgenie_api_key", problems),
            },
            telegram: Telegram {
                api_url: url("telegram_api_url", global.telegram.api_url, problems),
                bot_token: value::secret(at, "telegram_bot_token", problems),
            },
        }
    }
}

fn slack(at: &Cursor<'_>, app_url: Url, problems: &mut Problems) -> Slack {
    let slack = Slack {
        api_url: value::secret_url(at, "slack_api_url", problems),
        app_token: value::secret(at, "slack_app_token", problems),
        app_url: value::url(at, "slack_app_url", problems).unwrap_or(app_url),
    };
    // The same address in both is how tokens were given before there was a key for them.
    let is_the_same = match &slack.api_url {
        Some(SecretSource::Inline(url)) => url.reveal() == slack.app_url.to_string(),
        _ => false,
    };
    if slack.app_token.is_some() && slack.api_url.is_some() && !is_the_same {
        let message = "at most one of slack_app_token and slack_api_url may be set";
        at.problem(problems, message, "remove one of them");
    }
    slack
}

impl Smtp {
    fn read(at: &Cursor<'_>, problems: &mut Problems) -> Self {
        let tls = at.get("smtp_tls_config");
        Self {
            from: value::text(at, "smtp_from", problems),
            // Empty means empty here, as in Alertmanager, where it leaves out the greeting's name.
            hello: match at.text("smtp_hello", problems) {
                Some(hello) => hello.to_owned(),
                None => Self::default().hello,
            },
            smarthost: value::host_port(at, "smtp_smarthost", problems),
            username: value::text(at, "smtp_auth_username", problems),
            password: value::secret(at, "smtp_auth_password", problems),
            secret: value::secret(at, "smtp_auth_secret", problems),
            identity: value::text(at, "smtp_auth_identity", problems),
            require_tls: at.flag("smtp_require_tls", problems) != Some(false),
            tls: tls.map_or_else(TlsConfig::default, |tls| TlsConfig::read(&tls, problems)),
            implicit_tls: at.flag("smtp_force_implicit_tls", problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_addresses() {
        let global = Global::default();
        assert_eq!(
            global.telegram.api_url.to_string(),
            "https://api.telegram.org/"
        );
    }
}
