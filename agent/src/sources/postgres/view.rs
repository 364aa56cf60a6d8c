//! What a view is: one SQL query described as a table of columns, and how its rows become series.
//!
//! The tables themselves stand in [`super::views`], one module a family. A view is data: its query
//! is assembled from its columns, each with the majors in which its expression exists, so that one
//! table serves every major. [`super::agenda`] decides when a view runs.

use std::time::Duration;

use tokio_postgres::SimpleQueryRow;
use wire::metric::{Kind, Label, Text};

use super::session::Facts;
use crate::collect::Gather;

/// One query and the series it gives.
pub(crate) struct View {
    /// How the view is called in gaps and in `nightshift_postgres_view_seconds`.
    pub(crate) name: &'static str,
    /// First major that has it.
    pub(crate) since: u32,
    /// First major that no longer has it.
    pub(crate) until: u32,
    /// On which side of replication it makes sense.
    pub(crate) role: Role,
    /// What the agent's role needs in order to see true values.
    pub(crate) needs: Needs,
    /// How often the query runs; in between, what it gave last is given again.
    pub(crate) pace: Pace,
    /// Common table expressions before the select list; empty for none.
    pub(crate) with: &'static str,
    /// The select list.
    pub(crate) columns: &'static [Column],
    /// Everything behind the select list.
    pub(crate) from: &'static str,
    /// How rows become series.
    pub(crate) read: Read,
}

impl View {
    /// What most views have in common.
    pub(crate) const USUAL: Self = Self {
        name: "",
        since: 13,
        until: u32::MAX,
        role: Role::Any,
        needs: Needs::Nothing,
        pace: Pace::Each,
        with: "",
        columns: &[],
        from: "",
        read: Read::Columns,
    };

    /// Whether the view is to run on such a server.
    pub(crate) fn fits(&self, facts: &Facts) -> bool {
        let role = match self.role {
            Role::Any => true,
            Role::Primary => !facts.in_recovery,
            Role::Standby => facts.in_recovery,
        };
        role && (self.since..self.until).contains(&facts.major)
    }

    /// The columns that exist in that major.
    pub(crate) fn columns(&self, major: u32) -> impl Iterator<Item = &'static Column> + use<> {
        self.columns
            .iter()
            .filter(move |column| (column.since..column.until).contains(&major))
    }

    /// The query for that major. `{limit}` stands for how many objects may be named one by one.
    pub(crate) fn sql(&self, major: u32, limit: u32) -> String {
        let list: Vec<&str> = self.columns(major).map(|column| column.sql).collect();
        format!("{} SELECT {} {}", self.with, list.join(", "), self.from)
            .replace("{limit}", &limit.to_string())
    }

    /// Turns rows into series.
    pub(crate) fn read(&self, rows: &[SimpleQueryRow], major: u32, out: &mut Gather) {
        match self.read {
            Read::Columns => {
                for row in rows {
                    self.read_row(row, major, out);
                }
            }
            Read::Whole(read) => read(rows, out),
        }
    }

    fn read_row(&self, row: &SimpleQueryRow, major: u32, out: &mut Gather) {
        let labels: Vec<(&'static str, &str)> = self
            .columns(major)
            .enumerate()
            .filter_map(|(at, column)| match column.what {
                What::Label(name) => Some((name, row.get(at).unwrap_or_default())),
                _ => None,
            })
            .collect();
        for (at, column) in self.columns(major).enumerate() {
            // NULL is not known, or not applicable: no series, never a zero.
            let Some(text) = row.get(at) else { continue };
            match column.what {
                What::Label(_) | What::Aside => {}
                What::Number(name, kind) => {
                    if let Some(value) = number(text) {
                        out.family(name, column.help, kind)
                            .point(column.labels_of(&labels), value);
                    }
                }
                What::State(name, label) => {
                    let mut of = column.labels_of(&labels);
                    of.push(Label::new(label, text.to_owned()));
                    out.gauge(name, column.help).point(of, 1.0);
                }
                What::Gap { why, fix } => out.gap(text, why, fix),
            }
        }
    }
}

/// On which side of replication a view makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Any,
    Primary,
    Standby,
}

