//! Why an envelope was not written or not read. Nothing of a message's content stands in these texts.

use serde_json::error::Category;

use super::{DEPTH_MAX, VERSION};
use crate::ports::{MESSAGE_BYTES_MAX, PublishError};

/// An envelope that would be longer than [`MESSAGE_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an envelope of {bytes} bytes is over the limit of {MESSAGE_BYTES_MAX}")]
pub struct TooLarge {
    /// How long.
    pub bytes: usize,
}

impl From<TooLarge> for PublishError {
    fn from(error: TooLarge) -> Self {
        Self::TooLarge { bytes: error.bytes }
    }
}

/// Why bytes are no envelope that this version can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More than [`MESSAGE_BYTES_MAX`] bytes.
    #[error("an envelope of {bytes} bytes is over the limit of {MESSAGE_BYTES_MAX}")]
    TooLong {
        /// How many.
        bytes: usize,
    },
    /// More than [`DEPTH_MAX`] levels.
    #[error("the envelope nests deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// No JSON.
    #[error("the envelope is no JSON: broken at line {line} column {column}")]
    Unreadable {
        /// From 1; 0 for an empty message.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Written by a later release: the message is kept, an upgrade can read it.
    #[error(
        "the envelope has version {version}, this release reads versions up to {VERSION}: upgrade, then replay it"
    )]
    Newer {
        /// Its version.
        version: u64,
    },
    /// JSON, but not of an envelope's shape.
    #[error("the envelope has another shape: {problem}")]
    Shape {
        /// What was expected.
        problem: String,
    },
}

impl DecodeError {
    pub(super) fn shape(problem: &str) -> Self {
        Self::Shape {
            problem: problem.to_owned(),
        }
    }
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            Category::Data => Self::Shape {
                problem: problem(&error),
            },
            Category::Io | Category::Syntax | Category::Eof => Self::Unreadable {
                line: error.line(),
                column: error.column(),
            },
        }
    }
}

/// The part of serde's sentence that is made of our own names: what it found comes first and is left out.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    let what = if text.starts_with("missing field `") || text.starts_with("duplicate field `") {
        text.to_owned()
    } else if let Some((_, expected)) = text.rsplit_once(", expected ") {
        format!("expected {expected}")
    } else {
        "a value is out of its bounds".to_owned()
    };
    format!("{what}{place}")
}
