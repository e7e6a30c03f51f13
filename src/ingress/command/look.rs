//! What an immediate answer reads from the store. Each read has a short deadline because a person waits. Nothing is
//! written.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::choice::{LISTED_MAX, seen_from};
use crate::domain::say::{self, Listed};
use crate::domain::{Conversation, Meeting};
use crate::ingress::observe::{Noted, ReceivedAs, Trigger};
use crate::ports::ShownNames;

use super::{CommandRoute, Typed};

/// `list` is answered within this time, so that the whole request stays below 1 s.
const LIST_WITHIN: Duration = Duration::from_millis(700);
/// How long `start` and `end` wait for the store. After that they give an answer that is true in any case.
const RUNNING_WITHIN: Duration = Duration::from_millis(150);

impl CommandRoute {
    /// The meetings that run in the channel and its threads, with the names that people see; `None`: the store did not
    /// answer in time.
    pub(super) async fn running(&self, place: &Conversation) -> Option<Vec<Meeting>> {
        let until = Instant::now() + RUNNING_WITHIN;
        let asked = self.store.running_in(place);
        let found = tokio::time::timeout_at(until, asked).await;
        Some(self.as_shown(found.ok()?.ok()?, until).await)
    }

    /// The meetings with the names that the chat server shows, as far as it returns them in time. The newest meetings
    /// come first. No answer has more meetings than those whose names are asked for.
    #[expect(
        clippy::disallowed_methods,
        reason = "nobody waits for a name that arrives too late; the cache of names keeps it"
    )]
    async fn as_shown(&self, mut meetings: Vec<Meeting>, until: Instant) -> Vec<Meeting> {
        for meeting in meetings.iter_mut().take(LISTED_MAX) {
            // A separate task, so that a name that arrives too late for this answer is cached for the next one.
            let (chat, asked) = (Arc::clone(&self.chat), meeting.clone());
            let names = tokio::spawn(async move { ShownNames::of(chat.as_ref(), &asked).await });
            let Ok(Ok(names)) = tokio::time::timeout_at(until, names).await else {
                break;
            };
            names.fill(meeting);
        }
        meetings
    }

    pub(super) async fn list(&self, typed: &Typed<'_>) -> String {
        let place = &typed.place;
        let asked = self.store.running_in(place);
        let found = tokio::time::timeout_at(typed.inbound.since + LIST_WITHIN, asked).await;
        let Ok(Ok(meetings)) = found else {
            tracing::warn!(event.id = %typed.inbound.id, "list: the store did not answer in time");
            self.observer.noted(Noted::StoreAway);
            self.observer
                .received(Trigger::CommandList, ReceivedAs::Rejected);
            return say::unavailable(typed.inbound.id);
        };
        self.observer
            .received(Trigger::CommandList, ReceivedAs::Accepted);
        let meetings = self
            .as_shown(meetings, typed.inbound.since + LIST_WITHIN)
            .await;
        let meetings: Vec<&Meeting> = meetings.iter().collect();
        let seen = seen_from(&meetings, place);
        let links: Vec<String> = seen.iter().map(|seen| self.own_link(seen, typed)).collect();
        let lines: Vec<Listed<'_>> = seen
            .iter()
            .zip(&links)
            .map(|(meeting, link)| Listed {
                number: meeting.number,
                title: &meeting.rule.title,
                is_in_thread: place.thread.is_none() && meeting.thread().is_some(),
                state: meeting.state(),
                starter: meeting
                    .starter()
                    .map_or("", |starter| starter.user_name.as_str()),
                link,
            })
            .collect();
        say::listed(&lines)
    }

    fn own_link(&self, meeting: &Meeting, typed: &Typed<'_>) -> String {
        let first = meeting.first_request();
        first
            .map(|request| self.links.join_own(request.id, &typed.by.user_id))
            .unwrap_or_default()
    }
}
