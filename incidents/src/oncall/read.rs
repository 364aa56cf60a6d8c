//! Reads the file, and checks that everything that it names is there.

mod policy;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use rules::yaml::{self, Cursor};
use rules::{Problem, Problems};

use super::schedule::{Layer, Override, Schedule, Window, instant};
use super::{MAX_BYTES, OnCall};

/// A turn longer than a year is a mistake.
const MOST_DAYS: i32 = 366;

const WEEK: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// What may be named elsewhere in the file.
struct Names<'a> {
    people: BTreeSet<String>,
    schedules: BTreeSet<String>,
    receivers: Option<&'a BTreeSet<String>>,
}

pub(super) fn file(
    bytes: &[u8],
    receivers: Option<&BTreeSet<String>>,
) -> Result<OnCall, Vec<Problem>> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, more than {MAX_BYTES}", bytes.len());
        return Err(vec![Problem::new(message, "")]);
    }
    let text = std::str::from_utf8(bytes).map_err(|wrong| {
        let message = format!("not UTF-8 at byte {}", wrong.valid_up_to());
        vec![Problem::new(message, "save the file as UTF-8")]
    })?;
    let document = yaml::document(text)?;
    let mut problems = Problems::default();
    let root = Cursor::root(&document.root);
    if document.is_followed {
        let message = "a second document follows, which is not read";
        root.problem(&mut problems, message, "put everything into one");
    }
    root.fields(&["people", "schedules", "policies"], &mut problems);
    let mut names = Names {
        people: names(&root, "people", "person", &mut problems),
        schedules: names(&root, "schedules", "schedule", &mut problems),
        receivers,
    };
    names.people.remove("");
    let on_call = OnCall {
        people: people(&root, &names, &mut problems),
        schedules: schedules(&root, &names, &mut problems),
        policies: policy::policies(&root, &names, &mut problems),
    };
    if problems.is_empty() {
        Ok(on_call)
    } else {
        let mut problems = problems.locate(text);
        problems.sort_by_key(|problem| problem.place.map(|place| (place.line, place.column)));
        Err(problems)
    }
}

/// The names of the items of a list, which each must have one of its own.
fn names(at: &Cursor<'_>, key: &str, what: &str, problems: &mut Problems) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for item in at.list(key, problems) {
        let name = item.text("name", problems).unwrap_or_default();
        if name.is_empty() {
            item.problem(problems, format!("the {what} has no name"), "add `name:`");
        } else if !names.insert(name.to_owned()) {
            let message = format!("the {what} {name:?} is there twice");
            let at = item.get("name").unwrap_or(item);
            at.problem(problems, message, "give each a name of its own");
        }
    }
    names
}

fn people(
    root: &Cursor<'_>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> BTreeMap<String, Vec<String>> {
    let mut people = BTreeMap::new();
    for at in root.list("people", problems) {
        at.fields(&["name", "receivers"], problems);
        let mut receivers = Vec::new();
        for receiver in at.list("receivers", problems) {
            receivers.extend(names.receiver(&receiver, problems));
        }
        if receivers.is_empty() {
            let hint = "name receivers of the Alertmanager configuration";
            at.problem(
                problems,
                "nothing reaches this person: no `receivers`",
                hint,
            );
        }
        let name = at.text("name", problems).unwrap_or_default();
        people.insert(name.to_owned(), receivers);
    }
    people
}

impl Names<'_> {
    fn receiver(&self, at: &Cursor<'_>, problems: &mut Problems) -> Option<String> {
        let name = at.as_text(problems)?;
        if let Some(known) = self.receivers
            && !known.contains(name)
        {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let message = format!("no receiver is called {name:?}");
            let hint = format!(
                "the configuration of notifications has: {}",
                known.join(", ")
            );
            at.problem(problems, message, &hint);
        }
        Some(name.to_owned())
    }

    fn person(&self, at: &Cursor<'_>, problems: &mut Problems) -> Option<String> {
        let name = at.as_text(problems)?;
        if !self.people.contains(name) {
            let message = format!("nobody is called {name:?}");
            at.problem(problems, message, "add them to `people`");
        }
        Some(name.to_owned())
    }
}

fn schedules(root: &Cursor<'_>, names: &Names<'_>, problems: &mut Problems) -> Vec<Schedule> {
    let mut schedules = Vec::new();
    for at in root.list("schedules", problems) {
        at.fields(&["name", "time_zone", "layers", "overrides"], problems);
        let zone = at.parsed(
            "time_zone",
            "a time zone such as Europe/Berlin or UTC",
            |name| TimeZone::get(name).ok(),
            problems,
        );
        let zone = zone.unwrap_or(TimeZone::UTC);
        let mut layers = Vec::new();
        for layer_at in at.list("layers", problems) {
            layers.extend(layer(&layer_at, names, problems));
        }
        let mut overrides = Vec::new();
        for override_at in at.list("overrides", problems) {
            overrides.extend(stand_in(&override_at, &zone, names, problems));
        }
        if at.get("layers").is_none() && at.get("overrides").is_none() {
            let hint = "add `layers:` with people who take turns";
            at.problem(problems, "nobody is ever on call by this schedule", hint);
        }
        schedules.push(Schedule {
            name: at.text("name", problems).unwrap_or_default().to_owned(),
            zone,
            layers,
            overrides,
        });
    }
    schedules
}

