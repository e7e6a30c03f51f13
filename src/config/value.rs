//! How values are written: the untyped form that every source is brought into, and the types read from it.

mod list;
mod number;
mod place;
mod store;
mod text;
mod word;

pub(crate) use list::{entries, unquoted};
pub use place::{AmqpUrl, HostName, QueueUrl, SecretUrl};
pub use store::{PostgresUrl, SslMode, StoreUrl};
pub use text::Template;
pub use word::{DeclareSetting, LogFormat, LogLevel, NoticeFormatSetting};

/// A value as its source wrote it.
#[derive(Debug, Clone)]
pub(crate) enum Raw {
    /// Untyped text: an environment variable, a secret's file, a default of the table.
    Text(String),
    /// A string of TOML or JSON.
    String(String),
    /// A whole number of TOML or JSON.
    Integer(i64),
    /// A truth value of TOML or JSON.
    Boolean(bool),
    /// A list.
    List(Vec<Raw>),
    /// One of a repeated section; its keys have places of their own.
    Table,
    /// Something that no key takes: a fraction, a date.
    Other(&'static str),
}

impl Raw {
    /// What it is, for a complaint; never its content, which may be a secret.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::String(_) => "text",
            Self::Integer(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table => "a table",
            Self::Other(kind) => kind,
        }
    }

    /// A value of JSON.
    pub(crate) fn of_json(value: serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::String(text) => Self::String(text),
            Value::Bool(truth) => Self::Boolean(truth),
            Value::Number(number) => number
                .as_i64()
                .map_or(Self::Other("a fraction"), Self::Integer),
            Value::Array(items) => Self::List(items.into_iter().map(Self::of_json).collect()),
            Value::Null => Self::Other("null"),
            Value::Object(_) => Self::Other("an object"),
        }
    }

    /// Its text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::String(text) => Some(text),
            _ => None,
        }
    }
}

/// Why a value was not understood, without the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// What is wrong with it.
    pub(crate) what: String,
    /// What to write instead.
    pub(crate) instead: String,
}

impl Mismatch {
    /// `raw` is of another kind than what `wanted` says.
    pub(crate) fn kind(raw: &Raw, wanted: &str) -> Self {
        Self {
            what: format!("is {}", raw.kind()),
            instead: format!("write {wanted}"),
        }
    }

    /// This text does not say what it should.
    pub(crate) fn text(text: &str, why: &str, instead: impl Into<String>) -> Self {
        Self {
            what: format!("{text:?} {why}"),
            instead: instead.into(),
        }
    }
}

/// A type that a key can have.
pub(crate) trait Setting: Sized {
    /// It holds a secret, which is hidden everywhere, and may come from a file.
    const IS_SECRET: bool = false;

    /// It has neither blanks nor separators in it, so that those in a list show that the list is written in another
    /// way.
    const IS_ONE_WORD: bool = false;

    /// Quotes around it in a variable may be part of it, which nobody but its owner can tell.
    const KEEPS_QUOTES: bool = false;

    /// What is written there, with its unit.
    fn type_name() -> String;

    /// Reads it.
    fn read(raw: &Raw) -> Result<Self, Mismatch>;

    /// How it stands in a file; `None` when it is absent.
    fn show(&self) -> Option<String>;

    /// It says the same as `other`. What hides its value must compare it itself.
    fn is_same(&self, other: &Self) -> bool {
        self.show() == other.show()
    }

    /// It lies below `other`, for keys with a range.
    fn is_less(&self, other: &Self) -> bool {
        let _ = other;
        false
    }
}

/// `text` as a TOML string.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
