//! Bodies as their senders wrote them, read leniently and within bounds: a value of the wrong type is
//! kept as what it is, so that all that are wrong can be told at once.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use axum::extract::Request;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use crate::api::body::{self, BodyError};

use super::refusal::{Fault, Refusal};

/// A value as it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Given {
    #[default]
    Nothing,
    Text(String),
    Flag(bool),
    Texts(BTreeMap<String, Given>),
    /// What nothing that is asked for is.
    Other(&'static str),
}

/// A list of at most so many.
#[derive(Debug)]
pub(super) struct Few<T, const MOST: usize>(pub(super) Vec<T>);

/// A value that is written as an object, and not as a list of its fields.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

/// The bytes of a body of JSON.
pub(super) async fn body(what: &str, request: Request, most: usize) -> Result<Vec<u8>, Refusal> {
    let (head, body) = request.into_parts();
    let sent = head.headers.get(CONTENT_TYPE);
    let kind = sent.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = match kind.split(';').next().unwrap_or_default().trim() {
        "" => "application/octet-stream",
        kind => kind,
    };
    let body = body::read(body, most).await.map_err(|error| match error {
        BodyError::Torn(why) => Refusal::body(what, why),
        BodyError::TooLarge => {
            let message = format!("the body is larger than {} KiB", most >> 10);
            Refusal::coded(StatusCode::PAYLOAD_TOO_LARGE, message)
        }
    })?;
    // A request without a body has no type either.
    if !kind.eq_ignore_ascii_case("application/json") && (sent.is_some() || !body.is_empty()) {
        let message =
            format!("unsupported media type {kind:?}, only [application/json] are allowed");
        return Err(Refusal::coded(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    if body.is_empty() {
        return Err(Refusal::faults(&[Fault::missing(what)]));
    }
    Ok(body)
}

/// Reads JSON.
pub(super) fn parse<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|wrong| Refusal::body(what, wrong))
}

impl Given {
    /// What it is, for a person.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Text(_) => "a text",
            Self::Flag(_) => "a truth value",
            Self::Texts(_) => "an object",
            Self::Other(kind) => kind,
        }
    }
}

/// Reads values, and says which have the wrong type.
#[derive(Debug, Default)]
pub(super) struct Types {
    pub(super) wrong: Vec<String>,
}

impl Types {
    /// A text, if it is given.
    pub(super) fn text(&mut self, place: &str, given: Given) -> Option<String> {
        match given {
            Given::Nothing => None,
            Given::Text(text) => Some(text),
            other => {
                self.mistake(place, "a text", &other);
                None
            }
        }
    }

    /// A truth value, if it is given.
    pub(super) fn flag(&mut self, place: &str, given: &Given) -> Option<bool> {
        match given {
            Given::Nothing => None,
            Given::Flag(flag) => Some(*flag),
            other => {
                self.mistake(place, "a truth value", other);
                None
            }
        }
    }

    /// Texts by name, if they are given.
    pub(super) fn texts(&mut self, place: &str, given: Given) -> Option<Vec<(String, String)>> {
        match given {
            Given::Nothing => None,
            Given::Texts(texts) => {
                let mut pairs = Vec::with_capacity(texts.len());
                for (name, given) in texts {
                    let text = self.text(&format!("{place}.{name}"), given);
                    pairs.push((name, text.unwrap_or_default()));
                }
                Some(pairs)
            }
            other => {
                self.mistake(place, "an object", &other);
                None
            }
        }
    }

    fn mistake(&mut self, place: &str, wanted: &str, given: &Given) {
        let kind = given.kind();
        self.wrong
            .push(format!("{place}: expected {wanted}, found {kind}"));
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Given, E> {
        Ok(Given::Nothing)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Given, E> {
        Ok(Given::Flag(flag))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Given, E> {
        Ok(Given::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Given, E> {
        Ok(Given::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Given, E> {
        Ok(Given::Other("a number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Given, E> {
        Ok(Given::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Given, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Given::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
        let mut texts = BTreeMap::new();
        while let Some((name, given)) = map.next_entry::<String, Given>()? {
            texts.insert(name, given);
        }
        Ok(Given::Texts(texts))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ObjectOf(PhantomData))
    }
}

struct ObjectOf<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectOf<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Few<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(FewOf(PhantomData))
    }
}

struct FewOf<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for FewOf<T, MOST> {
    type Value = Few<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() == MOST {
                return Err(A::Error::custom(format!("there are more than {MOST}")));
            }
            items.push(item);
        }
        Ok(Few(items))
    }
}
