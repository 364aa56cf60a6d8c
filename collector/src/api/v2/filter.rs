//! Which alerts are asked for.

use notify::matcher::{Matcher, Op};
use store::labels::Labels;

use crate::api::answer::ApiError;
use crate::api::params::Params;
use crate::notify::ShownAlert;

use super::refusal::Refusal;
use super::shape::State;

/// Which alerts are asked for.
#[derive(Debug)]
pub(super) struct Filter {
    matchers: Vec<Matcher>,
    receiver: Option<Matcher>,
    left_out: Vec<Kind>,
}

/// What alerts are left out by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Active,
    Silenced,
    Inhibited,
    Muted,
    Unprocessed,
}

/// The parameters that leave alerts out if they are false.
const KINDS: [(&str, Kind); 5] = [
    ("active", Kind::Active),
    ("silenced", Kind::Silenced),
    ("inhibited", Kind::Inhibited),
    ("muted", Kind::Muted),
    ("unprocessed", Kind::Unprocessed),
];

impl Kind {
    fn has(self, alert: &ShownAlert) -> bool {
        match self {
            // As with Alertmanager one that is only muted counts as active.
            Self::Active => {
                let is_quiet = !alert.silenced_by.is_empty() || !alert.inhibited_by.is_empty();
                State::of(alert) != State::Unprocessed && !is_quiet
            }
            Self::Silenced => !alert.silenced_by.is_empty(),
            Self::Inhibited => !alert.inhibited_by.is_empty(),
            Self::Muted => !alert.muted_by.is_empty(),
            Self::Unprocessed => State::of(alert) == State::Unprocessed,
        }
    }
}

impl Filter {
    pub(super) fn read(params: Result<Params, ApiError>) -> Result<Self, Refusal> {
        let params = read(params)?;
        let receiver = last(&params, "receiver").map(|pattern| {
            let receiver = Matcher::new("receiver", Op::Matches, pattern);
            let wrong = |why| Refusal::wrong(format!("failed to parse receiver param: {why}"));
            receiver.map_err(wrong)
        });
        let is_left_out = |name: &str| last(&params, name).is_some_and(|said| !is_true(said));
        let kinds = KINDS.iter().filter(|(name, _)| is_left_out(name));
        Ok(Self {
            matchers: matchers(&params)?,
            receiver: receiver.transpose()?,
            left_out: kinds.map(|(_, kind)| *kind).collect(),
        })
    }

    /// Whether an alert is asked for, whoever is told.
    pub(super) fn has(&self, alert: &ShownAlert) -> bool {
        let is_left_out = self.left_out.iter().any(|kind| kind.has(alert));
        !is_left_out && all_accept(&self.matchers, &alert.alert.labels)
    }

    /// Whether what this receiver is told is asked for.
    pub(super) fn has_receiver(&self, receiver: &str) -> bool {
        let wanted = self.receiver.as_ref();
        wanted.is_none_or(|wanted| wanted.accepts(receiver))
    }

    /// Whether what some receiver of these is told is asked for.
    pub(super) fn has_some_receiver(&self, receivers: &[String]) -> bool {
        self.receiver.is_none() || receivers.iter().any(|receiver| self.has_receiver(receiver))
    }
}

/// Parameters, or why there are none in the shape of this API.
pub(super) fn read(params: Result<Params, ApiError>) -> Result<Params, Refusal> {
    params.map_err(|error| Refusal::coded(error.status(), error.message()))
}

/// The parameters `filter`, each one matcher.
pub(super) fn matchers(params: &Params) -> Result<Vec<Matcher>, Refusal> {
    let texts = params.all("filter").into_iter();
    let parsed = texts.map(|text| match Matcher::parse(text) {
        Ok((matcher, _)) => Ok(matcher),
        Err(wrong) => Err(Refusal::wrong(wrong.to_string())),
    });
    parsed.collect()
}

fn all_accept(matchers: &[Matcher], labels: &Labels) -> bool {
    let value = |name: &str| labels.get(name).unwrap_or_default();
    let mut matchers = matchers.iter();
    matchers.all(|matcher| matcher.accepts(value(matcher.name())))
}

/// The value that counts: the last one; an empty one is none.
fn last<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    let given = params.all(name).last().copied();
    given.filter(|value| !value.is_empty())
}

/// What Alertmanager takes for yes; everything else is no.
fn is_true(text: &str) -> bool {
    const YES: [&str; 10] = [
        "true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled",
    ];
    YES.contains(&text.to_lowercase().as_str())
}
