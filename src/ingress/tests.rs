//! Fixtures that the tests of the routes share.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "tests"
)]

mod any;
mod house;
mod outside;
mod recorded;
mod routes;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::time::Instant;

use super::inbound::{Inbound, fresh_id};
use super::observe::{
    Ignored, IngressObserver, Noted, ReceivedAs, Rejected, Route, Source, Trigger,
};
use super::sink::EventSink;
use crate::domain::{Event, Timestamp};
use crate::envelope::{EnvelopeQueue, EnvelopeSigner, decode};
use crate::ports::{
    Body, Clock, Delivery, Depths, Outgoing, PublishError, Queue, QueueError, QueueName, Settlement,
};

pub(super) use house::{IngressBench, meeting, people, request};
pub(super) use outside::{AccountState, FakeBehavior, Mint, OneMeeting, OnePerson};

/// 2026-11-21 in the morning, the day of the recordings.
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_795_246_600);

pub(super) fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// Names of the vectors in `folder` that begin with `prefix`, sorted. There is always at least one.
pub(super) fn vectors_in(folder: &str, prefix: &str) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(vectors().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(prefix))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no vectors {folder}/{prefix}*");
    names
}

/// A recorded request: method, target, headers, body byte for byte.
pub(super) fn recorded(name: &str) -> (Method, String, HeaderMap, Bytes) {
    let bytes = std::fs::read(vectors().join(name)).unwrap();
    let end = bytes
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .unwrap_or_else(|| panic!("{name} has no end of head"));
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let method = first.next().unwrap().parse().unwrap();
    let target = first.next().unwrap().to_owned();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (key, value) = line.split_once(':').unwrap();
        headers.append(
            key.parse::<HeaderName>().unwrap(),
            HeaderValue::from_str(value.trim()).unwrap(),
        );
    }
    (
        method,
        target,
        headers,
        Bytes::from(bytes[end + 2..].to_vec()),
    )
}

/// A recorded request as a route gets it at [`NOW`].
pub(super) fn recorded_inbound(name: &str) -> Inbound {
    let (method, target, headers, body) = recorded(name);
    let query = target.split_once('?').map_or("", |(_, query)| query);
    Inbound {
        id: fresh_id(NOW),
        received_at: NOW,
        since: Instant::now(),
        method,
        path: String::new(),
        headers,
        query: query.to_owned(),
        body: Ok(body),
    }
}

/// A POST with one content type.
pub(super) fn post(content_type: &'static str, body: impl Into<Bytes>) -> Inbound {
    let mut headers = HeaderMap::new();
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static(content_type),
    );
    Inbound {
        id: fresh_id(NOW),
        received_at: NOW,
        since: Instant::now(),
        method: Method::POST,
        path: String::new(),
        headers,
        query: String::new(),
        body: Ok(body.into()),
    }
}

#[derive(Debug)]
pub(super) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// How the fake queue behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    Works,
    Fails,
    Hangs,
}

/// A fake queue that keeps the accepted events.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) storage: Storage,
    pub(super) events: Mutex<Vec<Event>>,
    /// The number of events offered while its disk was not full.
    pub(super) asked: AtomicUsize,
}

impl Sink {
    pub(super) fn new(storage: Storage) -> Arc<Self> {
        Arc::new(Self {
            storage,
            events: Mutex::default(),
            asked: AtomicUsize::default(),
        })
    }

    pub(super) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}

#[async_trait]
impl Queue for Sink {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        assert_eq!(outgoing.queue, QueueName::Events);
        let Body::Event(event) = decode(&outgoing.message.body).unwrap().body else {
            panic!("routes publish events alone");
        };
        if self.storage == Storage::Fails {
            return Err(PublishError::Full("its disk".to_owned()));
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.storage == Storage::Hangs {
            std::future::pending().await
        }
        self.events.lock().unwrap().push(event);
        Ok(())
    }

    async fn publish_all(&self, _: Vec<Outgoing>) -> Result<(), PublishError> {
        unreachable!("routes publish one event at a time")
    }

    async fn receive(&self, _: QueueName, _: usize) -> Result<Vec<Delivery>, QueueError> {
        unreachable!("routes receive nothing")
    }

    async fn settle(&self, _: Vec<Settlement>) -> Result<(), QueueError> {
        unreachable!("routes settle nothing")
    }

    async fn depths(&self) -> Result<Depths, QueueError> {
        unreachable!("routes count nothing")
    }

    async fn close(&self) {}
}

/// The envelope queue over the fake.
pub(super) fn envelope_queue(queue: &Arc<Sink>) -> EnvelopeQueue {
    let signer = EnvelopeSigner::new(&"the queue's secret".to_owned().into(), &[]);
    EnvelopeQueue::new(Arc::clone(queue) as _, signer)
}

/// The sink of one source over the fake.
pub(super) fn event_sink(queue: &Arc<Sink>, notes: &Arc<Notes>) -> EventSink {
    let (clock, observer) = (Arc::new(FixedClock), Arc::clone(notes));
    EventSink::new(envelope_queue(queue), clock, observer)
}

/// An observer that records each call as a line of words.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Vec<String>>);

impl Notes {
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn note(&self, words: &[&str]) {
        self.0.lock().unwrap().push(words.join(" "));
    }
}

impl IngressObserver for Notes {
    fn accepted(&self, _: &Event) {}

    fn received(&self, trigger: Trigger, result: ReceivedAs) {
        self.note(&["received", trigger.as_str(), result.as_str()]);
    }

    fn rejected(&self, source: Source, reason: Rejected) {
        self.note(&["rejected", source.as_str(), reason.as_str()]);
    }

    fn ignored(&self, trigger: Trigger, reason: Ignored) {
        self.note(&["ignored", trigger.as_str(), reason.as_str()]);
    }

    fn noted(&self, what: Noted) {
        self.note(&["noted", what.as_str()]);
    }

    fn answered(&self, route: Route, method: &'static str, status: u16, _took: Duration) {
        self.note(&["answered", route.as_str(), method, &status.to_string()]);
    }
}
