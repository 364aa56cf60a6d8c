//! Counts the messages within an encoded request before it is decoded.
//!
//! An empty message takes two bytes on the wire and a hundred in memory: without this, a request of
//! a few kilobytes compressed could take gigabytes. The count is of what the decoder would allocate,
//! found by walking the known nested fields; everything else is left to the decoder.

/// Messages that one request may hold: some 200,000 points with labels, a few hundred megabytes once
/// decoded. Whoever has more sends more requests.
pub(super) const MAX_MESSAGES: usize = 2_000_000;

/// Attribute values nest without end; no real one goes this deep, and the decoder stops there too.
const MAX_DEPTH: usize = 64;

/// Too many messages, or nested too deep.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooHeavy;

/// Weighs a protobuf request. Malformed bytes weigh nothing: the decoder says what is wrong.
pub(super) fn protobuf(request: &[u8]) -> Result<(), TooHeavy> {
    let mut left = MAX_MESSAGES;
    walk(request, &REQUEST, &mut left, MAX_DEPTH)
}

/// Weighs a JSON request: every message begins with a brace.
pub(super) fn json(request: &[u8]) -> Result<(), TooHeavy> {
    let braces = request.iter().filter(|byte| **byte == b'{').count();
    if braces > MAX_MESSAGES {
        return Err(TooHeavy);
    }
    Ok(())
}

/// The fields of a message that hold messages.
struct Shape {
    nested: &'static [(u64, &'static Shape)],
}

macro_rules! shape {
    ($name:ident: $($field:literal => $child:ident),*) => {
        static $name: Shape = Shape { nested: &[$(($field, &$child)),*] };
    };
}

shape!(REQUEST: 1 => RESOURCE_METRICS);
shape!(RESOURCE_METRICS: 1 => RESOURCE, 2 => SCOPE_METRICS);
shape!(RESOURCE: 1 => PAIR, 3 => LEAF);
shape!(SCOPE_METRICS: 1 => SCOPE, 2 => METRIC);
shape!(SCOPE: 3 => PAIR);
shape!(METRIC: 5 => NUMBERS, 7 => NUMBERS, 9 => HISTOGRAMS, 10 => EXPONENTIALS, 11 => SUMMARIES, 12 => PAIR);
shape!(NUMBERS: 1 => NUMBER);
shape!(NUMBER: 5 => EXEMPLAR, 7 => PAIR);
shape!(HISTOGRAMS: 1 => HISTOGRAM);
shape!(HISTOGRAM: 8 => EXEMPLAR, 9 => PAIR);
shape!(EXPONENTIALS: 1 => EXPONENTIAL);
shape!(EXPONENTIAL: 1 => PAIR, 8 => LEAF, 9 => LEAF, 11 => EXEMPLAR);
shape!(SUMMARIES: 1 => SUMMARY);
shape!(SUMMARY: 6 => LEAF, 7 => PAIR);
shape!(EXEMPLAR: 7 => PAIR);
shape!(PAIR: 2 => ANY);
shape!(ANY: 5 => ARRAY, 6 => MAP);
shape!(ARRAY: 1 => ANY);
shape!(MAP: 1 => PAIR);
shape!(LEAF:);

fn walk(mut rest: &[u8], shape: &Shape, left: &mut usize, depth: usize) -> Result<(), TooHeavy> {
    if depth == 0 {
        return Err(TooHeavy);
    }
    while let Some((field, content)) = take_field(&mut rest) {
        let child = shape.nested.iter().find(|(number, _)| *number == field);
        let (Some((_, child)), Some(content)) = (child, content) else {
            continue;
        };
        *left = left.checked_sub(1).ok_or(TooHeavy)?;
        walk(content, child, left, depth - 1)?;
    }
    Ok(())
}

/// Takes a field's number and, where it is of variable length, its content; nothing at the end or
/// where the bytes are no field.
fn take_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Option<&'a [u8]>)> {
    let key = take_varint(rest)?;
    let field = key >> 3;
    match key & 7 {
        0 => {
            take_varint(rest)?;
            Some((field, None))
        }
        1 => take(rest, 8).map(|_| (field, None)),
        2 => {
            let length = usize::try_from(take_varint(rest)?).ok()?;
            take(rest, length).map(|content| (field, Some(content)))
        }
        5 => take(rest, 4).map(|_| (field, None)),
        _ => None,
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *take(rest, 1)?.first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(field: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![field << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            out.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(content);
        out
    }

    fn metric_of(data: &[u8]) -> Vec<u8> {
        nested(1, &nested(2, &nested(2, &nested(5, data))))
    }

    #[test]
    fn a_flood_of_empty_points_is_refused() {
        assert_eq!(protobuf(&metric_of(&[0x0a, 0].repeat(1_000_000))), Ok(()));
        assert_eq!(
            protobuf(&metric_of(&[0x0a, 0].repeat(2_000_000))),
            Err(TooHeavy)
        );
        assert_eq!(json(&b"{},".repeat(2_000_001)), Err(TooHeavy));
    }

    #[test]
    fn attribute_values_nested_without_end_are_refused() {
        let mut any = Vec::new();
        for _ in 0..100 {
            any = nested(5, &nested(1, &any));
        }
        let pair = nested(2, &any);
        assert_eq!(
            protobuf(&metric_of(&nested(1, &nested(7, &pair)))),
            Err(TooHeavy)
        );
    }

    #[test]
    fn what_is_not_protobuf_is_left_to_the_decoder() {
        for bytes in [&b""[..], b"hello", &[0xff; 100], &[0x0a, 0xff, 0xff]] {
            assert_eq!(protobuf(bytes), Ok(()));
        }
    }
}
