//! The message of version 1.0, `prometheus.WriteRequest`.

use super::protobuf::{Fields, Malformed};
use super::{Budget, DecodeError, Exemplar, Metadata, Sample, Series, kind_of, sample};
use crate::metric::Kind;

pub(super) const TIMESERIES: u32 = 1;
pub(super) const METADATA: u32 = 3;

pub(super) fn series<'a>(
    message: &'a [u8],
    into: &mut Series<'a>,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => {
                budget.take()?;
                let label = label(field.bytes()?, into)?;
                into.push_label(label)?;
            }
            2 => {
                budget.take()?;
                into.samples.push(sample(field.bytes()?)?);
            }
            3 => {
                budget.take()?;
                exemplar(field.bytes()?, into, budget)?;
            }
            4 => {
                field.bytes()?;
                into.histograms += 1;
            }
            _ => {}
        }
    }
    Ok(())
}

fn label<'a>(message: &'a [u8], series: &mut Series<'a>) -> Result<(&'a str, &'a str), Malformed> {
    let mut label = ("", "");
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => label.0 = series.text(field.bytes()?),
            2 => label.1 = series.text(field.bytes()?),
            _ => {}
        }
    }
    Ok(label)
}

fn exemplar<'a>(
    message: &'a [u8],
    into: &mut Series<'a>,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    let from = into.exemplar_labels.len();
    let (mut value, mut at_ms) = (0.0, 0);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => {
                budget.take()?;
                let label = label(field.bytes()?, into)?;
                into.exemplar_labels.push(label);
            }
            2 => value = field.double()?,
            3 => at_ms = field.varint()?.cast_signed(),
            _ => {}
        }
    }
    into.exemplars.push(Exemplar {
        labels: from..into.exemplar_labels.len(),
        sample: Sample { at_ms, value },
    });
    Ok(())
}

pub(super) fn metadata(message: &[u8]) -> Result<(&str, Metadata<'_>), Malformed> {
    let mut family = "";
    let mut metadata = Metadata {
        kind: Kind::Untyped,
        help: "",
        unit: "",
    };
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Malformed("metadata is no text"));
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => metadata.kind = kind_of(field.varint()?),
            2 => family = text(field.bytes()?)?,
            4 => metadata.help = text(field.bytes()?)?,
            5 => metadata.unit = text(field.bytes()?)?,
            _ => {}
        }
    }
    Ok((family, metadata))
}
