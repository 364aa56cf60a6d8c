//! `nightshift silence`: keeps alerts quiet for a time, over the collector's API.

mod id;
mod table;

use std::time::Duration;

use clap::{Args, Subcommand};
use http::Method;
use notify::matcher::Matcher;
use serde_json::{Value, json};
use wire::quantity::Period;

use crate::api::time;

use super::asking::{Asking, Output, moment};
use super::query::{Collector, Failure, Moment, Shown, encoded};

/// How long to wait for an answer: it is not computed, only looked up or written.
const PATIENCE: Duration = Duration::from_secs(30);

/// The options of `silence`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  it was done
  1  the collector cannot be reached, or not now
  2  the command line is wrong, or what it asks for
  3  there is no such silence

Examples:
  nightshift silence add alertname=DiskFull host=~'db[12]' --for 2h --comment 'new disks at noon'
  nightshift silence add DiskFull --until 2026-01-31T08:00:00Z --comment 'until the vendor comes'
  nightshift silence list
  nightshift silence expire 6e8f")]
pub struct Silence {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Where it is asked, and how the answer is shown.
    #[command(flatten)]
    pub asking: Asking,
}

/// What can be done with silences.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Keeps alerts quiet that all of the matchers accept. Prints the silence's id.
    Add {
        /// LABEL=VALUE, LABEL!=VALUE, LABEL=~PATTERN or LABEL!~PATTERN; a first one without any of these
        /// is the name of an alert
        #[arg(value_name = "MATCHER", required = true)]
        matchers: Vec<String>,
        /// How long
        #[arg(
            long = "for",
            value_name = "DURATION",
            default_value = "1h",
            conflicts_with = "until"
        )]
        lasts: Period,
        /// Until when: seconds since 1970, or RFC 3339
        #[arg(long, value_name = "TIME")]
        until: Option<Moment>,
        /// Why, for whoever wonders what is so quiet
        #[arg(long, short, value_name = "TEXT")]
        comment: String,
        /// Who wants it
        #[arg(
            long = "as",
            value_name = "NAME",
            env = "USER",
            default_value = "unknown"
        )]
        name: String,
    },
    /// Lists silences, the next to end first.
    List {
        /// Those that are over as well
        #[arg(long)]
        expired: bool,
        /// Only those with this matcher
        #[arg(long = "match", value_name = "MATCHER")]
        matchers: Vec<String>,
    },
    /// Shows a silence, and the alerts that it keeps quiet now.
    Show {
        /// Its id, or how it begins.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Ends silences now.
    Expire {
        /// Their ids, or how they begin.
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
}

impl Silence {
    /// Asks and shows; `now_ms` is what `now` means.
    pub fn run(&self, now_ms: i64) -> Result<Shown, Failure> {
        let desk = Desk {
            collector: self.asking.asked.collector()?,
            output: self.asking.output,
            now_ms,
        };
        match &self.command {
            Command::Add {
                matchers,
                lasts,
                until,
                comment,
                name,
            } => {
                let ends_at_ms = end(until.as_ref(), *lasts, now_ms)?;
                let matchers = parsed(matchers)?;
                let body = json!({
                    "matchers": matchers.iter().map(shape).collect::<Vec<_>>(),
                    "startsAt": time::rfc3339(now_ms),
                    "endsAt": time::rfc3339(ends_at_ms),
                    "createdBy": name,
                    "comment": comment,
                });
                desk.add(&body, ends_at_ms)
            }
            Command::List { expired, matchers } => desk.list(*expired, matchers),
            Command::Show { id } => desk.show(id),
            Command::Expire { ids } => desk.expire(ids),
        }
    }
}

/// Where it is asked, and how answers are shown.
struct Desk {
    collector: Collector,
    output: Output,
    now_ms: i64,
}

impl Desk {
    fn add(&self, body: &Value, ends_at_ms: i64) -> Result<Shown, Failure> {
        let told = self.ask(Method::POST, "silences", Some(body))?;
        let id = told["silenceID"].as_str().unwrap_or_default();
        let lasts = Duration::from_secs((ends_at_ms - self.now_ms).unsigned_abs() / 1_000);
        let until = moment(&time::rfc3339(ends_at_ms));
        let quiet = match self.quiet(id) {
            Ok(alerts) => format!("; {} now", table::count(alerts.len())),
            // The silence stands; what it does can be asked again.
            Err(_unknown) => String::new(),
        };
        Ok(Shown {
            out: self.output.write(&told, |_| format!("{id}\n")),
            notes: format!("until {until}, for {}{quiet}\n", Period(lasts)),
        })
    }

    fn list(&self, expired: bool, matchers: &[String]) -> Result<Shown, Failure> {
        let filters = parsed(matchers)?;
        let filters = filters.iter().map(|one| encoded(&one.to_string()));
        let filters: Vec<String> = filters.map(|one| format!("filter={one}")).collect();
        let path = format!("silences?{}", filters.join("&"));
        let mut silences = array(self.ask(Method::GET, &path, None)?);
        silences.retain(|silence| expired || silence["status"]["state"] != "expired");
        Ok(self.shown(silences, |silences| table::silences(silences, self.now_ms)))
    }

    fn show(&self, id: &str) -> Result<Shown, Failure> {
        let silence = self.find(id)?;
        let quiet = self.quiet(silence["id"].as_str().unwrap_or_default())?;
        Ok(Shown {
            out: self.output.write(&silence, |silence| {
                table::silence(silence, &quiet, self.now_ms)
            }),
            notes: String::new(),
        })
    }

    /// All ids are looked for before anything is ended.
    fn expire(&self, ids: &[String]) -> Result<Shown, Failure> {
        let found: Result<Vec<Value>, Failure> = ids.iter().map(|id| self.find(id)).collect();
        let found = found?;
        for silence in &found {
            let id = silence["id"].as_str().unwrap_or_default();
            self.ask(Method::DELETE, &format!("silence/{id}"), None)?;
        }
        Ok(self.shown(found, table::ended))
    }

    /// The alerts that a silence keeps quiet now.
    fn quiet(&self, id: &str) -> Result<Vec<Value>, Failure> {
        let mut alerts = array(self.ask(Method::GET, "alerts?active=false", None)?);
        alerts.retain(|alert| {
            let silences = alert["status"]["silencedBy"].as_array();
            silences.is_some_and(|ids| ids.iter().any(|one| one == id))
        });
        Ok(alerts)
    }

    fn find(&self, id: &str) -> Result<Value, Failure> {
        let silences = array(self.ask(Method::GET, "silences", None)?);
        id::find(silences, id)
    }

    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.collector.v2(method, path, body, PATIENCE)
    }

    fn shown(&self, items: Vec<Value>, table: impl Fn(&[Value]) -> String) -> Shown {
        let items = Value::Array(items);
        let table = |items: &Value| table(items.as_array().map_or(&[], Vec::as_slice));
        Shown {
            out: self.output.write(&items, table),
            notes: String::new(),
        }
    }
}

