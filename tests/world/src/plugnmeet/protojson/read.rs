//! Reading a body into a message, with protojson's error texts and positions.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Field, Kind, Message, Value, camel_case};

/// A body that could be read.
pub(crate) struct Reading {
    pub(crate) message: Message,
    /// Paths of fields that the server ignores because it does not know them.
    pub(crate) unknown: Vec<String>,
}

/// Reads `body` as a message of `fields`. The error is the server's text.
pub(crate) fn read(fields: &'static [Field], body: &[u8]) -> Result<Reading, String> {
    let Ok(body) = std::str::from_utf8(body) else {
        return Err("proto: syntax error (line 1:1): invalid UTF-8 in string".to_owned());
    };
    if body.trim().is_empty() {
        return Err("proto: syntax error (line 1:1): unexpected token ".to_owned());
    }
    let raw: &RawValue = serde_json::from_str(body).map_err(|error| {
        if error.is_eof() {
            "proto: unexpected EOF".to_owned()
        } else {
            format!(
                "proto: syntax error (line {}:{}): invalid value",
                error.line(),
                error.column()
            )
        }
    })?;
    let mut unknown = Vec::new();
    let message = Reader {
        body,
        unknown: &mut unknown,
    }
    .message(fields, raw, "")?;
    Ok(Reading { message, unknown })
}

struct Reader<'a> {
    body: &'a str,
    unknown: &'a mut Vec<String>,
}

impl Reader<'_> {
    // Recursion follows the schema, so its depth is bounded by it; unknown parts are never entered.
    fn message(
        &mut self,
        fields: &'static [Field],
        raw: &RawValue,
        path: &str,
    ) -> Result<Message, String> {
        let mut message = Message::default();
        for (name, value) in self.entries(raw)? {
            let here = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            let known = fields
                .iter()
                .find(|field| field.name == name || camel_case(field.name) == name);
            let Some(field) = known else {
                self.unknown.push(here);
                continue;
            };
            if message.get(field.name).is_some() {
                return Err(format!(
                    "proto: ({}): duplicate field \"{name}\"",
                    self.position(value)
                ));
            }
            if value.get() == "null" {
                continue;
            }
            if let Some(value) = self.value(field, value, &here)? {
                message.set(field.name, value);
            }
        }
        Ok(message)
    }

    fn value(
        &mut self,
        field: &'static Field,
        raw: &RawValue,
        path: &str,
    ) -> Result<Option<Value>, String> {
        let text = raw.get();
        Ok(match &field.kind {
            Kind::Bool => match text {
                "true" => Some(Value::Bool(true)),
                "false" => field.optional.then_some(Value::Bool(false)),
                _ => return Err(self.invalid("bool", field.name, raw)),
            },
            Kind::Text => {
                let text = self.text(field.name, raw)?;
                (field.optional || !text.is_empty()).then_some(Value::Text(text))
            }
            Kind::Unsigned32 => {
                let number = number(text).filter(|number| u32::try_from(*number).is_ok());
                let number = number.ok_or_else(|| self.invalid("uint32", field.name, raw))?;
                (field.optional || number != 0).then_some(Value::Number(number))
            }
            Kind::Unsigned64 => {
                let number = number(text).ok_or_else(|| self.invalid("uint64", field.name, raw))?;
                (field.optional || number != 0).then_some(Value::Number(number))
            }
            Kind::Choice(names) => {
                let number = if text.starts_with('"') {
                    let name = self.text(field.name, raw)?;
                    // An unknown name is discarded like an unknown field (recorded: api-artifact-fetch-bad-type).
                    let Some(at) = names.iter().position(|known| *known == name) else {
                        self.unknown.push(format!("{path} = \"{name}\""));
                        return Ok(None);
                    };
                    at as u64
                } else {
                    number(text).ok_or_else(|| self.invalid("enum", field.name, raw))?
                };
                (field.optional || number != 0).then_some(Value::Number(number))
            }
            Kind::Texts => {
                let items: Vec<&RawValue> =
                    serde_json::from_str(text).map_err(|_| self.unexpected(raw))?;
                let texts = items
                    .into_iter()
                    .map(|item| self.text(field.name, item))
                    .collect::<Result<Vec<_>, _>>()?;
                (!texts.is_empty()).then_some(Value::Texts(texts))
            }
            Kind::TextMap => {
                let mut map = BTreeMap::new();
                for (key, value) in self.entries(raw)? {
                    map.insert(key, self.text("value", value)?);
                }
                (!map.is_empty()).then_some(Value::TextMap(map))
            }
            Kind::Message(fields) => Some(Value::Message(self.message(fields, raw, path)?)),
        })
    }

    fn text(&self, name: &str, raw: &RawValue) -> Result<String, String> {
        serde_json::from_str(raw.get()).map_err(|_| self.invalid("string", name, raw))
    }

    fn entries<'r>(&self, raw: &'r RawValue) -> Result<Vec<(String, &'r RawValue)>, String> {
        let Entries(entries) = serde_json::from_str(raw.get()).map_err(|_| self.unexpected(raw))?;
        Ok(entries)
    }

    fn invalid(&self, kind: &str, name: &str, raw: &RawValue) -> String {
        let name = camel_case(name);
        format!(
            "proto: ({}): invalid value for {kind} field {name}: {}",
            self.position(raw),
            token(raw)
        )
    }

    fn unexpected(&self, raw: &RawValue) -> String {
        format!(
            "proto: syntax error ({}): unexpected token {}",
            self.position(raw),
            token(raw)
        )
    }

    // The raw value is a slice of the body, so its place is the distance of the two addresses. Columns count
    // characters, as protojson does.
    fn position(&self, raw: &RawValue) -> String {
        let offset = (raw.get().as_ptr() as usize).saturating_sub(self.body.as_ptr() as usize);
        let before = self.body.get(..offset).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!("line {line}:{column}")
    }
}

/// The first token of a value: the whole of a scalar, the bracket of anything else.
fn token(raw: &RawValue) -> &str {
    let text = raw.get();
    if text.starts_with(['{', '[']) {
        &text[..1]
    } else {
        text
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text);
    digits.parse().ok()
}

/// The entries of an object in their order, doubles included.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
