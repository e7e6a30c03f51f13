//! The JSON of version 1. Fields may be added with a default, never renamed or removed; a reader skips what it
//! does not know. The form of a fact is the domain's own.

use serde::{Deserialize, Serialize};

use super::{Body, DecodeError, Envelope, VERSION};
use crate::domain::apply::{Saying, Tell};
use crate::domain::{Event, Fact, JobId, Origin, Person, RequestId, ResponseHook, Timestamp};

/// What an answer's id begins with; its request follows.
pub(super) const TELL: &str = "tell:";

/// Read first: whatever else stands there may belong to another version.
#[derive(Deserialize)]
struct AnyVersion {
    v: u64,
}

/// Version 1. `F` is a fact, borrowed when it is written.
#[derive(Serialize, Deserialize)]
struct Wire<F> {
    v: u64,
    id: String,
    received_at: Timestamp,
    attempt: u32,
    tries: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    body: WireBody<F>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireBody<F> {
    Event {
        source: String,
        key: String,
        fact: F,
    },
    Job {
        since: Timestamp,
    },
    Tell {
        hook: ResponseHook,
        to: Person,
        saying: WireSaying,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireSaying {
    NothingToEnd,
}

#[expect(
    clippy::expect_used,
    reason = "no map with keys other than strings, no serialiser that fails"
)]
pub(super) fn write(envelope: &Envelope) -> Vec<u8> {
    let wire = Wire {
        v: VERSION,
        id: envelope.id(),
        received_at: envelope.received_at,
        attempt: envelope.attempt,
        tries: envelope.tries,
        not_before: envelope.not_before,
        trace: envelope.trace.as_ref().map(ToString::to_string),
        body: match &envelope.body {
            Body::Event(event) => WireBody::Event {
                source: event.origin.source.clone(),
                key: event.origin.key.clone(),
                fact: &event.fact,
            },
            Body::Job { since, .. } => WireBody::Job { since: *since },
            Body::Tell(tell) => WireBody::Tell {
                hook: tell.hook.clone(),
                to: tell.to.clone(),
                saying: match tell.saying {
                    Saying::NothingToEnd => WireSaying::NothingToEnd,
                },
            },
        },
    };
    serde_json::to_vec(&wire).expect("every envelope has a JSON form")
}

pub(super) fn read(bytes: &[u8]) -> Result<Envelope, DecodeError> {
    let AnyVersion { v: version } = serde_json::from_slice(bytes)?;
    match version {
        VERSION => read_version_1(bytes),
        0 => Err(DecodeError::shape("there is no version 0")),
        _ => Err(DecodeError::Newer { version }),
    }
}

fn read_version_1(bytes: &[u8]) -> Result<Envelope, DecodeError> {
    let wire: Wire<Fact> = serde_json::from_slice(bytes)?;
    if wire.attempt == 0 || wire.tries == 0 {
        return Err(DecodeError::shape("attempts and tries count from 1"));
    }
    let body = match wire.body {
        WireBody::Event { source, key, fact } => Body::Event(Event {
            id: wire
                .id
                .parse()
                .map_err(|_| DecodeError::shape("an event's id is a UUID"))?,
            origin: Origin { source, key },
            received_at: wire.received_at,
            fact,
        }),
        WireBody::Job { since } => Body::Job {
            id: read_job_id(&wire.id)?,
            since,
        },
        WireBody::Tell { hook, to, saying } => Body::Tell(Tell {
            request: read_tell_id(&wire.id)?,
            hook,
            to,
            saying: match saying {
                WireSaying::NothingToEnd => Saying::NothingToEnd,
            },
        }),
    };
    Ok(Envelope {
        received_at: wire.received_at,
        attempt: wire.attempt,
        tries: wire.tries,
        not_before: wire.not_before,
        // A trace that cannot be one is no reason to give up a message.
        trace: wire.trace.and_then(|trace| trace.parse().ok()),
        body,
    })
}

fn read_job_id(id: &str) -> Result<JobId, DecodeError> {
    id.parse()
        .map_err(|_| DecodeError::shape("a job's id is <meeting>:<kind>:<detail>:<round>"))
}

fn read_tell_id(id: &str) -> Result<RequestId, DecodeError> {
    id.strip_prefix(TELL)
        .and_then(|request| request.parse().ok())
        .ok_or_else(|| DecodeError::shape("an answer's id is tell:<request>"))
}
