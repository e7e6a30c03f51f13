//! `POST /mattermost/outgoing`: posts that may ask for a meeting (src/mattermost/README.md, "Outgoing webhooks").
//!
//! Mattermost sends each webhook once and ignores the status. A JSON `text` in the answer is posted in the channel, so
//! a success is answered with an empty body.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde::Serialize;

use crate::domain::{Event, PostId, Timestamp, say};
use crate::log_throttle::LogThrottle;
use crate::trigger::{Asked, CandidatePost, Idle, MissedPosts, Triggers};

use super::fields::{BadFields, Fields};
use super::inbound::{FORM, Inbound, JSON, RefusedRequest, Unread};
use super::observe::{Ignored, IngressObserver, ReceivedAs, Rejected, Source, Trigger};
use super::place::{person, place};
use super::reply::{self, Answer};
use super::sink::EventSink;
use super::verify::Tokens;

/// The fields that are read. `trigger_word` is not read because it may hold the word of another webhook
/// (src/mattermost/README.md, "Trigger words").
const FIELDS: [&str; 10] = [
    "token",
    "team_id",
    "team_domain",
    "channel_id",
    "channel_name",
    "timestamp",
    "user_id",
    "user_name",
    "post_id",
    "text",
];

/// The handler of outgoing webhooks.
pub(super) struct OutgoingRoute {
    pub(super) tokens: Tokens,
    pub(super) triggers: Triggers,
    pub(super) missed_posts: Option<MissedPosts>,
    /// Limits the scans that unread requests can cause.
    pub(super) unread: LogThrottle,
    pub(super) sink: EventSink,
    pub(super) observer: Arc<dyn IngressObserver>,
    pub(super) bad_tokens: LogThrottle,
}

#[derive(Serialize)]
struct Posted<'a> {
    text: &'a str,
}

impl OutgoingRoute {
    pub(super) async fn answer(&self, inbound: Inbound) -> Answer {
        if inbound.method != Method::POST {
            return reply::method_not_allowed("POST");
        }
        let (body, kind) = match inbound.body_of(&[FORM, JSON]) {
            Ok(found) => found,
            Err(refused) => {
                self.observer
                    .rejected(Source::OutgoingWebhook, refused.reason());
                return match refused {
                    // Mattermost does not send the post again, so a scan must find it.
                    RefusedRequest::Unread(Unread::NoRoom) => self.not_read(&inbound),
                    refused => refused.answer(),
                };
            }
        };
        let read = if kind == JSON {
            Fields::from_json
        } else {
            Fields::from_form
        };
        let fields = match read(body, &FIELDS) {
            Ok(fields) => fields,
            Err(bad) => return self.malformed(bad),
        };
        if !self.tokens.admit(fields.text("token")) {
            if let Some(requests) = self.bad_tokens.next_line() {
                tracing::warn!(event.id = %inbound.id, requests, "outgoing webhook refused: its token does not match any of mattermost.outgoing_tokens");
            }
            self.observer
                .rejected(Source::OutgoingWebhook, Rejected::BadToken);
            return reply::unauthorized();
        }
        reply::authenticated(self.act(&inbound, &fields, kind).await)
    }

    /// Makes the event durable that the post asks for.
    async fn act(&self, inbound: &Inbound, fields: &Fields, kind: &str) -> Answer {
        match self.asked(inbound, fields, kind) {
            Ok(Asked::For { origin, fact }) => {
                let event = Event {
                    id: inbound.id,
                    origin,
                    received_at: inbound.received_at,
                    fact: *fact,
                };
                self.accept(event, inbound).await
            }
            Ok(Asked::Nothing(idle)) => {
                let why = match idle {
                    Idle::OwnPost => Ignored::OwnPost,
                    Idle::NoRule => Ignored::NoRule,
                };
                self.observer
                    .received(Trigger::OutgoingWebhook, ReceivedAs::Ignored);
                self.observer.ignored(Trigger::OutgoingWebhook, why);
                reply::empty(StatusCode::OK)
            }
            Ok(Asked::TooMuch) => {
                self.observer
                    .received(Trigger::OutgoingWebhook, ReceivedAs::Rejected);
                self.observer
                    .rejected(Source::OutgoingWebhook, Rejected::RateLimited);
                reply::empty(StatusCode::OK)
            }
            Err(bad) => self.malformed(bad),
        }
    }

