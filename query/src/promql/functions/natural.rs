//! The order in which people sort names with numbers in them: `cpu2` before `cpu10`.

use std::cmp::Ordering;

/// Compares piece by piece; pieces of digits by their number.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !a.is_empty() && !b.is_empty() {
        let (piece_a, rest_a) = piece(a);
        let (piece_b, rest_b) = piece(b);
        let order = match (number(piece_a), number(piece_b)) {
            (Some(a), Some(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            _ => piece_a.cmp(piece_b),
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.len().cmp(&b.len())
}

/// The digits without leading zeros, if the piece is of digits.
fn number(piece: &str) -> Option<&str> {
    piece
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| piece.trim_start_matches('0'))
}

fn piece(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text
        .find(|c: char| c.is_ascii_digit() != digits)
        .unwrap_or(text.len());
    text.split_at(end)
}
