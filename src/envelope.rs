//! The versioned wire format of an envelope. It is JSON, because an operator reads dead letters.
//!
//! Decoding accepts any bytes: the result is an envelope, or a short reason that repeats nothing of the bytes.
//! Version 1 may gain fields with defaults; any other change is a new version. Everything that a worker needs is in
//! the envelope or in the store, so that messages can be moved by hand between queues.

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

/// The schema version that this relay writes.
const VERSION: u64 = 1;
/// Deepest nesting that is read. The relay's own envelopes have 5 levels.
const DEPTH_MAX: usize = 16;

/// Why a message cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not JSON, or not the JSON of an envelope.
    #[error("it is not an envelope: {0}")]
    Malformed(String),
    /// A newer relay wrote it. It is kept as a dead letter until a relay of that version runs again.
    #[error(
        "it has schema version {0}, this relay reads version {VERSION}: replay it with the newer relay"
    )]
    Newer(u64),
    /// It is longer than any message that the relay writes.
    #[error("it has {0} bytes, more than {MESSAGE_BYTES_MAX}")]
    TooLong(usize),
    /// It is nested deeper than any message that the relay writes.
    #[error("it is nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
}

/// Writes an envelope as a message, without a signature.
///
/// # Errors
/// [`PublishError::TooLarge`] when the message would be longer than [`MESSAGE_BYTES_MAX`], else
/// [`PublishError::Unwritable`].
pub fn encode(envelope: &Envelope) -> Result<Message, PublishError> {
    let id = envelope.id();
    let written = match &envelope.body {
        Body::Event(event) => write(envelope, "event", &id, Some(&event.origin), &event.fact),
        Body::Job { since, .. } => write(envelope, "job", &id, None, &JobBody { since: *since }),
        Body::Reply(reply) => write(envelope, "tell", &id, None, &ReplyBody::from(reply)),
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
        // The reader would ignore anything that is not a trace context.
        trace: envelope.trace.as_deref().filter(|trace| is_trace(trace)),
        body,
    })
}

/// Reads a message. Its signature is not checked here: see [`EnvelopeSigner::decode`].
///
/// # Errors
/// See [`DecodeError`]; the error never holds the message's content.
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
    let read: ReadEnvelope<'_> = serde_json::from_slice(bytes).map_err(malformed)?;
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

fn read_body(read: ReadEnvelope<'_>) -> Result<Body, DecodeError> {
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
            let reply: ReplyBody = serde_json::from_str(body).map_err(malformed)?;
            if read.id != format!("tell:{}", reply.request) {
                return Err(DecodeError::Malformed(
                    "its id does not match its request".to_owned(),
                ));
            }
            Ok(Body::Reply(reply.into()))
        }
        _ => Err(DecodeError::Malformed("its kind is unknown".to_owned())),
    }
}

fn parse<T: std::str::FromStr>(text: &str, field: &str) -> Result<T, DecodeError> {
    text.parse()
        .map_err(|_| DecodeError::Malformed(format!("its {field} is not valid")))
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
struct ReadEnvelope<'a> {
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
    fn from(reply: &Reply) -> Self {
        Self {
            request: reply.request,
            hook: reply.hook.clone(),
            to: reply.to.clone(),
            saying: reply.saying.clone(),
        }
    }
}

impl From<ReplyBody> for Reply {
    fn from(reply: ReplyBody) -> Self {
        Self {
            request: reply.request,
            hook: reply.hook,
            to: reply.to,
            saying: reply.saying,
        }
    }
}
