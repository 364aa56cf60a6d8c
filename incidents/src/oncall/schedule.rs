//! Who is on call at a time, until when, and who is next.
//!
//! Everything is reckoned in instants that come from days and times of the schedule's zone, so that a
//! handover at nine stays at nine when clocks are put forward or back.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Whose turn it is.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// Whose days and times they are.
    pub zone: TimeZone,
    /// From the one that counts least to the one that counts most.
    pub layers: Vec<Layer>,
    /// Exceptions; of several at one time the last counts.
    pub overrides: Vec<Override>,
}

/// People who take turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// In their order; at least one.
    pub people: Vec<String>,
    /// How many days a turn has; at least one.
    pub days: i32,
    /// The day of the first handover; nobody is on call before.
    pub start: Date,
    /// The time of every handover.
    pub handover: Time,
    /// When it holds; always, where there is none.
    pub only: Vec<Window>,
}

/// A time of some days of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The days on which it begins.
    pub days: Vec<Weekday>,
    /// When it begins.
    pub from: Time,
    /// When it ends: on the next day, where that is not later.
    pub to: Time,
}

/// Somebody stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Who.
    pub person: String,
    /// From when, in milliseconds since 1970.
    pub from_ms: i64,
    /// Until when; no longer then.
    pub to_ms: i64,
}

/// Somebody is on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Who.
    pub person: String,
    /// By what.
    pub by: By,
}

/// Why somebody is on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// By the turns of a layer.
    Layer(String),
    /// They stand in.
    Override,
}

/// A time during which one person is on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// Who; nobody.
    pub duty: Option<Duty>,
    /// From when, in milliseconds since 1970.
    pub from_ms: i64,
    /// Until when.
    pub to_ms: i64,
}

/// How far ahead a change is looked for: who has not changed by then has it for good.
const HORIZON_MS: i64 = 400 * DAY_MS;

const DAY_MS: i64 = 86_400_000;

/// Changes that are looked at in one question: windows of several layers over the whole horizon.
const MOST_CHANGES: usize = 10_000;

impl Schedule {
    /// Who is on call at a time.
    #[must_use]
    pub fn on_call(&self, at_ms: i64) -> Option<Duty> {
        let mut overrides = self.overrides.iter().rev();
        let stands_in = overrides.find(|one| (one.from_ms..one.to_ms).contains(&at_ms));
        if let Some(stands_in) = stands_in {
            return Some(Duty {
                person: stands_in.person.clone(),
                by: By::Override,
            });
        }
        self.layers.iter().rev().find_map(|layer| {
            let person = layer.on_call(&self.zone, at_ms)?.to_owned();
            let by = By::Layer(layer.name.clone());
            Some(Duty { person, by })
        })
    }

    /// Until when whoever is on call at a time stays so; nothing where no end is in sight.
    #[must_use]
    pub fn until(&self, at_ms: i64) -> Option<i64> {
        let person = |duty: Option<Duty>| duty.map(|duty| duty.person);
        let now = person(self.on_call(at_ms));
        let mut next_ms = at_ms;
        for _ in 0..MOST_CHANGES {
            next_ms = self.next_change(next_ms)?;
            if next_ms > at_ms.saturating_add(HORIZON_MS) {
                return None;
            }
            if person(self.on_call(next_ms)) != now {
                return Some(next_ms);
            }
        }
        None
    }

    /// Who is on call from one time to another, in order and without a gap.
    #[must_use]
    pub fn shifts(&self, from_ms: i64, to_ms: i64) -> Vec<Shift> {
        let to_ms = to_ms.min(from_ms.saturating_add(HORIZON_MS));
        let mut shifts: Vec<Shift> = Vec::new();
        let mut at_ms = from_ms;
        for _ in 0..MOST_CHANGES {
            if at_ms >= to_ms {
                break;
            }
            let next_ms = self.next_change(at_ms).unwrap_or(to_ms).min(to_ms);
            let duty = self.on_call(at_ms);
            match shifts.last_mut() {
                Some(last) if last.duty == duty => last.to_ms = next_ms,
                _ => shifts.push(Shift {
                    duty,
                    from_ms: at_ms,
                    to_ms: next_ms,
                }),
            }
            at_ms = next_ms;
        }
        shifts
    }