    fn malformed(&self, bad: BadFields) -> Answer {
        self.observer
            .rejected(Source::OutgoingWebhook, Rejected::Malformed);
        bad.answer()
    }

    fn asked(&self, inbound: &Inbound, fields: &Fields, kind: &str) -> Result<Asked, BadFields> {
        let place = place(fields, &self.triggers.server)?;
        let by = person(fields)?;
        let post: PostId = fields.id("post_id")?;
        let posted_at = posted_at(fields, kind)?;
        let (user, channel) = (by.user_id.clone(), place.channel.clone());
        let written = CandidatePost {
            post: post.clone(),
            place,
            by,
            text: fields.text("text"),
            caught_up: false,
        };
        let asked = self.triggers.asked(written, inbound.since);
        match &asked {
            Asked::For { .. } => {
                tracing::info!(event.id = %inbound.id, %post, %channel, posted_ms = posted_at.map(Timestamp::millis), "meeting asked for by a post");
            }
            Asked::Nothing(Idle::OwnPost) => {
                tracing::debug!(event.id = %inbound.id, "outgoing webhook ignored: the relay's own post");
            }
            Asked::Nothing(Idle::NoRule) => {}
            Asked::TooMuch => {
                tracing::info!(event.id = %inbound.id, %user, %channel, "start ignored: too many in a minute");
                if let Some(missed_posts) = &self.missed_posts {
                    missed_posts.refused(post);
                }
            }
        }
        Ok(asked)
    }

    async fn accept(&self, event: Event, inbound: &Inbound) -> Answer {
        match self
            .sink
            .accept(event, inbound.trace(), inbound.since)
            .await
        {
            Ok(()) => {
                self.observer
                    .received(Trigger::OutgoingWebhook, ReceivedAs::Accepted);
                reply::empty(StatusCode::OK)
            }
            Err(_) => {
                self.observer
                    .received(Trigger::OutgoingWebhook, ReceivedAs::Rejected);
                self.observer
                    .rejected(Source::OutgoingWebhook, Rejected::Backpressure);
                self.not_stored(inbound)
            }
        }
    }

    /// Answers a request whose body was not read. Its sender is unknown, and strangers must not make the relay read
    /// channels more than once a minute.
    fn not_read(&self, inbound: &Inbound) -> Answer {
        let is_due = self.unread.should_log();
        self.answer_missed(inbound, is_due)
    }

    /// Answers a request whose event was not stored. If the scan for missed posts is switched on, it runs soon and
    /// finds the post.
    fn not_stored(&self, inbound: &Inbound) -> Answer {
        self.answer_missed(inbound, true)
    }

    fn answer_missed(&self, inbound: &Inbound, is_due: bool) -> Answer {
        let text = &match &self.missed_posts {
            Some(missed_posts) => {
                if is_due {
                    missed_posts.signal();
                }
                say::not_stored_yet(inbound.id)
            }
            None => say::not_stored(inbound.id),
        };
        reply::json(StatusCode::SERVICE_UNAVAILABLE, &Posted { text })
    }
}

/// When the post was made, on Mattermost's clock. The unit is seconds in a form and milliseconds in JSON.
fn posted_at(fields: &Fields, kind: &str) -> Result<Option<Timestamp>, BadFields> {
    let posted_at = fields.optional_number("timestamp")?;
    Ok(posted_at.map(if kind == JSON {
        Timestamp::from_millis
    } else {
        Timestamp::from_seconds
    }))
}

#[cfg(test)]
mod tests;
