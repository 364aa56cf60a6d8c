//! A post-mortem as one HTML page: no script, nothing fetched, readable on a phone, on paper and in
//! the dark.

use super::document::{Block, Document, Moment, Table};
use super::escape::xml as text;
use crate::timeline::Sort;

/// Rows of a table that people fill in.
const ROWS: usize = 3;

const STYLE: &str = include_str!("html/style.css");

pub(super) fn write(document: &Document) -> String {
    let title = text(&document.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n<p class=\"line\">{}</p>\n",
        text(&document.line)
    );
    for block in &document.blocks {
        write_block(&mut out, block);
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn write_block(out: &mut String, block: &Block) {
    match block {
        Block::Heading(heading) => *out += &format!("<h2>{heading}</h2>\n"),
        Block::Paragraph(said) => *out += &format!("<p>{}</p>\n", text(said)),
        Block::Facts(facts) => {
            out.push_str("<dl>\n");
            for (name, value) in facts {
                *out += &format!("<dt>{name}</dt><dd>{}</dd>\n", text(value));
            }
            out.push_str("</dl>\n");
        }
        Block::Table(table) => write_table(out, table),
        Block::Timeline(moments) => {
            out.push_str("<ol class=\"timeline\">\n");
            for moment in moments {
                write_moment(out, moment);
            }
            out.push_str("</ol>\n");
        }
        Block::Drawing(svg) => *out += &format!("<figure>\n{svg}</figure>\n"),
        Block::Blank(wanted) => {
            *out += &format!("<div class=\"blank\"><b>{wanted}</b><p>&nbsp;</p></div>\n");
        }
        Block::BlankTable(head) => {
            let rows = vec![vec!["\u{a0}".to_owned(); head.len()]; ROWS];
            write_table(out, &Table { head, rows });
        }
    }
}

/// Each cell says its column, for on a phone the cells of a row stand below each other.
fn write_table(out: &mut String, table: &Table) {
    out.push_str("<table>\n<thead><tr>");
    for name in table.head {
        *out += &format!("<th>{name}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for (name, cell) in table.head.iter().zip(row) {
            *out += &format!("<td data-name=\"{name}\">{}</td>", lines(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n");
}

fn write_moment(out: &mut String, moment: &Moment) {
    let class = match moment.sort {
        Sort::Trouble => "trouble",
        Sort::Relief => "relief",
        Sort::Told => "told",
        Sort::Deed => "deed",
        Sort::Change => "change",
    };
    let (at, sentence) = (text(&moment.at), lines(&moment.sentence));
    *out += &format!("<li class=\"{class}\"><time>{at}</time><div>{sentence}");
    for sample in &moment.evidence {
        *out += &format!("<code>{}</code>", text(sample));
    }
    out.push_str("</div></li>\n");
}

fn lines(said: &str) -> String {
    text(said.trim()).replace('\n', "<br>")
}
