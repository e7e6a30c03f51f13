//! The versioned wire form of an envelope: JSON, because an operator reads dead letters.
//!
//! Decoding is total: whatever the bytes are, the answer is an envelope or a short reason that repeats nothing of
//! them. Version 1 may gain fields with defaults; anything else is a new version.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::apply::{Saying, Tell};
use crate::domain::{
    Event, EventId, Fact, JobId, Origin, Person, RequestId, ResponseHook, Timestamp,
};
use crate::ports::{Body, Envelope, MESSAGE_BYTES_MAX, Message, PublishError};

/// The version that is written.
const VERSION: u32 = 1;
/// Longest `traceparent` (W3C trace context, version 00, has 55 characters).
const TRACE_BYTES_MAX: usize = 64;

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
    Newer(u32),
    /// Longer than any message of ours.
    #[error("it has {0} bytes, more than {MESSAGE_BYTES_MAX}")]
    TooLong(usize),
}

/// The message of an envelope.
///
/// # Errors
/// [`PublishError::TooLarge`] when it would be longer than [`MESSAGE_BYTES_MAX`].
pub fn encode(envelope: &Envelope) -> Result<Message, PublishError> {
    let id = envelope.id();
    let (kind, source, key, body) = match &envelope.body {
        Body::Event(event) => {
            let origin = &event.origin;
            let body = serde_json::to_value(&event.fact);
            (
                "event",
                Some(origin.source.as_str()),
                Some(origin.key.as_str()),
                body,
            )
        }
        Body::Job { since, .. } => (
            "job",
            None,
            None,
            serde_json::to_value(JobBody { since: *since }),
        ),
        Body::Tell(tell) => (
            "tell",
            None,
            None,
            serde_json::to_value(TellBody::from(tell)),
        ),
    };
    let wire = body.and_then(|body| {
        serde_json::to_vec(&Written {
            v: VERSION,
            kind,
            id: &id,
            source,
            key,
            received_at: envelope.received_at,
            attempt: envelope.attempt,
            tries: envelope.tries,
            not_before: envelope.not_before,
            trace: envelope.trace.as_deref(),
            body,
        })
    });
    let body =
        wire.map_err(|error| PublishError::Away(format!("it cannot be written: {error}")))?;
    if body.len() > MESSAGE_BYTES_MAX {
        return Err(PublishError::TooLarge { bytes: body.len() });
    }
    Ok(Message {
        id,
        body: body.into(),
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
    let version: Version = serde_json::from_slice(bytes).map_err(malformed)?;
    match version.v {
        VERSION => {}
        0 => return Err(DecodeError::Malformed("it has version 0".to_owned())),
        newer => return Err(DecodeError::Newer(newer)),
    }
    let read: Read<'_> = serde_json::from_slice(bytes).map_err(malformed)?;
    let trace = read.trace.clone().filter(|trace| is_trace(trace));
    let (received_at, attempt, tries) = (read.received_at, read.attempt.max(1), read.tries.max(1));
    let not_before = read.not_before;
    let body = read_body(read)?;
    Ok(Envelope {
        received_at,
        attempt,
        tries,
        not_before,
        trace,
        body,
    })
}

/// Whether `text` may be a `traceparent`: lower-case hex in four groups, or of a later version.
pub fn is_trace(text: &str) -> bool {
    (55..=TRACE_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
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
            let tell: TellBody = serde_json::from_str(body).map_err(malformed)?;
            Ok(Body::Tell(tell.into()))
        }
        _ => Err(DecodeError::Malformed("its kind is unknown".to_owned())),
    }
}

fn parse<T: std::str::FromStr>(text: &str, field: &str) -> Result<T, DecodeError> {
    text.parse()
        .map_err(|_| DecodeError::Malformed(format!("its {field} is none")))
}

/// What serde says, without what it quotes: only the kind and the place.
fn malformed(error: serde_json::Error) -> DecodeError {
    let what = match error.classify() {
        serde_json::error::Category::Syntax => "no JSON",
        serde_json::error::Category::Eof => "JSON that breaks off",
        serde_json::error::Category::Data => "JSON of another shape",
        serde_json::error::Category::Io => "unreadable",
    };
    let (line, column) = (error.line(), error.column());
    DecodeError::Malformed(format!("{what} at line {line}, column {column}"))
}

#[derive(Serialize)]
struct Written<'a> {
    v: u32,
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
    trace: Option<&'a str>,
    body: serde_json::Value,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
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
    trace: Option<String>,
    #[serde(borrow)]
    body: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct JobBody {
    since: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct TellBody {
    request: RequestId,
    hook: ResponseHook,
    to: Person,
    saying: SayingWord,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SayingWord {
    NothingToEnd,
}

impl From<&Tell> for TellBody {
    fn from(tell: &Tell) -> Self {
        let saying = match tell.saying {
            Saying::NothingToEnd => SayingWord::NothingToEnd,
        };
        Self {
            request: tell.request,
            hook: tell.hook.clone(),
            to: tell.to.clone(),
            saying,
        }
    }
}

impl From<TellBody> for Tell {
    fn from(tell: TellBody) -> Self {
        let saying = match tell.saying {
            SayingWord::NothingToEnd => Saying::NothingToEnd,
        };
        Self {
            request: tell.request,
            hook: tell.hook,
            to: tell.to,
            saying,
        }
    }
}
