//! `/artifact/{token}` and `/artifact/{token}/file`: the recordings and other artifacts of a meeting.
//!
//! The page only links to the file, because with a form the CSP would block plugNmeet's redirect to its storage. The
//! download token is minted when a person follows that link. Prefetching browsers and link previews get the page
//! instead.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode, header};
use minijinja::context;
use secrecy::ExposeSecret;

use crate::domain::{ArtifactId, ArtifactKind, EventId};
use crate::log_throttle::LogThrottle;
use crate::ports::{Chat, Conference, ConferenceError, ShownNames, Store};
use crate::token::{Link, Links};

use super::inbound::Inbound;
use super::join::guest_of;
use super::mint_limits::{MintLimits, OverLimit};
use super::observe::{IngressObserver, Noted};
use super::pages::{MessagePage, Pages, redirect_to_secret};
use super::reply::{self, Answer};

/// The handler of both routes.
pub(super) struct Artifacts {
    pub(super) links: Arc<Links>,
    pub(super) store: Arc<dyn Store>,
    /// Supplies the names in a meeting's title.
    pub(super) chat: Arc<dyn Chat>,
    pub(super) conference: Arc<dyn Conference>,
    pub(super) pages: Arc<Pages>,
    pub(super) mint_limits: Arc<MintLimits>,
    pub(super) observer: Arc<dyn IngressObserver>,
    pub(super) store_deadline: Duration,
    pub(super) conference_deadline: Duration,
    pub(super) store_unavailable: LogThrottle,
}

/// The name of an artifact's kind on pages.
pub(super) const fn label(kind: ArtifactKind) -> &'static str {
    match kind {
        ArtifactKind::Recording => "Recording",
        ArtifactKind::Summary => "Summary",
        ArtifactKind::Transcript => "Transcript",
        ArtifactKind::Analytics => "Analytics",
    }
}

impl Artifacts {
    /// The page with the link.
    pub(super) async fn page(&self, token: &str, inbound: Inbound) -> Answer {
        match self.asked_for(token, &inbound) {
            Ok((artifact, kind)) => self.show(inbound.id, &artifact, kind).await,
            Err(answer) => *answer,
        }
    }