/// What the agent's role needs so that a view shows true values, and not NULL for what it may not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    /// `pg_read_all_stats`, which `pg_monitor` includes.
    AllStats,
    /// `pg_monitor` itself: functions that list the server's folders are granted to it by name.
    Monitor,
    /// `SELECT` on `pg_file_settings`, beyond `pg_monitor`. Without it the view is passed over
    /// silently: `pg_monitor` is what this agent asks for, the rest is a bonus.
    FileSettings,
}

/// How often a view's query runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// At each collection.
    Each,
    /// At most once in that time, for what costs the server more than a lookup in shared memory.
    AtMostEvery(Duration),
}

/// How rows become series.
#[derive(Clone, Copy)]
pub(crate) enum Read {
    /// Row by row, as the columns say.
    Columns,
    /// All rows at once, by a function; the columns then only make the select list.
    Whole(fn(&[SimpleQueryRow], &mut Gather)),
}

/// One entry of the select list.
pub(crate) struct Column {
    sql: &'static str,
    what: What,
    help: &'static str,
    since: u32,
    until: u32,
    labels: Option<&'static [&'static str]>,
}

#[derive(Clone, Copy)]
enum What {
    /// Only for a function that reads the rows itself.
    Aside,
    /// A label of every series of the row.
    Label(&'static str),
    /// A series of that name.
    Number(&'static str, Kind),
    /// A series of that name with value 1 and the text as a further label.
    State(&'static str, &'static str),
    /// The name of something that could not be read; NULL where it could.
    Gap {
        why: &'static str,
        fix: &'static str,
    },
}

/// A value for the function that reads the rows itself.
pub(crate) const fn aside(sql: &'static str) -> Column {
    Column::new(sql, What::Aside, "")
}

/// A label of every series of the row.
pub(crate) const fn label(name: &'static str, sql: &'static str) -> Column {
    Column::new(sql, What::Label(name), "")
}

/// A value that only grows.
pub(crate) const fn counter(name: &'static str, sql: &'static str, help: &'static str) -> Column {
    Column::new(sql, What::Number(name, Kind::Counter), help)
}

/// A value that goes up and down.
pub(crate) const fn gauge(name: &'static str, sql: &'static str, help: &'static str) -> Column {
    Column::new(sql, What::Number(name, Kind::Gauge), help)
}

/// A word, given as a label `label` of a series that is always 1.
pub(crate) const fn state(
    name: &'static str,
    label: &'static str,
    sql: &'static str,
    help: &'static str,
) -> Column {
    Column::new(sql, What::State(name, label), help)
}

/// The name of an object that had to be left out, or NULL.
pub(crate) const fn gap(sql: &'static str, why: &'static str, fix: &'static str) -> Column {
    Column::new(sql, What::Gap { why, fix }, "")
}

impl Column {
    const fn new(sql: &'static str, what: What, help: &'static str) -> Self {
        Self {
            sql,
            what,
            help,
            since: 0,
            until: u32::MAX,
            labels: None,
        }
    }

    /// Only from that major on.
    pub(crate) const fn since(mut self, major: u32) -> Self {
        self.since = major;
        self
    }

    /// Only before that major.
    pub(crate) const fn until(mut self, major: u32) -> Self {
        self.until = major;
        self
    }

    /// With these labels only, not with all of the row.
    pub(crate) const fn by(mut self, labels: &'static [&'static str]) -> Self {
        self.labels = Some(labels);
        self
    }

    fn labels_of(&self, row: &[(&'static str, &str)]) -> Vec<Label> {
        row.iter()
            .filter(|(name, _)| self.labels.is_none_or(|only| only.contains(name)))
            .map(|(name, value)| Label::new(*name, Text::Owned((*value).to_owned())))
            .collect()
    }
}

/// A value as PostgreSQL's text format has it: a number, or a boolean.
pub(crate) fn number(text: &str) -> Option<f64> {
    match text {
        "t" | "on" => Some(1.0),
        "f" | "off" => Some(0.0),
        _ => text.parse().ok().filter(|value: &f64| !value.is_nan()),
    }
}