    /// The first time after this one at which somebody else may be on call.
    fn next_change(&self, at_ms: i64) -> Option<i64> {
        let layers = self.layers.iter();
        let changes = layers.flat_map(|layer| layer.changes(&self.zone, at_ms));
        let overrides = self.overrides.iter();
        let edges = overrides.flat_map(|one| [one.from_ms, one.to_ms]);
        changes.chain(edges).filter(|edge| *edge > at_ms).min()
    }
}

impl Layer {
    fn on_call(&self, zone: &TimeZone, at_ms: i64) -> Option<&str> {
        let (turn, _) = self.turn(zone, at_ms)?;
        let turn = usize::try_from(turn).ok()?;
        let holds = self.only.is_empty() || self.only.iter().any(|only| only.holds(zone, at_ms));
        holds.then(|| self.people[turn % self.people.len()].as_str())
    }

    /// Which turn it is, and when the next one begins; nothing before the first.
    fn turn(&self, zone: &TimeZone, at_ms: i64) -> Option<(i64, i64)> {
        let today = local_day(zone, at_ms)?;
        let days = i64::from(self.start.until(today).ok()?.get_days());
        let length = i64::from(self.days);
        let mut turn = days.div_euclid(length);
        let begins = |turn: i64| {
            let day = self.start.checked_add((turn * length).days()).ok()?;
            instant(zone, day, self.handover)
        };
        // The handover of today may be yet to come.
        if begins(turn)? > at_ms {
            turn -= 1;
        }
        (turn >= 0).then_some(())?;
        Some((turn, begins(turn + 1)?))
    }

    /// Times near this one at which somebody else may be on call; among them the first after it.
    fn changes(&self, zone: &TimeZone, at_ms: i64) -> Vec<i64> {
        let next = match self.turn(zone, at_ms) {
            Some((_, next)) => Some(next),
            None => instant(zone, self.start, self.handover),
        };
        let edges = self.only.iter().flat_map(|only| only.edges(zone, at_ms));
        next.into_iter().chain(edges).collect()
    }
}

impl Window {
    fn holds(&self, zone: &TimeZone, at_ms: i64) -> bool {
        // One that began yesterday may go on.
        let spans = [-1, 0].map(|offset| self.span(zone, at_ms, offset));
        let mut spans = spans.into_iter().flatten();
        spans.any(|(from_ms, to_ms)| (from_ms..to_ms).contains(&at_ms))
    }

    fn edges(&self, zone: &TimeZone, at_ms: i64) -> Vec<i64> {
        let spans = (-1..=8).filter_map(|offset| self.span(zone, at_ms, offset));
        spans
            .flat_map(|(from_ms, to_ms)| [from_ms, to_ms])
            .collect()
    }

    /// The window of the day so many days after that of a time, if it has one.
    fn span(&self, zone: &TimeZone, at_ms: i64, offset: i64) -> Option<(i64, i64)> {
        let day = local_day(zone, at_ms)?.checked_add(offset.days()).ok()?;
        if !self.days.contains(&day.weekday()) {
            return None;
        }
        let last = if self.to > self.from {
            day
        } else {
            day.tomorrow().ok()?
        };
        Some((
            instant(zone, day, self.from)?,
            instant(zone, last, self.to)?,
        ))
    }
}

/// The day that it is in a zone.
fn local_day(zone: &TimeZone, at_ms: i64) -> Option<Date> {
    let at = Timestamp::from_millisecond(at_ms).ok()?;
    Some(zone.to_datetime(at).date())
}

/// When it is this time on that day.
pub(super) fn instant(zone: &TimeZone, day: Date, time: Time) -> Option<i64> {
    let zoned = day.to_datetime(time).to_zoned(zone.clone()).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests;
