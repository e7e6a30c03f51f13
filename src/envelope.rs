//! The versioned wire form of an envelope: JSON, because an operator reads dead letters.
//!
//! Decoding is total: whatever the bytes are, the answer is an envelope or a short reason that repeats nothing of
//! them. Version 1 may gain fields with defaults; anything else is a new version. Everything that a worker needs
//! stands in it or in the store, so that messages can be moved by hand between queues.

mod check;
mod own;
mod queue;
mod seal;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::apply::{Reply, Saying};
use crate::domain::{
    Event, EventId, Fact, JobId, Origin, Person, RequestId, ResponseHook, Timestamp,
};
use crate::ports::{Body, Envelope, MESSAGE_BYTES_MAX, Message, PublishError};

pub use check::is_trace;
pub(crate) use own::{event_posting, own_event};
pub use queue::EnvelopeQueue;
pub use seal::{EnvelopeSigner, SealError};

/// The version that is written.
const VERSION: u64 = 1;
/// Deepest nesting that is read; ours have 5 levels.
const DEPTH_MAX: usize = 16;

/// Why a message cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No JSON, or no envelope.
    #[error("it is no envelope: {0}")]
    Malformed(String),
    /// Written by a newer relay: kept as a dead letter until that one runs again.
    #[error(
        "it has version {0}, this relay reads version {VERSION}: replay it with the newer relay"
    )]
    Newer(u64),
    /// Longer than any message of ours.
    #[error("it has {0} bytes, more than {MESSAGE_BYTES_MAX}")]
    TooLong(usize),
    /// Nested deeper than any message of ours.
    #[error("it nests deeper than {DEPTH_MAX} levels")]
    TooDeep,
}

/// The message of an envelope.
///
/// # Errors
/// [`PublishError::TooLarge`] when it would be longer than [`MESSAGE_BYTES_MAX`], else [`PublishError::Unwritable`].
pub fn encode(envelope: &Envelope) -> Result<Message, PublishError> {
    let id = envelope.id();
    let written = match &envelope.body {
        Body::Event(event) => write(envelope, "event", &id, Some(&event.origin), &event.fact),
        Body::Job { since, .. } => write(envelope, "job", &id, None, &JobBody { since: *since }),
        Body::Reply(tell) => write(envelope, "tell", &id, None, &ReplyBody::from(tell)),
    };
    let body = written.map_err(|error| PublishError::Unwritable(check::problem(&error)))?;
    if body.len() > MESSAGE_BYTES_MAX {
        return Err(PublishError::TooLarge { bytes: body.len() });
    }
    Ok(Message {
        id,
        body: body.into(),
    })
}

fn write(
    envelope: &Envelope,
    kind: &str,
    id: &str,
    origin: Option<&Origin>,
    body: &impl Serialize,
) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&WireEnvelope {
        v: VERSION,
        kind,
        id,
        source: origin.map(|origin| origin.source.as_str()),
        key: origin.map(|origin| origin.key.as_str()),
        received_at: envelope.received_at,
        attempt: envelope.attempt,
        tries: envelope.tries,
        not_before: envelope.not_before,
        delayed_at: envelope.delayed_at,
        // What is no trace context would be dropped by the reader anyway.
        trace: envelope.trace.as_deref().filter(|trace| is_trace(trace)),
        body,
    })
}

/// Reads a message.
///
/// # Errors
/// See [`DecodeError`]; never the message's content.
pub fn decode(bytes: &[u8]) -> Result<Envelope, DecodeError> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(DecodeError::TooLong(bytes.len()));
    }
    if check::depth(bytes) > DEPTH_MAX {
        return Err(DecodeError::TooDeep);
    }
    let version: Version = serde_json::from_slice(bytes).map_err(malformed)?;
    match version.v {
        VERSION => {}
        0 => return Err(DecodeError::Malformed("it has version 0".to_owned())),
        newer => return Err(DecodeError::Newer(newer)),
    }
    let read: Read<'_> = serde_json::from_slice(bytes).map_err(malformed)?;
    let trace = read.trace.clone().filter(|trace| is_trace(trace));
    let (received_at, attempt, tries) = (read.received_at, read.attempt.max(1), read.tries.max(1));
    let (not_before, delayed_at) = (read.not_before, read.delayed_at);
    let body = read_body(read)?;
    Ok(Envelope {
        received_at,
        attempt,
        tries,
        not_before,
        delayed_at,
        trace,
        body,
    })
}

fn read_body(read: Read<'_>) -> Result<Body, DecodeError> {
    let body = read.body.get();
    match read.kind.as_str() {
        "event" => {
            let (Some(source), Some(key)) = (read.source, read.key) else {
                return Err(DecodeError::Malformed(
                    "an event without source and key".to_owned(),
                ));
            };
            let id: EventId = parse(&read.id, "id")?;
            let fact: Fact = serde_json::from_str(body).map_err(malformed)?;
            let origin = Origin { source, key };
            Ok(Body::Event(Event {
                id,
                origin,
                received_at: read.received_at,
                fact,
            }))
        }
        "job" => {
            let id: JobId = parse(&read.id, "id")?;
            let JobBody { since } = serde_json::from_str(body).map_err(malformed)?;
            Ok(Body::Job { id, since })
        }
        "tell" => {
            let tell: ReplyBody = serde_json::from_str(body).map_err(malformed)?;
            if read.id != format!("tell:{}", tell.request) {
                return Err(DecodeError::Malformed(
                    "its id is none of its request".to_owned(),
                ));
            }
            Ok(Body::Reply(tell.into()))
        }
        _ => Err(DecodeError::Malformed("its kind is unknown".to_owned())),
    }
}

fn parse<T: std::str::FromStr>(text: &str, field: &str) -> Result<T, DecodeError> {
    text.parse()
        .map_err(|_| DecodeError::Malformed(format!("its {field} is none")))
}

fn malformed(error: serde_json::Error) -> DecodeError {
    DecodeError::Malformed(check::problem(&error))
}

#[derive(Serialize)]
struct WireEnvelope<'a, B> {
    v: u64,
    kind: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    received_at: Timestamp,
    attempt: u32,
    tries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delayed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a str>,
    body: &'a B,
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

#[derive(Deserialize)]
struct Read<'a> {
    kind: String,
    id: String,
    source: Option<String>,
    key: Option<String>,
    received_at: Timestamp,
    #[serde(default)]
    attempt: u32,
    #[serde(default)]
    tries: u32,
    not_before: Option<Timestamp>,
    #[serde(default)]
    delayed_at: Option<Timestamp>,
    trace: Option<String>,
    #[serde(borrow)]
    body: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct JobBody {
    since: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct ReplyBody {
    request: RequestId,
    hook: ResponseHook,
    to: Person,
    saying: Saying,
}

impl From<&Reply> for ReplyBody {
    fn from(tell: &Reply) -> Self {
        Self {
            request: tell.request,
            hook: tell.hook.clone(),
            to: tell.to.clone(),
            saying: tell.saying.clone(),
        }
    }
}

impl From<ReplyBody> for Reply {
    fn from(tell: ReplyBody) -> Self {
        Self {
            request: tell.request,
            hook: tell.hook,
            to: tell.to,
            saying: tell.saying,
        }
    }
}
