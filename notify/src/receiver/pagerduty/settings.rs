//! What the file says of PagerDuty.

use std::time::Duration;

use rules::Problems;
use rules::yaml::Cursor;

use super::super::read::{self, template};
use super::super::shape::Shape;
use crate::config::{Global, HttpConfig, SecretSource, Url, value};

/// What the file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(in super::super) http: HttpConfig,
    pub(super) integration: Integration,
    pub(super) url: Url,
    /// Whether the address is not PagerDuty's, which differs between the versions of its API.
    pub(super) has_own_url: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) client: String,
    pub(super) client_url: String,
    pub(super) description: String,
    pub(super) severity: String,
    /// The client where there is none.
    pub(super) source: Option<String>,
    pub(super) class: String,
    pub(super) component: String,
    pub(super) group: String,
    pub(super) details: Vec<(String, Shape)>,
    pub(super) images: Vec<Image>,
    pub(super) links: Vec<Link>,
}

/// Which API, and the key to it, which may be a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Integration {
    V1(SecretSource),
    V2(SecretSource),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Image {
    pub(super) src: String,
    pub(super) alt: String,
    pub(super) href: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Link {
    pub(super) href: String,
    pub(super) text: String,
}

const KEYS: [&str; 19] = [
    "send_resolved",
    "http_config",
    "service_key",
    "service_key_file",
    "routing_key",
    "routing_key_file",
    "url",
    "client",
    "client_url",
    "description",
    "details",
    "images",
    "links",
    "source",
    "severity",
    "class",
    "component",
    "group",
    "timeout",
];

/// What is told in detail unless the file says otherwise of a name.
const DETAILS: [(&str, &str); 4] = [
    (
        "firing",
        r#"{{ template "pagerduty.default.instances" .Alerts.Firing }}"#,
    ),
    (
        "resolved",
        r#"{{ template "pagerduty.default.instances" .Alerts.Resolved }}"#,
    ),
    ("num_firing", "{{ .Alerts.Firing | len }}"),
    ("num_resolved", "{{ .Alerts.Resolved | len }}"),
];

impl Settings {
    pub(in super::super) fn read(
        at: &Cursor<'_>,
        global: &Global,
        problems: &mut Problems,
    ) -> Option<Self> {
        at.fields(&KEYS, problems);
        let integration = integration(at, problems);
        let own_url = value::url(at, "url", problems);
        let images = at.list("images", problems);
        let links = at.list("links", problems);
        let details = details(at, problems);
        let http = read::http(at, global, problems);
        let timeout = read::timeout(at, problems);
        let source = value::text(at, "source", problems);
        let url = own_url.unwrap_or_else(|| global.pagerduty_url.clone());
        let mut own = |key: &str, default: &str| template(at, key, default, problems);
        Some(Self {
            http,
            has_own_url: url != Global::default().pagerduty_url,
            url,
            timeout,
            client: own("client", r#"{{ template "pagerduty.default.client" . }}"#),
            client_url: own(
                "client_url",
                r#"{{ template "pagerduty.default.clientURL" . }}"#,
            ),
            description: own(
                "description",
                r#"{{ template "pagerduty.default.description" . }}"#,
            ),
            severity: own("severity", "error"),
            source,
            class: own("class", ""),
            component: own("component", ""),
            group: own("group", ""),
            details,
            images: images.iter().map(|at| Image::read(at, problems)).collect(),
            links: links.iter().map(|at| Link::read(at, problems)).collect(),
            integration: integration?,
        })
    }

    pub(in super::super) fn templates(&self) -> Vec<(&'static str, &str)> {
        let mut templates = vec![
            ("client", self.client.as_str()),
            ("client_url", &self.client_url),
            ("description", &self.description),
            ("severity", &self.severity),
            ("source", self.source.as_deref().unwrap_or_default()),
            ("class", &self.class),
            ("component", &self.component),
            ("group", &self.group),
        ];
        for (_, value) in &self.details {
            value.templates("details", &mut templates);
        }
        for image in &self.images {
            let texts = [&image.src, &image.alt, &image.href];
            templates.extend(texts.map(|text| ("images", text.as_str())));
        }
        for link in &self.links {
            templates.extend([("links", link.href.as_str()), ("links", &link.text)]);
        }
        templates
    }
}

fn integration(at: &Cursor<'_>, problems: &mut Problems) -> Option<Integration> {
    let routing = value::secret(at, "routing_key", problems);
    let service = value::secret(at, "service_key", problems);
    if routing.is_some() && service.is_some() {
        let message = "at most one of routing_key and service_key may be set";
        at.problem(problems, message, "remove one of them");
    }
    if routing.is_none() && service.is_none() {
        let hint = "add routing_key: the integration key of a service, type Events API v2";
        read::missing(at, "routing_key", hint, problems);
    }
    let v2 = routing.map(Integration::V2);
    v2.or(service.map(Integration::V1))
}

fn details(at: &Cursor<'_>, problems: &mut Problems) -> Vec<(String, Shape)> {
    let mut details = Vec::new();
    if let Some(at) = at.get("details") {
        for (name, value) in at.entries(problems) {
            details.push((name.to_owned(), Shape::read(&value, problems)));
        }
    }
    for (name, template) in DETAILS {
        if !details.iter().any(|(known, _)| known == name) {
            details.push((name.to_owned(), Shape::Text(template.to_owned())));
        }
    }
    details
}

impl Image {
    fn read(at: &Cursor<'_>, problems: &mut Problems) -> Self {
        at.fields(&["src", "alt", "href"], problems);
        let mut own = |key: &str| template(at, key, "", problems);
        Self {
            src: own("src"),
            alt: own("alt"),
            href: own("href"),
        }
    }
}

impl Link {
    fn read(at: &Cursor<'_>, problems: &mut Problems) -> Self {
        at.fields(&["href", "text"], problems);
        let mut own = |key: &str| template(at, key, "", problems);
        Self {
            href: own("href"),
            text: own("text"),
        }
    }
}
