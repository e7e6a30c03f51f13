//! The POST of the join page: the only request that mints a join token, for one person and one room.

use std::time::Duration;

use http::{StatusCode, header};
use secrecy::ExposeSecret;

use crate::domain::{Identity, Meeting, Moderators, State, UserId};
use crate::ingress::fields::{Fields, clean_name};
use crate::ingress::inbound::{FORM, Inbound};
use crate::ingress::mint_limits::{Admitted, OverLimit};
use crate::ingress::observe::Noted;
use crate::ingress::pages::{MessagePage, redirect_to_secret};
use crate::ingress::reply::Answer;
use crate::ports::{ChatError, ConferenceError, DeliveryMethod, Joiner};
use crate::token::Link;

use super::origin::is_foreign;
use super::{Join, Visit, guest};

/// Longest name that a person joins under, in characters.
pub(super) const NAME_CHARS_MAX: usize = 100;
/// The name of a person whose name is not known.
const NAMELESS: &str = "Guest";

impl Join {
    pub(super) async fn enter(
        &self,
        visit: &Visit,
        meeting: &Meeting,
        inbound: &Inbound,
    ) -> Answer {
        if is_foreign(&inbound.headers, &self.links) {
            return self.foreign(visit, &self.as_shown(meeting.clone()).await);
        }
        if !matches!(meeting.state(), State::Open | State::Live) {
            return self.see_page(visit);
        }
        let written = if self.asks_name(visit, meeting) {
            let name = match written_name(inbound) {
                Ok(name) => name,
                Err(answer) => return *answer,
            };
            if name.is_empty() {
                let ask = "Please write the name that the others will see.";
                let meeting = self.as_shown(meeting.clone()).await;
                return self.join_form(visit, &meeting, StatusCode::BAD_REQUEST, ask);
            }
            name
        } else {
            String::new()
        };
        let brought = match &visit.link {
            Link::Own(_, user) => Some(identity_of(user)),
            _ => guest::brought(&inbound.headers, &self.links),
        };
        // Checked before the chat server is asked about the person, so that this call is limited too.
        let admitted = self
            .mint_limits
            .admit(&visit.link, brought.as_ref(), inbound.since);
        match admitted {
            Ok(admitted) => {
                self.let_in(visit, meeting, &admitted, brought, written)
                    .await
            }
            Err(over) => {
                tracing::debug!(event.id = %visit.id, request = %visit.request, ?over, "no join token minted: too many requests");
                self.observer.noted(Noted::MintsLimited);
                let page = self.links.join(&visit.link);
                over.page(&self.pages, visit.reference, &page)
            }
        }
    }

    /// Mints a token and redirects the person into the room. `brought` is their identity; `None` for a guest without a
    /// cookie.
    async fn let_in(
        &self,
        visit: &Visit,
        meeting: &Meeting,
        admitted: &Admitted<'_>,
        brought: Option<Identity>,
        written: String,
    ) -> Answer {
        let typed = written.clone();
        let (joiner, guest) = match &visit.link {
            Link::Own(_, user) => match self.member(visit, meeting, user, written).await {
                Some(member) => (member, None),
                None => return self.no_account(visit, meeting),
            },
            _ => {
                let guest = brought.unwrap_or_else(guest::fresh);
                let joiner = Joiner {
                    identity: guest::identity(&guest, meeting.id),
                    name: written,
                    is_moderator: meeting.rule.moderators == Moderators::Everyone,
                };
                (joiner, Some(guest))
            }
        };
        let identity = joiner.identity.clone();
        let minting = self.conference.join_address(&meeting.room, joiner);
        let Ok(minted) = admitted.mint(self.conference_deadline, minting).await else {
            self.observer.noted(Noted::MintsLimited);
            let page = self.links.join(&visit.link);
            return OverLimit::Crowded.page(&self.pages, visit.reference, &page);
        };
        let answer = match minted {
            Ok(Ok(address)) => redirect_to_secret(StatusCode::SEE_OTHER, address.expose_secret()),
            Ok(Err(ConferenceError::RoomGone)) => {
                let has_ended = self.has_ended(visit, meeting).await;
                return self.no_room(visit, meeting, has_ended).await;
            }
            Ok(Err(error)) => return self.not_minted(visit, meeting, &error).await,
            Err(_) => {
                let why = format!("no answer within {} s", self.conference_deadline.as_secs());
                let error = ConferenceError::Unreachable { why };
                return self.not_minted(visit, meeting, &error).await;
            }
        };
        let Some(mut answer) = answer else {
            tracing::error!(event.id = %visit.id, meeting.id = %meeting.id, "the join address is not a valid URL: check plugnmeet.external_url");
            return self.pages.unavailable(visit.reference);
        };
        let guest = guest.and_then(|guest| guest::keep(&guest, &self.links));
        let name = (!typed.is_empty()).then(|| guest::keep_name(&typed, &self.links));
        for cookie in [guest, name.flatten()].into_iter().flatten() {
            answer.headers_mut().append(header::SET_COOKIE, cookie);
        }
        tracing::info!(event.id = %visit.id, meeting.id = %meeting.id, request = %visit.request, %identity, "join token minted");
        self.observer.noted(Noted::Minted);
        answer
    }

