//! `POST /plugnmeet/webhook`: the webhooks of plugNmeet.
//!
//! plugNmeet sends an event at most three times and then drops it. A receiver that hangs makes it drop other events
//! (src/plugnmeet/README.md, "Webhook delivery"). So an event is verified, made durable and answered at once. 4xx is
//! final for plugNmeet, so it is never the answer to a failure of our own.

mod facts;
mod wire;

use std::sync::Arc;

use http::{Method, StatusCode, header};

use crate::domain::{Event, Origin, ServerName};
use crate::log_throttle::LogThrottle;

use super::inbound::{Inbound, JSON, WEBHOOK_JSON};
use super::observe::{IngressObserver, ReceivedAs, Rejected, Source};
use super::reply::{self, Answer};
use super::sink::EventSink;
use super::verify::WebhookKey;

/// The handler of plugNmeet's webhooks.
pub(super) struct Webhook {
    pub(super) key: WebhookKey,
    pub(super) server: ServerName,
    pub(super) sink: EventSink,
    pub(super) observer: Arc<dyn IngressObserver>,
    /// For webhooks without a valid signature, which anybody can send.
    pub(super) unverified: LogThrottle,
    /// For webhooks with a valid signature of another time.
    pub(super) stale: LogThrottle,
}

impl Webhook {
    pub(super) async fn answer(&self, inbound: Inbound) -> Answer {
        if inbound.method != Method::POST {
            return reply::method_not_allowed("POST");
        }
        let body = match inbound.body_of(&[JSON, WEBHOOK_JSON]) {
            Ok((body, _)) => body,
            Err(refused) => {
                self.observer.rejected(Source::Plugnmeet, refused.reason());
                return refused.answer();
            }
        };
        if let Err(reason) = self.key.verify(&inbound.headers, body, inbound.received_at) {
            let throttle = match reason {
                Rejected::Stale => &self.stale,
                _ => &self.unverified,
            };
            if let Some(requests) = throttle.next_line() {
                tracing::warn!(event.id = %inbound.id, reason = reason.as_str(), requests, "webhook refused: check that plugnmeet.api_key and plugnmeet.api_secret match those of plugNmeet, and that both clocks are right");
            }
            self.observer.rejected(Source::Plugnmeet, reason);
            return reply::unauthorized();
        }
        reply::authenticated(self.accept(&inbound, body).await)
    }

    /// Makes the event durable, then answers it.
    async fn accept(&self, inbound: &Inbound, body: &[u8]) -> Answer {
        let Ok(content) = facts::read(body, inbound.received_at) else {
            tracing::warn!(event.id = %inbound.id, "webhook refused: the body is not an event");
            self.observer
                .rejected(Source::Plugnmeet, Rejected::Malformed);
            return reply::plain(
                StatusCode::BAD_REQUEST,
                "the body is not an event of plugNmeet",
            );
        };
        let fact = match content.fact {
            Ok(fact) => fact,
            Err(why) => {
                tracing::debug!(event.id = %inbound.id, peer_event = content.trigger.as_str(), reason = why.as_str(), "webhook ignored");
                self.observer.received(content.trigger, ReceivedAs::Ignored);
                self.observer.ignored(content.trigger, why);
                return reply::empty(StatusCode::OK);
            }
        };
        tracing::debug!(event.id = %inbound.id, peer_event = content.trigger.as_str(), peer_id = %content.event_id, "webhook received");
        let event = Event {
            id: inbound.id,
            origin: Origin::plugnmeet(&self.server, &content.event_id),
            received_at: inbound.received_at,
            fact,
        };
        match self
            .sink
            .accept(event, inbound.trace(), inbound.since)
            .await
        {
            Ok(()) => {
                self.observer
                    .received(content.trigger, ReceivedAs::Accepted);
                reply::empty(StatusCode::OK)
            }
            Err(_) => {
                self.observer
                    .received(content.trigger, ReceivedAs::Rejected);
                self.observer
                    .rejected(Source::Plugnmeet, Rejected::Backpressure);
                let answer = reply::plain(
                    StatusCode::SERVICE_UNAVAILABLE,
                    &format!("not stored, try again; ref {}", inbound.id),
                );
                reply::with(answer, header::RETRY_AFTER, "5")
            }
        }
    }
}

#[cfg(test)]
mod tests;