    /// Redirects people to the file with 302.
    pub(super) async fn file(&self, token: &str, inbound: Inbound) -> Answer {
        let (artifact, kind) = match self.asked_for(token, &inbound) {
            Ok(found) => found,
            Err(answer) => return *answer,
        };
        if !is_person(&inbound) {
            return self.show(inbound.id, &artifact, kind).await;
        }
        let id = inbound.id;
        let link = Link::Artifact(artifact.clone(), kind);
        let guest = guest_of(&inbound.headers, &self.links);
        let admitted = self.mint_limits.admit(&link, guest.as_ref(), inbound.since);
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(over) => {
                tracing::debug!(event.id = %id, %artifact, ?over, "no download token minted: too many requests");
                self.observer.noted(Noted::MintsLimited);
                return over.page(&self.pages, id, &self.links.artifact(&artifact, kind));
            }
        };
        let minting = self.conference.download_address(&artifact, kind);
        let Ok(minted) = admitted.mint(self.conference_deadline, minting).await else {
            self.observer.noted(Noted::MintsLimited);
            let page = self.links.artifact(&artifact, kind);
            return OverLimit::Crowded.page(&self.pages, id, &page);
        };
        let error = match minted {
            Ok(Ok(address)) => {
                match redirect_to_secret(StatusCode::FOUND, address.expose_secret()) {
                    Some(answer) => {
                        tracing::info!(event.id = %id, %artifact, "download token minted");
                        self.observer.noted(Noted::Minted);
                        return answer;
                    }
                    None => ConferenceError::Refused {
                        why: "the download address is not a valid URL".to_owned(),
                    },
                }
            }
            Ok(Err(error)) => error,
            Err(_) => ConferenceError::Unreachable {
                why: format!("no answer within {} s", self.conference_deadline.as_secs()),
            },
        };
        tracing::warn!(event.id = %id, %artifact, %error, "no download token minted");
        self.observer.noted(Noted::NotMinted);
        self.not_minted(id, &error)
    }

    fn asked_for(
        &self,
        token: &str,
        inbound: &Inbound,
    ) -> Result<(ArtifactId, ArtifactKind), Box<Answer>> {
        if !matches!(inbound.method, Method::GET | Method::HEAD) {
            return Err(Box::new(reply::method_not_allowed("GET, HEAD")));
        }
        match self.links.verify(token) {
            Some(Link::Artifact(artifact, kind)) => Ok((artifact, kind)),
            _ => {
                self.observer.noted(Noted::BadLink);
                Err(Box::new(self.pages.not_found(inbound.id)))
            }
        }
    }

    async fn show(&self, id: EventId, artifact: &ArtifactId, kind: ArtifactKind) -> Answer {
        let found = self.store.meeting_of_artifact(artifact);
        let found = tokio::time::timeout(self.store_deadline, found).await;
        // The link alone leads to the file. Without the store only the title is missing.
        let mut meeting = found.ok().and_then(Result::ok).unwrap_or_else(|| {
            if let Some(requests) = self.store_unavailable.next_line() {
                tracing::warn!(event.id = %id, %artifact, requests, "artifact page: the store does not answer");
            }
            self.observer.noted(Noted::StoreAway);
            None
        });
        if let Some(meeting) = &mut meeting {
            let names = ShownNames::of(self.chat.as_ref(), meeting).await;
            names.retitle(meeting);
        }
        let view = meeting.map(|meeting| meeting.card_view());
        let title = view
            .as_ref()
            .map_or("From your meeting", |view| view.title.as_str());
        let started_at = view.as_ref().and_then(|view| view.started_at);
        let (hint, action) = words(kind);
        let file = format!("{}/file", self.links.artifact(artifact, kind));
        self.pages.page(
            StatusCode::OK,
            id,
            "artifact.html",
            context! {
                label => label(kind),
                title => title,
                when => started_at.map(|at| self.pages.date_and_time(at)),
                hint => hint,
                action => action,
                file => file,
            },
        )
    }

    fn not_minted(&self, id: EventId, error: &ConferenceError) -> Answer {
        match error {
            ConferenceError::NotFound | ConferenceError::RoomGone => self.pages.message(
                id,
                &MessagePage {
                    status: StatusCode::NOT_FOUND,
                    state: "Not there",
                    title: "The file is not there",
                    lines: &["It was deleted, or it is not ready yet. If the meeting ended a moment ago, try again in a few minutes."],
                    ..MessagePage::default()
                },
            ),
            _ => self.pages.message(
                id,
                &MessagePage {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    look: "bad",
                    state: "Not available at the moment",
                    title: "The file cannot be fetched now",
                    lines: &["The meeting server does not answer as it should. Please try again in a moment; if it goes on, tell your administrator, with the reference below."],
                    ..MessagePage::default()
                },
            ),
        }
    }
}

/// Whether a person follows the link. HEAD requests, link previews, crawlers and prefetching browsers get the page.
fn is_person(inbound: &Inbound) -> bool {
    let agent = inbound.header(header::USER_AGENT.as_str());
    let is_bot = agent.is_some_and(is_bot);
    let is_prefetch = ["sec-purpose", "purpose", "x-moz"].iter().any(|name| {
        inbound
            .header(name)
            .is_some_and(|purpose| purpose.contains("prefetch") || purpose.contains("preview"))
    });
    inbound.method == Method::GET && !is_bot && !is_prefetch
}

/// Whether a user agent names a program that reads links for others. There is no complete list of them. Most names
/// contain a word that ends in `bot`; `Cubot` is a maker of telephones.
fn is_bot(agent: &str) -> bool {
    let agent = agent.to_ascii_lowercase();
    let says_bot = agent
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word.ends_with("bot") && word != "cubot");
    says_bot || BOT_WORDS.iter().any(|word| agent.contains(word))
}

/// Words in the user agents of the others. WhatsApp's name is only in the requests of its previews (and of Signal's,
/// which uses the same name), because people open links in their browser.
const BOT_WORDS: [&str; 7] = [
    "crawler",
    "embedly",
    "externalhit",
    "preview",
    "slack-imgproxy",
    "spider",
    "whatsapp",
];

const fn words(kind: ArtifactKind) -> (&'static str, &'static str) {
    match kind {
        ArtifactKind::Recording => (
            "The recording is a video file. Depending on your browser it plays at once or is saved.",
            "Open the recording",
        ),
        ArtifactKind::Summary => ("The summary is a text file.", "Open the summary"),
        ArtifactKind::Transcript => (
            "The transcript is a text file with times (WebVTT).",
            "Open the transcript",
        ),
        ArtifactKind::Analytics => (
            "The analytics are a file of numbers about the meeting (JSON).",
            "Open the analytics",
        ),
    }
}

#[cfg(test)]
mod tests;
