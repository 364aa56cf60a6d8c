//! Which view runs when: each at its own pace, none beyond the time that the collection has, and a
//! failure of one is a gap and not the end of the others.

use std::time::Duration;

use tokio::time::Instant;
use wire::metric::Family;

use super::refusal::{self, Reason};
use super::session::{Facts, QueryError, Session};
use super::view::{Needs, Pace, View};
use crate::collect::Gather;

/// A view that ran into a lock or its time limit is left alone for this long: it would cost the
/// same seconds again, at each collection, and delay the views behind it.
const REST_AFTER_STALL: Duration = Duration::from_secs(60);
/// A query is only begun with at least this much of the collection's time left.
const LEAST_TIME: Duration = Duration::from_millis(200);

/// The views of one connection, and when each is due.
pub(crate) struct Agenda {
    turns: Vec<Turn>,
    /// For which server the queries were assembled.
    for_server: Option<Server>,
    /// How many objects a view may name one by one.
    limit: u32,
}

/// What queries and kept values depend on.
#[derive(PartialEq)]
struct Server {
    major: u32,
    in_recovery: bool,
    all_stats: bool,
    monitor: bool,
    started: f64,
}

struct Turn {
    view: &'static View,
    sql: String,
    /// Not before that moment.
    due: Option<Instant>,
    /// What the view gave last, where its pace is slower than the collection's.
    kept: Vec<Family>,
    /// Why the view rests, where it stalled.
    resting: Option<Reason>,
    took: Option<Duration>,
}

/// One collection's worth of circumstances.
pub(crate) struct Round<'a> {
    pub(crate) session: &'a Session,
    pub(crate) facts: &'a Facts,
    pub(crate) deadline: Instant,
}

impl Agenda {
    /// An agenda of all views of these families.
    pub(crate) fn new(families: &[&'static [View]], limit: u32) -> Self {
        let turns = families
            .iter()
            .flat_map(|views| views.iter())
            .map(|view| Turn {
                view,
                sql: String::new(),
                due: None,
                kept: Vec::new(),
                resting: None,
                took: None,
            })
            .collect();
        Self {
            turns,
            for_server: None,
            limit,
        }
    }

    /// Runs what is due. An error means that the session is lost.
    pub(crate) async fn run(
        &mut self,
        round: &Round<'_>,
        out: &mut Gather,
    ) -> Result<(), QueryError> {
        self.fit(round.facts);
        for turn in &mut self.turns {
            if !turn.view.fits(round.facts) {
                continue;
            }
            if let Some(lacking) = missing(turn.view, round.facts) {
                if let Some(Reason { why, fix }) = lacking {
                    out.gap(turn.view.name, why, fix);
                }
                continue;
            }
            turn.take(round, out).await?;
        }
        Ok(())
    }

    /// How long each view's query took when it last ran.
    pub(crate) fn took(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        self.turns
            .iter()
            .filter_map(|turn| Some((turn.view.name, turn.took?)))
    }

    /// Forgets what belongs to another server, role or privilege.
    fn fit(&mut self, facts: &Facts) {
        let server = Server {
            major: facts.major,
            in_recovery: facts.in_recovery,
            all_stats: facts.all_stats,
            monitor: facts.monitor,
            started: facts.started,
        };
        if self.for_server.as_ref() == Some(&server) {
            return;
        }
        for turn in &mut self.turns {
            turn.sql = turn.view.sql(server.major, self.limit);
            turn.due = None;
            turn.kept.clear();
            turn.resting = None;
            turn.took = None;
        }
        self.for_server = Some(server);
    }
}

impl Turn {
    async fn take(&mut self, round: &Round<'_>, out: &mut Gather) -> Result<(), QueryError> {
        let now = Instant::now();
        if self.due.is_some_and(|due| now < due) {
            self.give_kept(out);
            return Ok(());
        }
        if now + LEAST_TIME > round.deadline {
            out.gap(
                self.view.name,
                "no time was left in this collection",
                "see which view of nightshift_postgres_view_seconds takes long",
            );
            return Ok(());
        }
        let answer = round.session.query(&self.sql, round.deadline).await;
        let took = now.elapsed();
        self.took = Some(took);
        self.resting = None;
        self.kept.clear();
        match answer {
            Ok(rows) => {
                match self.view.pace {
                    Pace::Each => self.view.read(&rows, round.facts.major, out),
                    Pace::AtMostEvery(pause) => {
                        let mut own = Gather::default();
                        self.view.read(&rows, round.facts.major, &mut own);
                        let (families, gaps) = own.finish();
                        self.kept = families;
                        self.due = Some(now + pause);
                        self.give_kept(out);
                        for gap in gaps {
                            out.gap(gap.what, gap.why, gap.fix);
                        }
                    }
                }
                Ok(())
            }
            Err(error) if error.session_lives() => {
                let reason = refusal::of_view(round.facts, &error);
                out.gap(self.view.name, &reason.why, &reason.fix);
                self.due = None;
                // Only a stall takes seconds; any other refusal is as cheap as an answer.
                if took > Duration::from_secs(1) {
                    self.due = Some(now + took + REST_AFTER_STALL);
                    self.resting = Some(reason);
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn give_kept(&self, out: &mut Gather) {
        if let Some(Reason { why, fix }) = &self.resting {
            out.gap(self.view.name, why, fix);
        }
        for family in &self.kept {
            let mut series = out.family(family.name.clone(), family.help.clone(), family.kind);
            for point in &family.points {
                series.exact(point.clone());
            }
        }
    }
}

/// What the view lacks, if anything: inside, the reason where it is to be said.
fn missing(view: &View, facts: &Facts) -> Option<Option<Reason>> {
    match view.needs {
        Needs::AllStats if !facts.all_stats => Some(Some(refusal::lacks_monitor(facts))),
        Needs::Monitor if !facts.monitor => Some(Some(refusal::lacks_monitor(facts))),
        Needs::FileSettings if !facts.file_settings => Some(None),
        _ => None,
    }
}