fn layer(at: &Cursor<'_>, names: &Names<'_>, problems: &mut Problems) -> Option<Layer> {
    let known = ["name", "rotation", "start", "handover", "people", "only"];
    at.fields(&known, problems);
    let mut people = Vec::new();
    for person in at.list("people", problems) {
        people.extend(names.person(&person, problems));
    }
    if people.is_empty() {
        at.problem(problems, "the layer has no people", "add `people:`");
    }
    let wanted = "daily, weekly or so many days such as 3d";
    let days = at.parsed("rotation", wanted, rotation, problems);
    if at.get("rotation").is_none() && people.len() > 1 {
        let message = "how long a turn is does not stand there";
        at.problem(problems, message, "add `rotation: weekly`");
    }
    let start = at.parsed("start", "a day such as 2026-01-05", day, problems);
    if at.get("start").is_none() {
        let message = "the day of the first handover does not stand there";
        at.problem(problems, message, "add `start: 2026-01-05`");
    }
    let handover = at.parsed("handover", "a time such as 09:00", time, problems);
    let mut only = Vec::new();
    for window_at in at.list("only", problems) {
        only.push(window(&window_at, problems));
    }
    let layer = Layer {
        name: at.text("name", problems).unwrap_or_default().to_owned(),
        days: days.unwrap_or(7),
        start: start?,
        handover: handover.unwrap_or(Time::midnight()),
        only,
        people,
    };
    (!layer.people.is_empty()).then_some(layer)
}

fn rotation(text: &str) -> Option<i32> {
    let days = match text {
        "daily" => 1,
        "weekly" => 7,
        _ => text.strip_suffix('d')?.parse().ok()?,
    };
    (1..=MOST_DAYS).contains(&days).then_some(days)
}

/// A day that calendars and clocks agree about for as long as the file is of use.
fn day(text: &str) -> Option<Date> {
    let day: Date = text.parse().ok()?;
    let is_plain = text.len() == "2026-01-05".len();
    (is_plain && (1970..=2200).contains(&day.year())).then_some(day)
}

fn time(text: &str) -> Option<Time> {
    let is_plain = matches!(text.len(), 5 | 8) && text.as_bytes().get(2) == Some(&b':');
    is_plain.then(|| text.parse().ok()).flatten()
}

fn window(at: &Cursor<'_>, problems: &mut Problems) -> Window {
    at.fields(&["days", "from", "to"], problems);
    let mut days = Vec::new();
    for day in at.list("days", problems) {
        let name = day.as_text(problems).unwrap_or_default();
        match WEEK.iter().find(|(known, _)| *known == name) {
            Some((_, weekday)) => days.push(*weekday),
            None => {
                let known = WEEK.map(|(known, _)| known).join(", ");
                let message = format!("{name:?} is no day of the week");
                day.problem(problems, message, &format!("days are: {known}"));
            }
        }
    }
    if at.get("days").is_none() {
        days = WEEK.map(|(_, weekday)| weekday).to_vec();
    }
    let mut edge = |key| {
        let time = at.parsed(key, "a time such as 09:00", time, problems);
        time.unwrap_or(Time::midnight())
    };
    Window {
        days,
        from: edge("from"),
        to: edge("to"),
    }
}

fn stand_in(
    at: &Cursor<'_>,
    zone: &TimeZone,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Option<Override> {
    at.fields(&["person", "from", "to"], problems);
    let mut edge = |key| {
        if at.get(key).is_none() {
            at.problem(problems, format!("`{key}` does not stand there"), "");
        }
        let wanted = "a time such as 2026-12-24T09:00, in the schedule's zone, or with an offset";
        at.parsed(key, wanted, |text| moment(zone, text), problems)
    };
    let (from_ms, to_ms) = (edge("from"), edge("to"));
    let Some(person_at) = at.get("person") else {
        at.problem(
            problems,
            "who stands in does not stand there",
            "add `person:`",
        );
        return None;
    };
    let person = names.person(&person_at, problems)?;
    let (from_ms, to_ms) = (from_ms?, to_ms?);
    if to_ms <= from_ms {
        let to = at.get("to").unwrap_or_else(|| at.clone());
        to.problem(problems, "it ends before it begins", "");
    }
    Some(Override {
        person,
        from_ms,
        to_ms,
    })
}

fn moment(zone: &TimeZone, text: &str) -> Option<i64> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_millisecond());
    }
    let local: DateTime = text.parse().ok()?;
    instant(zone, local.date(), local.time())
}
