//! `POST /plugnmeet/webhook`: what plugNmeet tells.
//!
//! It tries an event three times and then forgets it, and a receiver that hangs makes it drop others
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

/// The route.
pub(super) struct Webhook {
    pub(super) key: WebhookKey,
    pub(super) server: ServerName,
    pub(super) sink: EventSink,
    pub(super) observer: Arc<dyn IngressObserver>,
    /// Of webhooks without a good signature, which anybody can send.
    pub(super) unverified: LogThrottle,
    /// Of webhooks with a good signature of another time.
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
                tracing::warn!(event.id = %inbound.id, reason = reason.as_str(), requests, "webhook refused: do plugnmeet.api_key and api_secret match the server's, and the clocks?");
            }
            self.observer.rejected(Source::Plugnmeet, reason);
            return reply::unauthorized();
        }
        reply::authenticated(self.accept(&inbound, body).await)
    }

    /// The event is made durable before it is answered.
    async fn accept(&self, inbound: &Inbound, body: &[u8]) -> Answer {
        let Ok(told) = facts::read(body, inbound.received_at) else {
            tracing::warn!(event.id = %inbound.id, "webhook refused: the body is no event");
            self.observer
                .rejected(Source::Plugnmeet, Rejected::Malformed);
            return reply::plain(StatusCode::BAD_REQUEST, "the body is no event of plugNmeet");
        };
        let fact = match told.fact {
            Ok(fact) => fact,
            Err(why) => {
                tracing::debug!(event.id = %inbound.id, peer_event = told.trigger.as_str(), reason = why.as_str(), "webhook ignored");
                self.observer.received(told.trigger, ReceivedAs::Ignored);
                self.observer.ignored(told.trigger, why);
                return reply::empty(StatusCode::OK);
            }
        };
        tracing::debug!(event.id = %inbound.id, peer_event = told.trigger.as_str(), peer_id = %told.event_id, "webhook received");
        let event = Event {
            id: inbound.id,
            origin: Origin::plugnmeet(&self.server, &told.event_id),
            received_at: inbound.received_at,
            fact,
        };
        match self
            .sink
            .accept(event, inbound.trace(), inbound.since)
            .await
        {
            Ok(()) => {
                self.observer.received(told.trigger, ReceivedAs::Accepted);
                reply::empty(StatusCode::OK)
            }
            Err(_) => {
                self.observer.received(told.trigger, ReceivedAs::Rejected);
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
