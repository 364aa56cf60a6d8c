//! The message of version 2.0, `io.prometheus.write.v2.Request`: texts stand once in a table.

use std::borrow::Cow;

use super::protobuf::Fields;
use super::{
    Budget, DecodeError, Exemplar, MAX_SYMBOLS, Metadata, Sample, Series, kind_of, sample,
};
use crate::metric::Kind;

pub(super) const SYMBOLS: u32 = 4;
pub(super) const TIMESERIES: u32 = 5;

/// The table of texts; nothing in place of what is no text.
#[derive(Debug, Default)]
pub(super) struct Symbols<'a>(Vec<Option<&'a str>>);

impl<'a> Symbols<'a> {
    /// Reads the table, wherever in the request its parts are.
    pub(super) fn read(request: &'a [u8]) -> Result<Self, DecodeError> {
        let mut symbols = Vec::new();
        let mut fields = Fields::new(request);
        while let Some(field) = fields.next_field()? {
            if field.number != SYMBOLS {
                continue;
            }
            if symbols.len() == MAX_SYMBOLS {
                return Err(DecodeError::TooMany {
                    what: "symbols",
                    limit: MAX_SYMBOLS,
                    place: "request",
                });
            }
            symbols.push(std::str::from_utf8(field.bytes()?).ok());
        }
        Ok(Self(symbols))
    }

    #[inline]
    fn get(&self, reference: u64, series: &mut Series<'a>) -> Result<&'a str, DecodeError> {
        // A larger number than the field has room for loses its upper bits, as protobuf has it.
        let reference = reference as u32;
        match self.0.get(reference as usize) {
            Some(Some(text)) => Ok(text),
            Some(None) => {
                series
                    .not_text
                    .get_or_insert(Cow::Borrowed("\u{fffd}, a symbol"));
                Ok("")
            }
            None => Err(DecodeError::Symbol {
                reference,
                symbols: self.0.len(),
            }),
        }
    }

    /// What a field that may be absent refers to: the number that stands for absence is 0.
    fn get_optional(
        &self,
        reference: u64,
        series: &mut Series<'a>,
    ) -> Result<&'a str, DecodeError> {
        match reference {
            0 => Ok(""),
            reference => self.get(reference, series),
        }
    }
}

pub(super) fn series<'a>(
    message: &'a [u8],
    symbols: &Symbols<'a>,
    into: &mut Series<'a>,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    // Of an unpacked list each number is a field of its own, so a name may wait for its value.
    let mut name = None;
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => field.each_varint(|reference| -> Result<(), DecodeError> {
                let text = symbols.get(reference, into)?;
                match name.take() {
                    None => name = Some(text),
                    Some(name) => {
                        budget.take()?;
                        into.push_label((name, text))?;
                    }
                }
                Ok(())
            })?,
            2 => {
                budget.take()?;
                into.samples.push(sample(field.bytes()?)?);
            }
            3 => {
                field.bytes()?;
                into.histograms += 1;
            }
            4 => {
                budget.take()?;
                exemplar(field.bytes()?, symbols, into, budget)?;
            }
            5 => {
                let metadata = metadata(field.bytes()?, symbols, into)?;
                into.metadata = Some(metadata);
            }
            _ => {}
        }
    }
    match name {
        None => Ok(()),
        Some(_) => Err(DecodeError::Unpaired),
    }
}

fn exemplar<'a>(
    message: &'a [u8],
    symbols: &Symbols<'a>,
    into: &mut Series<'a>,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    let from = into.exemplar_labels.len();
    let (mut name, mut value, mut at_ms) = (None, 0.0, 0);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => field.each_varint(|reference| -> Result<(), DecodeError> {
                let text = symbols.get(reference, into)?;
                match name.take() {
                    None => name = Some(text),
                    Some(name) => {
                        budget.take()?;
                        into.exemplar_labels.push((name, text));
                    }
                }
                Ok(())
            })?,
            2 => value = field.double()?,
            3 => at_ms = field.varint()?.cast_signed(),
            _ => {}
        }
    }
    if name.is_some() {
        return Err(DecodeError::Unpaired);
    }
    into.exemplars.push(Exemplar {
        labels: from..into.exemplar_labels.len(),
        sample: Sample { at_ms, value },
    });
    Ok(())
}

fn metadata<'a>(
    message: &'a [u8],
    symbols: &Symbols<'a>,
    series: &mut Series<'a>,
) -> Result<Metadata<'a>, DecodeError> {
    let mut metadata = Metadata {
        kind: Kind::Untyped,
        help: "",
        unit: "",
    };
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => metadata.kind = kind_of(field.varint()?),
            3 => metadata.help = symbols.get_optional(field.varint()?, series)?,
            4 => metadata.unit = symbols.get_optional(field.varint()?, series)?,
            _ => {}
        }
    }
    Ok(metadata)
}
