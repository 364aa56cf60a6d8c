//! Sends notifications: the only module that touches the network.
//!
//! A [`Courier`] is built once from a configuration and its templates, and sends one notification to one
//! integration at a time. It tries once; when it is tried again is for whoever keeps the notification.
//! Every wait is bounded, every answer is bounded in size, and what it says of a failure holds no secret:
//! whatever secret it read on the way is taken out of it.

mod http;
mod oauth2;
mod secrets;
mod smtp;
mod tls;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::IntegrationId;
use crate::notification::Notification;
pub use crate::receiver::Verdict;
use crate::receiver::email::Mail;
use crate::receiver::{Attempt, Letter, Settings};
use crate::template::Templates;
use secrets::Secrets;

/// How long one attempt may take in all, with tokens and several requests: what takes longer blocks all
/// that waits behind it.
const LIMIT: Duration = Duration::from_secs(120);

/// Sends notifications to the integrations of one configuration.
pub struct Courier {
    inner: Arc<Inner>,
}

struct Inner {
    integrations: BTreeMap<IntegrationId, Integration>,
    templates: Templates,
    folder: Arc<Path>,
}

struct Integration {
    settings: Settings,
    client: Option<http::Client>,
}

/// What is to be sent.
enum Composed {
    Requests(Vec<Attempt>),
    Mail(Mail),
}

impl Courier {
    /// For these integrations. `folder` is that of the configuration file, where relative paths start.
    pub fn new(
        integrations: impl IntoIterator<Item = (IntegrationId, Settings)>,
        templates: Templates,
        folder: &Path,
    ) -> Self {
        let folder: Arc<Path> = folder.into();
        let integrations = integrations.into_iter().map(|(id, settings)| {
            let http = settings.http().cloned();
            let client = http.map(|config| http::Client::new(config, Arc::clone(&folder)));
            (id, Integration { settings, client })
        });
        Self {
            inner: Arc::new(Inner {
                integrations: integrations.collect(),
                templates,
                folder: Arc::clone(&folder),
            }),
        }
    }

    /// What an operator should know before the first message: templates that cannot be parsed, so that
    /// plain messages would be sent, and settings that have no effect.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (id, integration) in &self.inner.integrations {
            let own = integration.settings.warnings().into_iter();
            warnings.extend(own.map(|warning| format!("{id}: {warning}")));
            for (key, text) in integration.settings.templates() {
                if let Err(wrong) = self.inner.templates.check(key, text) {
                    warnings.push(format!("{id}: {wrong}"));
                }
            }
        }
        warnings
    }

    /// Sends one notification to one integration; never waits longer than the time limits of the
    /// integration. `key` is the same for every attempt at this notification, so that receivers that
    /// know repeats can drop them.
    pub async fn deliver(
        &self,
        integration: &IntegrationId,
        notification: &Notification,
        key: &str,
    ) -> Verdict {
        let Some(found) = self.inner.integrations.get(integration) else {
            return Verdict::Refused {
                error: format!("the configuration has no {integration}"),
            };
        };
        let secrets = Arc::new(Secrets::new(Arc::clone(&self.inner.folder)));
        let attempt = self.attempt((integration, found), (notification, key), &secrets);
        let verdict = tokio::time::timeout(LIMIT, attempt).await;
        let verdict = verdict.unwrap_or_else(|_| Verdict::Retry {
            after: None,
            error: format!("not sent within {} s", LIMIT.as_secs()),
        });
        secrets.hide_in(verdict)
    }

    async fn attempt(
        &self,
        (id, integration): (&IntegrationId, &Integration),
        told: (&Notification, &str),
        secrets: &Arc<Secrets>,
    ) -> Verdict {
        let (composed, failure) = match self.compose(id, told, secrets).await {
            Ok(composed) => composed,
            Err(verdict) => return verdict,
        };
        let verdict = match (composed, &integration.settings) {
            (Composed::Mail(mail), Settings::Email(settings)) => {
                smtp::send(settings, &mail, secrets).await
            }
            (Composed::Requests(attempts), _) => integration.send(&attempts, secrets).await,
            (Composed::Mail(_), _) => Verdict::Refused {
                error: "a mail for what is no mailbox".to_owned(),
            },
        };
        match (verdict, failure) {
            (Verdict::Delivered { detail }, Some(failure)) => Verdict::Delivered {
                detail: format!("{detail}; a plain message was sent, for {failure}"),
            },
            (verdict, _) => verdict,
        }
    }

    /// Writes what is to be sent, away from the threads that wait for the network: templates may take
    /// their time, and so may the files with secrets. Also what failed in it.
    async fn compose(
        &self,
        id: &IntegrationId,
        (notification, key): (&Notification, &str),
        secrets: &Arc<Secrets>,
    ) -> Result<(Composed, Option<String>), Verdict> {
        let (inner, id, secrets) = (Arc::clone(&self.inner), id.clone(), Arc::clone(secrets));
        let (notification, key) = (notification.clone(), key.to_owned());
        let composing = tokio::task::spawn_blocking(move || {
            let read = |source: &_| secrets.read(source);
            let now_ms = Timestamp::now().as_millisecond();
            let told = (&notification, key.as_str());
            let mut letter = Letter::new(told, &inner.templates, &read, now_ms);
            let settings = inner.integrations.get(&id).map(|found| &found.settings);
            let composed = match settings {
                Some(Settings::Email(settings)) => settings.mail(&mut letter).map(Composed::Mail),
                Some(settings) => settings.requests(&mut letter).map(Composed::Requests),
                None => Ok(Composed::Requests(Vec::new())),
            };
            let failure = letter.failure().map(str::to_owned);
            composed.map(|composed| (composed, failure))
        });
        let composed = composing.await.map_err(|_| Verdict::Retry {
            after: None,
            error: "the message could not be written".to_owned(),
        })?;
        composed.map_err(Verdict::from)
    }
}

impl Integration {
    /// Sends requests in their order, as long as they are taken.
    async fn send(&self, attempts: &[Attempt], secrets: &Secrets) -> Verdict {
        let Some(client) = &self.client else {
            return Verdict::Refused {
                error: "a request for what takes none".to_owned(),
            };
        };
        let mut detail = String::new();
        for attempt in attempts {
            let mut verdict = client
                .verdict(&self.settings, &attempt.request, secrets)
                .await;
            if let (Verdict::Refused { error }, Some(instead)) = (&verdict, &attempt.instead) {
                let error = error.clone();
                verdict = match client.verdict(&self.settings, instead, secrets).await {
                    Verdict::Delivered { detail } => Verdict::Delivered {
                        detail: format!("{detail}; a plain message was sent, for {error}"),
                    },
                    verdict => verdict,
                };
            }
            match verdict {
                Verdict::Delivered { detail: said } => detail = said,
                verdict => return verdict,
            }
        }
        Verdict::Delivered { detail }
    }
}
