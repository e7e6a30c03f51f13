//! `/join/{token}`: one link for the whole life of a meeting. The page waits while the room is being created, lets
//! people join while the meeting runs, and shows a recap afterwards.
//!
//! A GET never mints a token, so link previews and crawlers do no harm.

mod doubt;
mod guest;
mod mint;
mod origin;
mod recap;
mod summary;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header};
use minijinja::context;

use crate::domain::{ConversationKind, EventId, Meeting, Refusal, RequestId, State, Timestamp};
use crate::log_throttle::LogThrottle;
use crate::ports::{Chat, Conference, DeliveryMethod, ShownNames, Store};
use crate::token::{Link, Links};

use super::inbound::Inbound;
use super::mint_limits::MintLimits;
use super::observe::{IngressObserver, Noted};
use super::pages::{MessagePage, Pages};
use super::reply::{self, Answer};
use super::sink::EventSink;
pub(super) use doubt::RecentlyAsked;
pub(super) use guest::brought as guest_of;
pub(super) use mint::CHAT_DEADLINE;

/// The waiting page reloads after this many seconds.
const WAIT_SECONDS: u32 = 2;

/// The handler of the join page.
pub(super) struct Join {
    pub(super) links: Arc<Links>,
    pub(super) store: Arc<dyn Store>,
    pub(super) chat: Arc<dyn Chat>,
    pub(super) conference: Arc<dyn Conference>,
    pub(super) sink: EventSink,
    pub(super) pages: Arc<Pages>,
    pub(super) observer: Arc<dyn IngressObserver>,
    /// How long a request that is not in the store yet may still be under way in the queue.
    pub(super) start_deadline: Duration,
    pub(super) store_deadline: Duration,
    pub(super) chat_deadline: Duration,
    pub(super) conference_deadline: Duration,
    pub(super) mint_limits: Arc<MintLimits>,
    /// The meetings that plugNmeet was recently asked about because no token was minted for them.
    pub(super) doubts: RecentlyAsked,
    pub(super) foreign_forms: LogThrottle,
    pub(super) store_unavailable: LogThrottle,
}

/// One visit of a link that leads to a request.
struct Visit {
    /// The id of the HTTP request, for the log.
    id: EventId,
    /// The id that people see: that of the event that asked for the meeting. With it the whole history is found.
    reference: EventId,
    now: Timestamp,
    link: Link,
    request: RequestId,
    /// The name that was typed earlier in this browser; may be empty.
    typed_name: String,
}

impl Join {
    pub(super) async fn answer(&self, token: &str, inbound: Inbound) -> Answer {
        let is_post = match inbound.method {
            Method::GET | Method::HEAD => false,
            Method::POST => true,
            _ => return reply::method_not_allowed("GET, HEAD, POST"),
        };
        let link = self.links.verify(token);
        let Some((request, link)) = link.and_then(|link| Some((link.request()?, link))) else {
            self.observer.noted(Noted::BadLink);
            return self.pages.not_found(inbound.id);
        };
        let visit = Visit {
            id: inbound.id,
            reference: request.into(),
            now: inbound.received_at,
            link,
            request,
            typed_name: guest::typed_name(&inbound.headers, &self.links),
        };
        let found = self.store.meeting_of_request(request);
        let meeting = match tokio::time::timeout(self.store_deadline, found).await {
            Ok(Ok(meeting)) => meeting,
            Ok(Err(error)) => return self.store_unavailable(&visit, &error),
            Err(_) => return self.store_unavailable(&visit, &"no answer in time"),
        };
        match meeting {
            Some(meeting) if is_post => self.enter(&visit, &meeting, &inbound).await,
            Some(meeting) => self.show(&visit, &self.as_shown(meeting).await),
            None if is_post => self.see_page(&visit),
            None => self.not_known(&visit),
        }
    }

    /// The meeting with the names that the chat server shows, for a page.
    async fn as_shown(&self, mut meeting: Meeting) -> Meeting {
        let names = ShownNames::of(self.chat.as_ref(), &meeting).await;
        names.fill(&mut meeting);
        meeting
    }

    /// The page for the current state of the meeting.
    fn show(&self, visit: &Visit, meeting: &Meeting) -> Answer {
        match meeting.state() {
            State::Creating => self.waiting(visit, Some(meeting)),
            State::Open | State::Live => self.join_form(visit, meeting, StatusCode::OK, ""),
            State::Ended | State::Missed => recap::page(self, visit.reference, meeting),
            State::Cancelled => self.pages.message(
                visit.reference,
                &MessagePage {
                    state: "Cancelled",
                    title: &meeting.rule.title,
                    lines: &["This meeting was ended before its room was ready."],
                    ..MessagePage::default()
                },
            ),
            State::Failed => self.failed(visit, meeting),
        }
    }