    /// The owner of a personal link. The chat server is asked for their name and rights. `written` is the name that
    /// they typed; it is used where the chat server cannot be asked. `None`: the chat server answered that they have no
    /// active account. While it does not answer, the link is enough.
    async fn member(
        &self,
        visit: &Visit,
        meeting: &Meeting,
        user: &UserId,
        written: String,
    ) -> Option<Joiner> {
        let is_starter = meeting
            .starter()
            .is_some_and(|starter| starter.user_id == *user);
        let everyone = meeting.rule.moderators == Moderators::Everyone;
        let can_ask = self.chat.kind() == DeliveryMethod::Posts;
        let account = async {
            if !can_ask {
                return None;
            }
            let asked = self.chat.account(user);
            let answer = tokio::time::timeout(self.chat_deadline, asked).await;
            if !matches!(answer, Ok(Ok(_))) {
                tracing::info!(event.id = %visit.id, %user, "the chat server did not return the person's name");
            }
            answer.ok()
        };
        let administers = async {
            if everyone || is_starter || !can_ask {
                return false;
            }
            let asked = self.chat.is_channel_admin(&meeting.place.channel, user);
            let answer = tokio::time::timeout(self.chat_deadline, asked).await;
            matches!(answer, Ok(Ok(true)))
        };
        let (account, administers) = tokio::join!(account, administers);
        let account = match account {
            Some(Ok(account)) if account.is_deactivated => return None,
            Some(Err(ChatError::NotFound { .. })) => return None,
            account => account.and_then(Result::ok),
        };
        let is_system_admin = account
            .as_ref()
            .is_some_and(|account| account.is_system_admin);
        let shown = account.map(|account| clean_name(&account.display_name, NAME_CHARS_MAX));
        let name = shown
            .filter(|name| !name.is_empty())
            .or_else(|| known_name(&visit.link, meeting).map(str::to_owned))
            .or_else(|| (!written.is_empty()).then_some(written))
            .unwrap_or_else(|| NAMELESS.to_owned());
        Some(Joiner {
            identity: identity_of(user),
            name,
            is_moderator: everyone || is_starter || administers || is_system_admin,
        })
    }

    /// The page for a personal link whose owner's account is deactivated or deleted.
    fn no_account(&self, visit: &Visit, meeting: &Meeting) -> Answer {
        tracing::warn!(event.id = %visit.id, request = %visit.request, meeting.id = %meeting.id, "join refused: the link's owner has no active account");
        self.observer.noted(Noted::AccountGone);
        self.pages.message(
            visit.reference,
            &MessagePage {
                status: StatusCode::FORBIDDEN,
                look: "bad",
                state: "Not admitted",
                title: &meeting.rule.title,
                lines: &["This link belongs to one person, and that person's account in the chat is deactivated. Ask somebody in the chat for the link on the meeting's card, or tell your administrator, with the reference below."],
                ..MessagePage::default()
            },
        )
    }

