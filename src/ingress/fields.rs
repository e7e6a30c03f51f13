//! Flat bodies: forms, query strings and JSON objects are all read into the same few known fields.
//!
//! Of repeated keys the first one counts. Unknown keys are ignored. The number of keys is bounded.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use http::StatusCode;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::domain::text::visible;

use super::reply::{self, Answer};

/// Most keys in one body. A message of 16383 characters full of mentions makes about 8000.
pub(super) const KEYS_MAX: usize = 10_000;

/// The known fields of one body.
#[derive(Default)]
pub(super) struct Fields(BTreeMap<&'static str, String>);

/// Why a body is malformed. The text names a field, never a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadFields {
    #[error("the body is not a valid form: it must be %-encoded UTF-8")]
    Form,
    #[error("the body is not a JSON object")]
    Json,
    #[error("the body has more than {KEYS_MAX} keys")]
    TooMany,
    #[error("field {0} must be a string")]
    NoText(&'static str),
    #[error("field {0} is missing or is not a valid identifier")]
    BadId(&'static str),
    #[error("field {0} must be a whole number")]
    NoNumber(&'static str),
}

impl Fields {
    /// Reads `key=value&...`; every key and value must be %-encoded UTF-8.
    pub(super) fn from_form(body: &[u8], known: &[&'static str]) -> Result<Self, BadFields> {
        let mut fields = BTreeMap::new();
        let pairs = body.split(|b| *b == b'&').filter(|pair| !pair.is_empty());
        for (count, pair) in pairs.enumerate() {
            if count >= KEYS_MAX {
                return Err(BadFields::TooMany);
            }
            let at = pair.iter().position(|b| *b == b'=');
            let (key, value) = at.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
            let (key, value) = (decode(key)?, decode(value)?);
            if let Some(known) = known.iter().find(|known| **known == key) {
                fields.entry(*known).or_insert(value);
            }
        }
        Ok(Self(fields))
    }

    /// Reads one JSON object. A number is read as its text, and null as absent.
    pub(super) fn from_json(body: &[u8], known: &[&'static str]) -> Result<Self, BadFields> {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let pairs = Object { known }
            .deserialize(&mut reader)
            .and_then(|pairs| reader.end().map(|()| pairs))
            .map_err(|_| BadFields::Json)?
            .ok_or(BadFields::TooMany)?;
        let mut fields = BTreeMap::new();
        for (key, value) in pairs {
            match value {
                Value::Null => {}
                Value::String(text) => drop(fields.insert(key, text)),
                Value::Number(number) => drop(fields.insert(key, number.to_string())),
                Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    return Err(BadFields::NoText(key));
                }
            }
        }
        Ok(Self(fields))
    }

    /// The text of a field; empty if the field is absent.
    pub(super) fn text(&self, name: &'static str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A required identifier.
    pub(super) fn id<T: FromStr>(&self, name: &'static str) -> Result<T, BadFields> {
        self.text(name).parse().map_err(|_| BadFields::BadId(name))
    }

    /// An optional identifier: `None` if it is absent or empty.
    pub(super) fn optional_id<T: FromStr>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, BadFields> {
        match self.text(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| BadFields::BadId(name)),
        }
    }

    /// An optional whole number: `None` if it is absent or empty.
    pub(super) fn optional_number(&self, name: &'static str) -> Result<Option<i64>, BadFields> {
        match self.text(name) {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| BadFields::NoNumber(name)),
        }
    }

    /// A field as a name of at most `max` characters, see [`clean_name`].
    pub(super) fn name(&self, name: &'static str, max: usize) -> String {
        clean_name(self.text(name), max)
    }
}

/// At most `max` characters of a name, without control characters and without surrounding white space. Invisible
/// characters that change the direction or look of others are removed too, because pages and plugNmeet show names as
/// they are. Empty if nothing visible is left.
pub(super) fn clean_name(text: &str, max: usize) -> String {
    let seen = visible(text);
    let name: String = seen.chars().filter(|c| !c.is_control()).take(max).collect();
    // Checked again because the visible part may have been cut off.
    visible(name.trim())
}

impl BadFields {
    /// Status 400 with the name of the field.
    pub(super) fn answer(self) -> Answer {
        reply::plain(StatusCode::BAD_REQUEST, &self.to_string())
    }
}

fn decode(text: &[u8]) -> Result<String, BadFields> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    let digit = char::from(*rest.next()?).to_digit(16)?;
                    u8::try_from(digit).ok()
                };
                let (high, low) = (digit(), digit());
                high.zip(low)
                    .map(|(high, low)| high << 4 | low)
                    .ok_or(BadFields::Form)?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| BadFields::Form)
}

/// Reads the known keys of an object with their first values; `None` if there are too many keys.
struct Object<'k> {
    known: &'k [&'static str],
}

type Pairs = Option<BTreeMap<&'static str, Value>>;

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Pairs;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Pairs, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = BTreeMap::new();
        let mut count = 0;
        while let Some(key) = map.next_key::<String>()? {
            count += 1;
            let known = self.known.iter().find(|known| **known == key);
            match known {
                Some(known) if count <= KEYS_MAX && !pairs.contains_key(known) => {
                    let value = map.next_value().map_err(A::Error::custom)?;
                    pairs.insert(*known, value);
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok((count <= KEYS_MAX).then_some(pairs))
    }
}

#[cfg(test)]
mod tests;
