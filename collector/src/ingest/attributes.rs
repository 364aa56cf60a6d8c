//! OTLP attributes as text, and what a resource's attributes say of who sends.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use wire::batch::{
    AGENT_ATTRIBUTE, AgentId, BatchId, HOST_ATTRIBUTE, OWN_ATTRIBUTE_PREFIX, RUN_ATTRIBUTE, RunId,
    SEQUENCE_ATTRIBUTE, Sequence,
};
use wire::otlp::label_of_attribute;

/// Attributes with their values as text, in the order given.
pub(super) type Attributes = Vec<(String, String)>;

/// Reads attributes; those without a value are left out, as an absent label is.
pub(super) fn read(attributes: Vec<KeyValue>) -> Attributes {
    attributes
        .into_iter()
        .filter_map(|pair| Some((pair.key, text_of(pair.value?)?)))
        .collect()
}

/// The value of an attribute.
pub(super) fn find<'a>(attributes: &'a Attributes, key: &str) -> Option<&'a str> {
    attributes
        .iter()
        .find(|(candidate, _)| candidate == key)
        .map(|(_, value)| value.as_str())
}

/// What a resource says of the agent that sends; an error names what is wrong with it.
pub(super) fn identity(attributes: &Attributes) -> Result<Option<BatchId>, String> {
    let Some(agent) = find(attributes, AGENT_ATTRIBUTE) else {
        return Ok(None);
    };
    let run = find(attributes, RUN_ATTRIBUTE).unwrap_or_default();
    let sequence = find(attributes, SEQUENCE_ATTRIBUTE).unwrap_or_default();
    let wrong = |key: &str| format!("the resource attribute {key} is missing or not an identity");
    let agent: AgentId = agent.parse().map_err(|_| wrong(AGENT_ATTRIBUTE))?;
    let run: RunId = run.parse().map_err(|_| wrong(RUN_ATTRIBUTE))?;
    let number: u64 = sequence.parse().map_err(|_| wrong(SEQUENCE_ATTRIBUTE))?;
    if number == 0 {
        return Err(wrong(SEQUENCE_ATTRIBUTE));
    }
    Ok(Some(BatchId {
        agent,
        run,
        sequence: Sequence(number),
    }))
}

/// The labels that a resource gives to series whose names are kept as they are.
pub(super) fn target_labels(attributes: &Attributes) -> Vec<(&str, &str)> {
    attributes
        .iter()
        .filter(|(key, _)| key != HOST_ATTRIBUTE && !key.starts_with(OWN_ATTRIBUTE_PREFIX))
        .map(|(key, value)| (label_of_attribute(key), value.as_str()))
        .collect()
}

/// A value as the text of a label: text as it is, numbers and truth values as they are written,
/// bytes in base 64, lists and maps as JSON. Nothing for a value without content.
fn text_of(any: AnyValue) -> Option<String> {
    match any.value? {
        Value::StringValue(text) => Some(text),
        Value::BytesValue(bytes) => Some(base64_of(&bytes)),
        value => match json_of(value) {
            serde_json::Value::Null => None,
            json => Some(json.to_string()),
        },
    }
}

fn json_of(value: Value) -> serde_json::Value {
    let any = |any: AnyValue| any.value.map_or(serde_json::Value::Null, json_of);
    match value {
        Value::StringValue(text) => text.into(),
        Value::BoolValue(truth) => truth.into(),
        Value::IntValue(number) => number.into(),
        Value::DoubleValue(number) if number.is_finite() => number.into(),
        Value::DoubleValue(number) => number.to_string().into(),
        Value::BytesValue(bytes) => base64_of(&bytes).into(),
        Value::ArrayValue(array) => array.values.into_iter().map(any).collect(),
        Value::KvlistValue(list) => list
            .values
            .into_iter()
            .map(|pair| (pair.key, pair.value.map_or(serde_json::Value::Null, any)))
            .collect(),
        // An index into a table that only profiles have.
        Value::StringValueStrindex(_) => serde_json::Value::Null,
    }
}

fn base64_of(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = (word >> (18 - 6 * place)) & 0x3f;
            let is_padding = place > chunk.len();
            text.push(if is_padding {
                '='
            } else {
                char::from(DIGITS[digit as usize])
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_base_64() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64_of(bytes.as_bytes()), text);
        }
    }
}