    /// The page for a form that was sent from another site: it mints no token.
    fn foreign(&self, visit: &Visit, meeting: &Meeting) -> Answer {
        if let Some(requests) = self.foreign_forms.next_line() {
            tracing::info!(event.id = %visit.id, meeting.id = %meeting.id, requests, "join refused: the form was sent from another site");
        }
        let page = self.links.join(&visit.link);
        self.pages.message(
            visit.reference,
            &MessagePage {
                status: StatusCode::FORBIDDEN,
                state: "Not from this page",
                title: &meeting.rule.title,
                lines: &["Another site tried to send you into this meeting. If you want to join, open the meeting's own page."],
                back: Some((&page, "Open the page")),
                ..MessagePage::default()
            },
        )
    }

    async fn no_room(&self, visit: &Visit, meeting: &Meeting, has_ended: bool) -> Answer {
        let meeting = self.as_shown(meeting.clone()).await;
        tracing::warn!(event.id = %visit.id, request = %visit.request, meeting.id = %meeting.id, room.id = %meeting.room, has_ended, "no join token minted: plugNmeet has no such room");
        self.observer.noted(Noted::NotMinted);
        let page = self.links.join(&visit.link);
        let (state, line) = if has_ended {
            ("Over", "This meeting has just ended.")
        } else {
            (
                "No room at the moment",
                "The meeting is over, or its room is just being prepared. This page shows what is known in a moment.",
            )
        };
        self.pages.message(
            visit.reference,
            &MessagePage {
                status: StatusCode::CONFLICT,
                look: "waiting",
                state,
                title: &meeting.rule.title,
                lines: &[line],
                back: Some((&page, "Check again")),
                ..MessagePage::default()
            },
        )
    }

    async fn not_minted(
        &self,
        visit: &Visit,
        meeting: &Meeting,
        error: &ConferenceError,
    ) -> Answer {
        let meeting = self.as_shown(meeting.clone()).await;
        tracing::warn!(event.id = %visit.id, request = %visit.request, meeting.id = %meeting.id, room.id = %meeting.room, %error, "no join token minted");
        self.observer.noted(Noted::NotMinted);
        let page = self.links.join(&visit.link);
        match error {
            ConferenceError::Blocked => self.pages.message(
                visit.reference,
                &MessagePage {
                    status: StatusCode::FORBIDDEN,
                    look: "bad",
                    state: "Not admitted",
                    title: &meeting.rule.title,
                    lines: &["You were removed from this meeting, and its moderators do not let you in again."],
                    ..MessagePage::default()
                },
            ),
            _ => self.pages.message(
                visit.reference,
                &MessagePage {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    look: "bad",
                    state: "Could not let you in",
                    title: &meeting.rule.title,
                    lines: &["The meeting server does not answer as it should. Please try again in a moment; if it goes on, tell your administrator, with the reference below."],
                    back: Some((&page, "Try again")),
                    ..MessagePage::default()
                },
            ),
        }
    }
}

/// The name of a personal link's owner, if they asked for this meeting themselves.
pub(super) fn known_name<'m>(link: &Link, meeting: &'m Meeting) -> Option<&'m str> {
    let Link::Own(_, user) = link else {
        return None;
    };
    meeting
        .requests
        .iter()
        .find(|request| request.by.user_id == *user)
        .map(|request| request.by.user_name.as_str())
        .filter(|name| !name.is_empty())
}

fn written_name(inbound: &Inbound) -> Result<String, Box<Answer>> {
    let body = inbound.body_of(&[FORM]);
    let (body, _) = body.map_err(|refused| Box::new(refused.answer()))?;
    let fields = Fields::from_form(body, &["name"]).map_err(|bad| Box::new(bad.answer()))?;
    Ok(fields.name("name", NAME_CHARS_MAX))
}

#[expect(
    clippy::expect_used,
    reason = "both kinds of identifier have the same alphabet and length"
)]
fn identity_of(user: &UserId) -> Identity {
    user.as_str()
        .parse()
        .expect("a user id is an identifier of a peer")
}

/// Longest that a page waits for one answer of the chat server.
pub(in crate::ingress) const CHAT_DEADLINE: Duration = Duration::from_secs(1);
