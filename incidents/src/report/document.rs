//! What stands in a post-mortem and in which order; how that is written down is the writers'.

use super::Report;
use super::chart::Chart;
use super::question::Side;
use crate::incident::{Incident, Member};
use crate::measure::{Impact, place};
use crate::timeline::{Entry, Sort, What, length, moment, number};

/// A document. All texts are plain; who writes them escapes them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    pub(super) title: String,
    /// What stands below the title, in small print.
    pub(super) line: String,
    pub(super) blocks: Vec<Block>,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Block {
    Heading(&'static str),
    Paragraph(String),
    /// Names and values.
    Facts(Vec<(&'static str, String)>),
    Table(Table),
    /// What came to pass.
    Timeline(Vec<Moment>),
    /// An element of a page that draws something.
    Drawing(String),
    /// What only people know: what is asked for.
    Blank(&'static str),
    /// A table for people to fill in.
    BlankTable(&'static [&'static str]),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    pub(super) head: &'static [&'static str],
    pub(super) rows: Vec<Vec<String>>,
}

/// One thing that came to pass.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moment {
    pub(super) at: String,
    pub(super) sort: Sort,
    pub(super) sentence: String,
    pub(super) evidence: Vec<String>,
}

/// Entries of a timeline that are told: a person reads no more, and JSON has them all.
const MOST_ENTRIES: usize = 1_000;

/// Alerts that are listed.
const MOST_ALERTS: usize = 200;

/// Instances that are named.
const MOST_INSTANCES: usize = 20;

/// Samples that are shown beside an entry.
const MOST_SAMPLES: usize = 3;

pub(super) fn of(report: &Report) -> Document {
    let incident = &report.incident;
    let impact = Impact::of(incident, report.made_at_ms);
    let mut blocks = vec![
        Block::Heading("Summary"),
        Block::Paragraph(summary(incident, &impact)),
        Block::Blank("What users noticed, in two or three sentences"),
        Block::Heading("Impact"),
        Block::Facts(facts(report, &impact)),
        Block::Blank("What it cost in failed requests, customers, money, data"),
    ];
    if !report.charts.is_empty() {
        blocks.push(Block::Heading("What was measured"));
        let drawings = report
            .charts
            .iter()
            .map(|chart| Block::Drawing(chart.svg()));
        blocks.extend(drawings);
    }
    blocks.push(Block::Heading("What fired"));
    blocks.extend(fired(report));
    blocks.push(Block::Heading("What was done"));
    blocks.extend(done(&report.entries));
    blocks.push(Block::Heading("Timeline (UTC)"));
    blocks.extend(timeline(&report.entries));
    blocks.extend(for_people());
    if !report.missing.is_empty() {
        blocks.push(Block::Heading("What is missing here"));
        let missing = report.missing.iter().cloned().map(Block::Paragraph);
        blocks.extend(missing);
    }
    let status = incident.status().word();
    Document {
        title: format!("Post-mortem: {}", incident.title),
        line: format!(
            "Incident {}, severity {}, {status}. Written {} UTC.",
            incident.id,
            incident.severity,
            moment(report.made_at_ms)
        ),
        blocks,
    }
}

fn summary(incident: &Incident, impact: &Impact) -> String {
    let first = incident.alerts.first().map_or("an alert", Member::name);
    let opened = moment(incident.opened_at_ms);
    let mut text = format!("On {opened} UTC {first} fired");
    match impact.alerts {
        0 | 1 => text.push('.'),
        2 => text.push_str(", and another alert with it."),
        count => text += &format!(", and {} other alerts with it.", count - 1),
    }
    if !impact.instances.is_empty() {
        text += &format!(" Affected: {}.", shortened(&impact.instances));
    }
    match (impact.to_acknowledge_ms, &incident.owner) {
        (Some(after), Some(owner)) => {
            text += &format!(
                " It was acknowledged after {}; {owner} has it.",
                length(after)
            );
        }
        (Some(after), None) => text += &format!(" It was acknowledged after {}.", length(after)),
        (None, _) => text.push_str(" Nobody acknowledged it."),
    }
    match (&incident.resolved, incident.ended_at_ms()) {
        (Some(resolved), Some(ended_at_ms)) => {
            let (ended, lasted) = (moment(ended_at_ms), length(impact.lasted_ms));
            text += &format!(" It was over on {ended} UTC, after {lasted}");
            match &resolved.by {
                Some(by) => text += &format!("; {by} resolved it."),
                None => text.push_str(", and ended by itself."),
            }
        }
        _ => text += &format!(" It lasts, for {} now.", length(impact.lasted_ms)),
    }
    text
}

fn shortened(instances: &[String]) -> String {
    let shown: Vec<&str> = instances
        .iter()
        .take(MOST_INSTANCES)
        .map(String::as_str)
        .collect();
    let mut text = shown.join(", ");
    if instances.len() > MOST_INSTANCES {
        text += &format!(" and {} more", instances.len() - MOST_INSTANCES);
    }
    text
}

fn facts(report: &Report, impact: &Impact) -> Vec<(&'static str, String)> {
    let incident = &report.incident;
    let span = |ms: Option<i64>| ms.map_or_else(|| "-".to_owned(), length);
    let ended = incident.ended_at_ms();
    let mut facts = vec![
        ("Began", format!("{} UTC", moment(incident.opened_at_ms))),
        (
            "Over",
            ended.map_or_else(
                || "not yet".to_owned(),
                |at_ms| format!("{} UTC", moment(at_ms)),
            ),
        ),
        ("Lasted", length(impact.lasted_ms)),
        ("Of that, an alert fired", length(impact.firing_ms)),
        ("Until acknowledged", span(impact.to_acknowledge_ms)),
        ("Until over", span(impact.to_resolve_ms)),
        ("Alerts", impact.alerts.to_string()),
        ("Firings", impact.firings.to_string()),
        ("Affected", shortened(&impact.instances)),
    ];
    if incident.reopened > 0 {
        facts.push(("Times opened again", incident.reopened.to_string()));
    }
    if let Some(owner) = &incident.owner {
        facts.push(("Owner", owner.clone()));
    }
    for chart in &report.charts {
        if let Some(worst) = worst(chart) {
            facts.push(("Worst value", worst));
        }
    }
    facts
}

fn worst(chart: &Chart) -> Option<String> {
    let (at_ms, value) = chart.worst()?;
    let bound = chart.bound?;
    let word = match bound.side {
        Side::Above => "above",
        Side::Below => "below",
        Side::At => "at",
    };
    let (value, bound) = (number(value), number(bound.value));
    let at = moment(at_ms);
    Some(format!(
        "{}: {value} at {at}, fires {word} {bound}",
        chart.title
    ))
}

fn fired(report: &Report) -> Vec<Block> {
    let incident = &report.incident;
    let mut members: Vec<&Member> = incident.alerts.iter().collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.severity));
    let rows = members.iter().take(MOST_ALERTS).map(|member| {
        let first = member.spans.first();
        let first = first.map_or_else(String::new, |span| moment(span.from_ms));
        let over = match member.over_at_ms() {
            Some(at_ms) => moment(at_ms),
            None => "fires".to_owned(),
        };
        vec![
            member.name().to_owned(),
            place(member).unwrap_or_default().to_owned(),
            member.severity.to_string(),
            first,
            over,
            member.firings().to_string(),
            member.summary(),
        ]
    });
    let head = &[
        "Alert",
        "Where",
        "Severity",
        "First",
        "Over",
        "Times",
        "What it said",
    ];
    let rows = rows.collect();
    let mut blocks = vec![Block::Table(Table { head, rows })];
    if members.len() > MOST_ALERTS {
        let left = members.len() - MOST_ALERTS;
        blocks.push(Block::Paragraph(format!("And {left} more alerts.")));
    }
    blocks
}

