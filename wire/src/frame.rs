//! The framing of checksummed records in a file, as the agent's spool and the collector's journal
//! both write it.
//!
//! Constraints, in the order of their weight: a reader never takes damaged bytes for a record; a
//! reader can tell a torn tail (the file ends within a record) from damage within the file; after
//! damage a reader can find the next whole record; writing costs one pass.
//!
//! ```text
//! frame   := magic (4 bytes, b"NSf1") | length (u32 LE) | header crc (u32 LE) | body crc (u32 LE) | body
//! ```
//! `header crc` is CRC-32C of the first eight bytes: a flipped bit in `length` is seen before the
//! length is believed. `body crc` is CRC-32C of the body.

/// Bytes before the body.
pub const HEADER_LEN: usize = 16;
/// Largest body. A batch is a few hundred kilobytes at the most; anything larger is damage.
pub const MAX_BODY: usize = 64 << 20;

const MAGIC: [u8; 4] = *b"NSf1";

/// What stands at a place in a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Scan<'a> {
    /// A whole record; `next` is where the following one begins.
    Record {
        /// The record's body.
        body: &'a [u8],
        /// Offset of the byte after the record.
        next: usize,
    },
    /// The file ends exactly here.
    End,
    /// The file ends within what may have been a record: a write that was cut short.
    Torn,
    /// Not a record; `next` is where the next whole header begins, if one does.
    Damaged {
        /// Offset from which reading can go on.
        next: Option<usize>,
    },
}

/// Appends one record to `out`.
///
/// # Panics
/// Never for bodies up to [`MAX_BODY`]; a larger one is the caller's mistake.
pub fn write(out: &mut Vec<u8>, body: &[u8]) {
    assert!(
        body.len() <= MAX_BODY,
        "a record of {} bytes exceeds {MAX_BODY}",
        body.len()
    );
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    // The assertion above bounds the length far below u32::MAX.
    #[allow(clippy::cast_possible_truncation)]
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    let header_crc = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(&header_crc.to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
    out.extend_from_slice(body);
}

/// Says what stands at `offset` of `file`.
#[must_use]
pub fn scan(file: &[u8], offset: usize) -> Scan<'_> {
    let rest = &file[offset.min(file.len())..];
    if rest.is_empty() {
        return Scan::End;
    }
    let Some(header) = rest.get(..HEADER_LEN) else {
        return Scan::Torn;
    };
    let Some((length, body_crc)) = parse_header(header) else {
        return damaged(file, offset);
    };
    let end = HEADER_LEN + length;
    let Some(body) = rest.get(HEADER_LEN..end) else {
        // A header that checks out but reaches past the end: cut short, unless a later header
        // shows that the file goes on.
        return match find_header(file, offset + 1) {
            Some(next) => Scan::Damaged { next: Some(next) },
            None => Scan::Torn,
        };
    };
    if crc32c::crc32c(body) == body_crc {
        return Scan::Record {
            body,
            next: offset + end,
        };
    }
    damaged(file, offset)
}

/// Length of the body that the header at the beginning of `bytes` announces; `None` where no whole
/// header stands. Readers that do not hold a file whole learn by it how much to read.
#[must_use]
pub fn body_len(bytes: &[u8]) -> Option<usize> {
    parse_header(bytes.get(..HEADER_LEN)?).map(|(length, _)| length)
}

fn parse_header(header: &[u8]) -> Option<(usize, u32)> {
    let word = |at: usize| {
        let bytes: [u8; 4] = header.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    if header.get(..4)? != MAGIC || word(8)? != crc32c::crc32c(header.get(..8)?) {
        return None;
    }
    let length = word(4)? as usize;
    (length <= MAX_BODY).then_some(length).zip(word(12))
}

fn damaged(file: &[u8], offset: usize) -> Scan<'_> {
    Scan::Damaged {
        next: find_header(file, offset + 1),
    }
}

/// Finds the next place from `from` on that bears a whole header. Bodies are opaque and may hold a copy of the
/// magic; the header's own checksum makes a false hit a matter of one in four billion.
#[must_use]
pub fn find_header(file: &[u8], from: usize) -> Option<usize> {
    let tail = file.get(from..)?;
    tail.windows(HEADER_LEN)
        .position(|window| window[..4] == MAGIC && parse_header(window).is_some())
        .map(|at| from + at)
}

#[cfg(test)]
mod tests;
