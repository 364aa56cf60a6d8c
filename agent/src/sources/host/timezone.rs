//! Reads a compiled time zone (/etc/localtime, RFC 9636) as far as to say which offset holds now.
//!
//! A file lists the moments at which the offset changed, and ends with a rule in POSIX's notation
//! for the time after the last of them; newer files list little and leave nearly all to the rule.
//! Nothing here trusts the file: what does not fit is no zone.

/// What a clock on the wall differs by, and what that is called: `CEST`, 7200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    pub(super) name: String,
    /// Seconds east of Greenwich.
    pub(super) offset: i32,
}

impl Zone {
    pub(super) fn utc() -> Self {
        Self {
            name: "UTC".into(),
            offset: 0,
        }
    }
}

/// The zone that holds at `now`, in seconds since 1970.
pub(super) fn zone_at(file: &[u8], now: i64) -> Option<Zone> {
    let first = Header::read(file)?;
    if first.version == 0 {
        return Table::read(first, file, 4)?.zone_at(now);
    }
    // From version 2 on the same follows once more, with times of 64 bits.
    let rest = file.get(first.table_length(4)?..)?;
    let second = Header::read(rest)?;
    let length = second.table_length(8)?;
    let table = Table::read(second, rest, 8)?;
    let rule = std::str::from_utf8(rest.get(length..)?).ok()?.trim();
    let beyond = table.last_change().is_none_or(|last| now >= last);
    if beyond && !rule.is_empty() {
        return Rule::parse(rule).map(|rule| rule.zone_at(now));
    }
    table.zone_at(now)
}

const HEADER: usize = 44;

/// How much of everything a table holds.
struct Header {
    version: u8,
    utc_marks: usize,
    standard_marks: usize,
    leap_seconds: usize,
    changes: usize,
    kinds: usize,
    letters: usize,
}

impl Header {
    fn read(file: &[u8]) -> Option<Self> {
        let header = file.get(..HEADER)?;
        if !header.starts_with(b"TZif") {
            return None;
        }
        let count = |index: usize| -> usize {
            let at = 20 + index * 4;
            header[at..at + 4]
                .iter()
                .fold(0, |count, byte| count << 8 | usize::from(*byte))
        };
        Some(Self {
            version: header[4],
            utc_marks: count(0),
            standard_marks: count(1),
            leap_seconds: count(2),
            changes: count(3),
            kinds: count(4),
            letters: count(5),
        })
    }

    /// The length of the header and its table, whose times are `width` bytes long.
    fn table_length(&self, width: usize) -> Option<usize> {
        [
            (self.changes, width + 1),
            (self.kinds, 6),
            (self.letters, 1),
            (self.leap_seconds, width + 4),
            (self.standard_marks, 1),
            (self.utc_marks, 1),
        ]
        .into_iter()
        .try_fold(HEADER, |sum, (count, size)| {
            sum.checked_add(count.checked_mul(size)?)
        })
    }
}

/// The listed changes.
struct Table<'a> {
    width: usize,
    times: &'a [u8],
    kind_of_change: &'a [u8],
    kinds: &'a [u8],
    letters: &'a [u8],
}

impl<'a> Table<'a> {
    fn read(header: Header, file: &'a [u8], width: usize) -> Option<Self> {
        let mut rest = file.get(HEADER..header.table_length(width)?)?;
        let mut take = |length: usize| {
            let (taken, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(taken)
        };
        Some(Self {
            width,
            times: take(header.changes * width)?,
            kind_of_change: take(header.changes)?,
            kinds: take(header.kinds * 6)?,
            letters: take(header.letters)?,
        })
    }

    fn changes(&self) -> impl DoubleEndedIterator<Item = i64> {
        self.times.chunks_exact(self.width).map(signed)
    }

    fn last_change(&self) -> Option<i64> {
        self.changes().next_back()
    }

    fn zone_at(&self, now: i64) -> Option<Zone> {
        let before = self.changes().filter(|change| *change <= now).count();
        // Before the first change the first kind holds.
        let kind = match before.checked_sub(1) {
            Some(index) => usize::from(*self.kind_of_change.get(index)?),
            None => 0,
        };
        let kind = self.kinds.chunks_exact(6).nth(kind)?;
        let name = self.letters.get(usize::from(kind[5])..)?;
        let name = name.split(|letter| *letter == 0).next()?;
        Some(Zone {
            name: String::from_utf8_lossy(name).into_owned(),
            offset: i32::try_from(signed(&kind[..4])).ok()?,
        })
    }
}

/// A big-endian number of 4 or 8 bytes.
fn signed(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
    let start = if negative { -1 } else { 0 };
    bytes
        .iter()
        .fold(start, |number, byte| number << 8 | i64::from(*byte))
}

/// A rule such as `CET-1CEST,M3.5.0,M10.5.0/3`.
struct Rule {
    standard: Zone,
    summer: Option<Summer>,
}

struct Summer {
    zone: Zone,
    begins: Moment,
    ends: Moment,
}

/// A moment of each year, by the clock on the wall.
#[derive(Clone, Copy)]
struct Moment {
    day: Day,
    second: i64,
}

#[derive(Clone, Copy)]
enum Day {
    /// `Jn`: the n-th day, from 1, as if there were no 29 February.
    Julian(i64),
    /// `n`: the n-th day, from 0.
    Ordinal(i64),
    /// `Mm.w.d`: the w-th such day of the week in the month, or the last where w is 5.
    OfWeek { month: i64, week: i64, weekday: i64 },
}

impl Rule {
    fn parse(text: &str) -> Option<Self> {
        let mut words = Words(text);
        let standard = Zone {
            name: words.name()?,
            offset: words.offset()?,
        };
        if words.0.is_empty() {
            return Some(Self {
                standard,
                summer: None,
            });
        }
        let name = words.name()?;
        let offset = match words.0.starts_with(',') {
            true => standard.offset + 3600,
            false => words.offset()?,
        };
        let summer = Summer {
            zone: Zone { name, offset },
            begins: words.moment()?,
            ends: words.moment()?,
        };
        words.0.is_empty().then_some(Self {
            standard,
            summer: Some(summer),
        })
    }