/// What people did, and who was told.
fn done(entries: &[Entry]) -> Vec<Block> {
    let deeds = entries.iter().filter(|entry| match entry.sort() {
        Sort::Deed => true,
        Sort::Told => matches!(entry.what, What::Escalated(_)),
        Sort::Relief => matches!(entry.what, What::Resolved { by: Some(_) }),
        _ => false,
    });
    let mut rows: Vec<Vec<String>> = deeds
        .map(|entry| vec![moment(entry.at_ms), entry.sentence()])
        .collect();
    rows.truncate(MOST_ENTRIES);
    let mut blocks = Vec::new();
    if rows.is_empty() {
        let text = "Nobody wrote down what was done.".to_owned();
        blocks.push(Block::Paragraph(text));
    } else {
        let head = &["When (UTC)", "What"];
        blocks.push(Block::Table(Table { head, rows }));
    }
    blocks.push(Block::Blank(
        "What was tried, what helped, and how one could tell",
    ));
    blocks
}

fn timeline(entries: &[Entry]) -> Vec<Block> {
    let shown = entries.iter().take(MOST_ENTRIES).map(|entry| Moment {
        at: moment(entry.at_ms),
        sort: entry.sort(),
        sentence: entry.sentence(),
        evidence: entry.evidence(MOST_SAMPLES),
    });
    let mut blocks = vec![Block::Timeline(shown.collect())];
    if entries.len() > MOST_ENTRIES {
        let left = entries.len() - MOST_ENTRIES;
        let text = format!("And {left} more entries; the export as JSON has them all.");
        blocks.push(Block::Paragraph(text));
    }
    blocks
}

fn for_people() -> Vec<Block> {
    vec![
        Block::Heading("Why it happened"),
        Block::Blank("What triggered it"),
        Block::Blank("Which causes below the trigger made it possible"),
        Block::Heading("What we learned"),
        Block::Blank("What went well"),
        Block::Blank("What went badly"),
        Block::Blank("Where we were lucky"),
        Block::Heading("What we will do"),
        Block::BlankTable(&[
            "What",
            "Who",
            "Until when",
            "Prevents, detects or mitigates",
        ]),
    ]
}