    /// The form to join: a button, and a field for the name if it is not known.
    fn join_form(
        &self,
        visit: &Visit,
        meeting: &Meeting,
        status: StatusCode,
        error: &str,
    ) -> Answer {
        let view = meeting.card_view();
        self.pages.page(
            status,
            visit.reference,
            "join.html",
            context! {
                title => view.title,
                starter => view.starter,
                place => place_name(meeting),
                since => view.started_at.map(|at| self.pages.time(at)),
                present => view.present,
                is_ending => view.is_ending,
                is_own => !self.asks_name(visit, meeting),
                greeted => mint::known_name(&visit.link, meeting),
                name => visit.typed_name.as_str(),
                error => error,
            },
        )
    }

    /// Whether the person must write a name: always with a link for everybody, and with a link of their own if no chat
    /// account can be asked for their name.
    fn asks_name(&self, visit: &Visit, meeting: &Meeting) -> bool {
        match visit.link {
            Link::Own(..) => {
                self.chat.kind() == DeliveryMethod::Notices
                    && mint::known_name(&visit.link, meeting).is_none()
            }
            _ => true,
        }
    }

    fn waiting(&self, visit: &Visit, meeting: Option<&Meeting>) -> Answer {
        self.pages.page(
            StatusCode::OK,
            visit.reference,
            "waiting.html",
            context! {
                title => meeting.map_or("Your meeting", |meeting| meeting.rule.title.as_str()),
                starter => meeting.and_then(Meeting::starter).map(|by| by.user_name.as_str()),
                place => meeting.map(place_name),
                refresh_seconds => WAIT_SECONDS,
            },
        )
    }

    /// A valid link whose request is not in the store (yet): its event may still be in a queue.
    fn not_known(&self, visit: &Visit) -> Answer {
        if visit.now.since(visit.request.made_at()) <= self.start_deadline {
            return self.waiting(visit, None);
        }
        self.pages.message(
            visit.reference,
            &MessagePage {
                state: "Too late",
                title: "This meeting was not started",
                lines: &["Its room could not be made in time. Start a new meeting in the chat."],
                ..MessagePage::default()
            },
        )
    }

    fn failed(&self, visit: &Visit, meeting: &Meeting) -> Answer {
        let (why, what) = match meeting.refusal() {
            Some(Refusal::TooLate) | None => (
                "Its room could not be made in time.",
                "Start a new meeting in the chat.",
            ),
            Some(Refusal::Unauthorized) => (
                "The meeting server refuses the key of this service.",
                "Please tell your administrator, with the reference below.",
            ),
            Some(Refusal::Refused) => (
                "The meeting server refuses to make its room.",
                "Please tell your administrator, with the reference below.",
            ),
            Some(Refusal::GaveUp) => (
                "The meeting server failed again and again.",
                "Try again in a while, or tell your administrator, with the reference below.",
            ),
        };
        self.pages.message(
            visit.reference,
            &MessagePage {
                look: "bad",
                state: "Could not be started",
                title: &meeting.rule.title,
                lines: &[why, what],
                ..MessagePage::default()
            },
        )
    }

    fn store_unavailable(&self, visit: &Visit, error: &dyn std::fmt::Display) -> Answer {
        match self.store_unavailable.next_line() {
            Some(requests) => {
                tracing::warn!(event.id = %visit.id, request = %visit.request, requests, %error, "join page: the store is unavailable");
            }
            // Logged at debug level so that the reference on this page can be found.
            None => {
                tracing::debug!(event.id = %visit.id, request = %visit.request, %error, "join page: the store is unavailable");
            }
        }
        self.observer.noted(Noted::StoreAway);
        self.pages.unavailable(visit.reference)
    }

    /// Redirects with 303 to the page itself, which shows the current state.
    fn see_page(&self, visit: &Visit) -> Answer {
        let mut answer = reply::empty(StatusCode::SEE_OTHER);
        if let Ok(location) = HeaderValue::from_str(&self.links.join(&visit.link)) {
            answer.headers_mut().insert(header::LOCATION, location);
        }
        reply::with(answer, header::CACHE_CONTROL, "no-store")
    }
}

/// The name of the channel. That of a direct message means nothing to people and is replaced.
fn place_name(meeting: &Meeting) -> &str {
    match meeting.place.kind {
        ConversationKind::Channel => &meeting.place.channel_name,
        ConversationKind::Direct => "a direct message",
    }
}

#[cfg(test)]
mod tests;