fn end(until: Option<&Moment>, lasts: Period, now_ms: i64) -> Result<i64, Failure> {
    let (ends_at_ms, option) = match until {
        Some(until) => (until.at(now_ms), "--until"),
        None => {
            let lasts_ms = i64::try_from(lasts.0.as_millis()).unwrap_or(i64::MAX);
            (now_ms.saturating_add(lasts_ms), "--for")
        }
    };
    if ends_at_ms > now_ms {
        return Ok(ends_at_ms);
    }
    let hint = "write how long as --for 2h, or a time to come as --until 2030-01-31T08:00:00Z";
    let failure = Failure::usage(format!("{option}: the silence would be over already"));
    Err(failure.with_hint(Some(hint.to_owned())))
}

/// The matchers; a first one that has no operator is the name of an alert.
fn parsed(texts: &[String]) -> Result<Vec<Matcher>, Failure> {
    let mut matchers = Vec::with_capacity(texts.len());
    for (place, text) in texts.iter().enumerate() {
        let is_name = place == 0 && !text.contains(['=', '~', '{']);
        let named = if is_name {
            Matcher::new("alertname", notify::matcher::Op::Equal, text.as_str())
        } else {
            Matcher::parse(text).map(|(matcher, _)| matcher)
        };
        let hint = "write LABEL=VALUE, LABEL!=VALUE, LABEL=~PATTERN or LABEL!~PATTERN, in quotes for the shell";
        matchers.push(named.map_err(|wrong| {
            Failure::usage(format!("{text}: {wrong}")).with_hint(Some(hint.to_owned()))
        })?);
    }
    Ok(matchers)
}

fn shape(matcher: &Matcher) -> Value {
    json!({
        "name": matcher.name(),
        "value": matcher.value(),
        "isRegex": matcher.op().is_regex(),
        "isEqual": matcher.op().is_equal(),
    })
}

fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read() {
        let check = |texts: &[&str], expected: Result<&str, &str>| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            match (parsed(&texts), expected) {
                (Ok(found), Ok(expected)) => {
                    let found: Vec<String> = found.iter().map(Matcher::to_string).collect();
                    assert_eq!(found.join(" "), expected);
                }
                (Err(failure), Err(part)) => {
                    assert!(failure.to_string().contains(part), "{failure}");
                    assert_eq!(failure.code(), 2);
                }
                (found, _) => panic!("{texts:?}: {found:?}"),
            }
        };
        check(
            &["DiskFull", "host=~db.*"],
            Ok(r#"alertname="DiskFull" host=~"db.*""#),
        );
        check(&["host!=db1"], Ok(r#"host!="db1""#));
        check(&["a=b", "DiskFull"], Err("hint: write LABEL=VALUE"));
        check(&["a=~("], Err("not a regular expression"));
    }

    #[test]
    fn a_silence_ends_later() {
        let until = |at_ms| Some(Moment::At(at_ms));
        let check = |until: Option<Moment>, lasts, expected: Option<i64>| {
            let found = end(
                until.as_ref(),
                Period(Duration::from_secs(lasts)),
                1_000_000,
            )
            .ok();
            assert_eq!(found, expected);
        };
        check(None, 60, Some(1_060_000));
        check(until(2_000_000), 60, Some(2_000_000));
        check(None, 0, None);
        check(until(1_000_000), 60, None);
        check(None, u64::MAX, Some(i64::MAX));
    }
}