    fn zone_at(self, now: i64) -> Zone {
        let Some(Summer { zone, begins, ends }) = self.summer else {
            return self.standard;
        };
        let year = year_of(now + i64::from(self.standard.offset));
        // Each moment is read off the clock that it is about to change.
        let begins = begins.in_year(year) - i64::from(self.standard.offset);
        let ends = ends.in_year(year) - i64::from(zone.offset);
        let summer = if begins <= ends {
            (begins..ends).contains(&now)
        } else {
            // South of the equator summer lasts over the turn of the year.
            !(ends..begins).contains(&now)
        };
        if summer { zone } else { self.standard }
    }
}

impl Moment {
    /// The moment in seconds since 1970, by the clock on the wall.
    fn in_year(self, year: i64) -> i64 {
        let first = days_to(year, 1, 1);
        let leap = days_to(year + 1, 1, 1) - first == 366;
        let day = match self.day {
            Day::Julian(day) => first + day - 1 + i64::from(leap && day > 59),
            Day::Ordinal(day) => first + day,
            Day::OfWeek {
                month,
                week,
                weekday,
            } => {
                let first = days_to(year, month, 1);
                let next_month = days_to(year + month / 12, month % 12 + 1, 1);
                // 1 January 1970 was a Thursday.
                let first_weekday = (first + 4).rem_euclid(7);
                let mut day = first + (weekday - first_weekday).rem_euclid(7) + (week - 1) * 7;
                while day >= next_month {
                    day -= 7;
                }
                day
            }
        };
        day * 86_400 + self.second
    }
}

/// What of a rule is still to be read.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    /// `CET`, or anything in angle brackets.
    fn name(&mut self) -> Option<String> {
        if let Some(rest) = self.0.strip_prefix('<') {
            let (name, after) = rest.split_once('>')?;
            self.0 = after;
            return Some(name.to_owned());
        }
        let name = self.while_true(|letter| letter.is_ascii_alphabetic());
        (name.len() >= 3).then(|| name.to_owned())
    }

    /// An offset: POSIX counts west of Greenwich, we count east of it.
    fn offset(&mut self) -> Option<i32> {
        i32::try_from(-self.time()?).ok()
    }

    /// `hh[:mm[:ss]]`, perhaps with a sign.
    fn time(&mut self) -> Option<i64> {
        let sign = match self.skip('-') {
            true => -1,
            false => {
                self.skip('+');
                1
            }
        };
        let mut seconds = self.count()? * 3600;
        for unit in [60, 1] {
            if !self.skip(':') {
                break;
            }
            seconds += self.count()? * unit;
        }
        Some(sign * seconds)
    }

    /// `,day[/time]`, at 2 o'clock if not said otherwise.
    fn moment(&mut self) -> Option<Moment> {
        if !self.skip(',') {
            return None;
        }
        let day = if self.skip('J') {
            Day::Julian(self.count()?)
        } else if self.skip('M') {
            self.day_of_week()?
        } else {
            Day::Ordinal(self.count()?)
        };
        let second = match self.skip('/') {
            true => self.time()?,
            false => 2 * 3600,
        };
        Some(Moment { day, second })
    }

    fn day_of_week(&mut self) -> Option<Day> {
        let month = self.count()?;
        let week = self.skip('.').then(|| self.count())??;
        let weekday = self.skip('.').then(|| self.count())??;
        let valid = (1..=12).contains(&month) && (1..=5).contains(&week) && weekday < 7;
        valid.then_some(Day::OfWeek {
            month,
            week,
            weekday,
        })
    }

    /// A number of at most three digits, which is all that a rule needs.
    fn count(&mut self) -> Option<i64> {
        let digits = self.while_true(|letter| letter.is_ascii_digit());
        (digits.len() <= 3).then(|| digits.parse().ok())?
    }

    fn skip(&mut self, letter: char) -> bool {
        let rest = self.0.strip_prefix(letter);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn while_true(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self
            .0
            .find(|letter| !wanted(letter))
            .unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }
}

/// Days from 1 January 1970 to a day of the Gregorian calendar.
pub(super) fn days_to(year: i64, month: i64, day: i64) -> i64 {
    // Counted in years that begin in March, so that a leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - 719_468
}

/// The year of a second since 1970.
fn year_of(second: i64) -> i64 {
    let days = second.div_euclid(86_400);
    // A guess that 400 years are 146,097 days, which leap years make wrong by a year at most.
    let mut year = 1970 + days * 400 / 146_097;
    while days_to(year, 1, 1) > days {
        year -= 1;
    }
    while days_to(year + 1, 1, 1) <= days {
        year += 1;
    }
    year
}

#[cfg(test)]
mod tests;
