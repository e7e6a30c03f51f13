//! Requests and room metadata the way plugNmeet reads and writes them: protojson over a list of fields.
//!
//! As the real server does (src/plugnmeet/README.md, "Answers"): snake_case and camelCase are both read, 64-bit numbers
//! as number or string, enums by name or number, `null` is unset, a wrong type is an error with its position, unknown
//! fields are ignored (and told to the caller, because a relay that sends one has a typo). Written are snake_case
//! names, unset plain fields with their zero, unset `optional` fields not at all.

mod read;
mod rule;
mod write;

use std::collections::BTreeMap;

pub(crate) use read::read;
pub(crate) use rule::{broken_rules, is_identifier};
pub(crate) use write::write;

/// One field of a message.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Declared `optional`: an explicit zero counts as set, and an unset one is not written.
    pub(crate) optional: bool,
    pub(crate) rule: Rule,
}

/// What a field holds.
pub(crate) enum Kind {
    Bool,
    Text,
    Unsigned32,
    Unsigned64,
    /// An enumeration: the names by number.
    Choice(&'static [&'static str]),
    Texts,
    TextMap,
    Message(&'static [Field]),
}

/// What a request may hold in a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Any,
    Required,
    /// Absent, or an absolute URI.
    Uri,
    /// Absent, or more than 0.
    AboveZero,
    /// The server's own field: must stay unset.
    Internal,
    /// A room id: `^[a-zA-Z0-9-_]+$`.
    RoomId,
}

/// A field that any value suits.
pub(crate) const fn field(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        optional: false,
        rule: Rule::Any,
    }
}

impl Field {
    /// The same field, declared `optional`.
    pub(crate) const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The same field under `rule`.
    pub(crate) const fn rule(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }
}

/// The values of one message, by field name. Plain fields with their zero value are not in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message(BTreeMap<&'static str, Value>);

/// The value of one field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Text(String),
    Number(u64),
    Texts(Vec<String>),
    TextMap(BTreeMap<String, String>),
    Message(Message),
}

impl Message {
    /// The text of a field, empty when unset.
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// The text of a field that may be unset.
    pub(crate) fn text_if_set(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether a boolean field is set and true.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    /// The number of a field that may be unset.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        match self.0.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The texts of a repeated field.
    pub(crate) fn texts(&self, name: &str) -> &[String] {
        match self.0.get(name) {
            Some(Value::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// The message in a field.
    pub(crate) fn message(&self, name: &str) -> Option<&Message> {
        match self.0.get(name) {
            Some(Value::Message(message)) => Some(message),
            _ => None,
        }
    }

    /// The message in a field, made when there is none.
    pub(crate) fn message_mut(&mut self, name: &'static str) -> &mut Message {
        let value = self
            .0
            .entry(name)
            .or_insert_with(|| Value::Message(Message::default()));
        if !matches!(value, Value::Message(_)) {
            *value = Value::Message(Message::default());
        }
        match value {
            Value::Message(message) => message,
            _ => unreachable!("the line above made it a message"),
        }
    }

    /// Sets a field.
    pub(crate) fn set(&mut self, name: &'static str, value: Value) {
        self.0.insert(name, value);
    }

    /// Unsets a field.
    pub(crate) fn unset(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Sets a text field.
    pub(crate) fn set_text(&mut self, name: &'static str, text: impl Into<String>) {
        self.set(name, Value::Text(text.into()));
    }

    /// Sets a boolean field.
    pub(crate) fn set_bool(&mut self, name: &'static str, value: bool) {
        self.set(name, Value::Bool(value));
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// `other` laid over this one as protobuf merges: what is set there wins, messages field by field, lists are
    /// appended. A plain `false` is unset and therefore changes nothing
    /// (src/plugnmeet/README.md, "Features").
    pub(crate) fn merge(&mut self, other: Message) {
        for (name, value) in other.0 {
            match (self.0.get_mut(name), value) {
                (Some(Value::Message(mine)), Value::Message(theirs)) => mine.merge(theirs),
                (Some(Value::Texts(mine)), Value::Texts(theirs)) => mine.extend(theirs),
                (Some(Value::TextMap(mine)), Value::TextMap(theirs)) => mine.extend(theirs),
                (_, value) => {
                    self.0.insert(name, value);
                }
            }
        }
    }
}

/// `room_title` as `roomTitle`: the name in protojson's error texts.
pub(crate) fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            camel.extend(letter.to_uppercase());
        } else {
            camel.push(letter);
        }
    }
    camel
}
