//! A post-mortem as Markdown, to be edited and kept beside others. Charts stand in it as SVG, which
//! viewers that know HTML draw.

use super::document::{Block, Document, Moment, Table};
use super::escape::markdown as text;

/// Rows of a table that people fill in.
const ROWS: usize = 3;

pub(super) fn write(document: &Document) -> String {
    let mut out = format!("# {}\n\n{}\n", line(&document.title), text(&document.line));
    for block in &document.blocks {
        out.push('\n');
        match block {
            Block::Heading(heading) => out += &format!("## {heading}\n"),
            Block::Paragraph(said) => out += &format!("{}\n", text(said)),
            Block::Facts(facts) => {
                let rows = facts
                    .iter()
                    .map(|(name, value)| vec![text(name), text(value)]);
                table(&mut out, &["", ""], rows.collect());
            }
            Block::Table(Table { head, rows }) => {
                let rows = rows.iter();
                let rows = rows.map(|row| row.iter().map(|cell| text(cell)).collect());
                table(&mut out, head, rows.collect());
            }
            Block::Timeline(moments) => {
                let rows = moments.iter().map(timeline_row).collect();
                table(&mut out, &["When", "What", "Evidence"], rows);
            }
            // Blank lines would end the element where Markdown takes HTML in.
            Block::Drawing(svg) => out += svg,
            Block::Blank(wanted) => out += &format!("> **{wanted}:** _to be written_\n"),
            Block::BlankTable(head) => {
                let row = vec![" ".to_owned(); head.len()];
                table(&mut out, head, vec![row; ROWS]);
            }
        }
    }
    out
}

fn timeline_row(moment: &Moment) -> Vec<String> {
    let evidence: Vec<String> = moment.evidence.iter().map(|one| text(one)).collect();
    vec![
        moment.at.replace(' ', "&nbsp;"),
        text(&moment.sentence),
        evidence.join("<br>"),
    ]
}

fn table(out: &mut String, head: &[&str], rows: Vec<Vec<String>>) {
    *out += &format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        *out += &format!("| {} |\n", row.join(" | "));
    }
}

/// A heading is one line.
fn line(said: &str) -> String {
    text(&said.replace('\n', " "))
}
