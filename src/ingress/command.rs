//! `POST` or `GET /mattermost/command`: what people type (mattermost.md 2).
//!
//! Once the caller is authenticated the status is always 200: with any other the person would not see the text.

mod hook;
mod words;

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Serialize;
use url::Url;
use uuid::Uuid;

use crate::domain::rule::Rules;
use crate::domain::say::{self, Listed, Started};
use crate::domain::{
    Event, Fact, MeetingId, Origin, Person, Place, ServerName, Showing, Via, WayOutKind,
};
use crate::ports::{MeetingFilter, MeetingSummary, Store};
use crate::token::Links;
use crate::trigger::Starts;

use super::fields::{BadFields, Fields};
use super::inbound::{FORM, Inbound, Refused, Unread};
use super::observe::{IngressObserver, Noted, Received, Rejected, Source, Trigger};
use super::place::{person, place};
use super::reply::{self, Answer};
use super::sink::{EventSink, make_durable};
use super::verify::Tokens;
use hook::{Hook, dedup_key, hook};
use words::SubCommand;

/// The fields that are read.
const FIELDS: [&str; 12] = [
    "token",
    "team_id",
    "team_domain",
    "channel_id",
    "channel_name",
    "user_id",
    "user_name",
    "command",
    "text",
    "trigger_id",
    "response_url",
    "root_id",
];
/// Most meetings that `list` reads.
const LIST_MAX: usize = 50;
/// Within this `list` is answered, so that the whole stays below 1 s.
const LIST_WITHIN: Duration = Duration::from_millis(700);

/// The route.
pub(super) struct Command {
    pub(super) tokens: Tokens,
    pub(super) server: ServerName,
    pub(super) mattermost_url: Option<Url>,
    /// By which people are told what they will see.
    pub(super) way_out: WayOutKind,
    pub(super) rules: Arc<Rules>,
    pub(super) starts: Arc<Starts>,
    /// Counted as starts are: each end asks the chat who may end.
    pub(super) ends: Starts,
    pub(super) links: Arc<Links>,
    pub(super) store: Arc<dyn Store>,
    pub(super) sink: Arc<dyn EventSink>,
    pub(super) observer: Arc<dyn IngressObserver>,
}

/// Seen by the caller alone.
#[derive(Serialize)]
struct Ephemeral<'a> {
    response_type: &'static str,
    text: &'a str,
}

/// An authenticated command.
struct Typed<'a> {
    inbound: &'a Inbound,
    fields: &'a Fields,
    place: Place,
    by: Person,
}

impl Command {
    pub(super) async fn answer(&self, inbound: Inbound) -> Answer {
        let read = match inbound.method {
            Method::GET => Fields::from_form(inbound.query.as_bytes(), &FIELDS),
            Method::POST => match inbound.body_of(&[FORM]) {
                Ok((body, _)) => Fields::from_form(body, &FIELDS),
                Err(refused) => {
                    self.observer
                        .rejected(Source::SlashCommand, refused.reason());
                    if refused == Refused::Unread(Unread::NoRoom) {
                        return ephemeral(&say::not_stored(inbound.id));
                    }
                    return refused.answer();
                }
            },
            _ => return reply::method_not_allowed("GET, POST"),
        };
        let fields = match read {
            Ok(fields) => fields,
            Err(bad) => {
                self.observer
                    .rejected(Source::SlashCommand, Rejected::Malformed);
                return bad.answer();
            }
        };
        if !self.tokens.admit(fields.text("token")) {
            tracing::warn!(event.id = %inbound.id, "command refused: its token is none of mattermost.command_tokens");
            self.observer
                .rejected(Source::SlashCommand, Rejected::BadToken);
            return reply::unauthorized();
        }
        let text = match self.typed(&inbound, &fields) {
            Ok(typed) => self.obey(&typed).await,
            Err(bad) => {
                self.observer
                    .rejected(Source::SlashCommand, Rejected::Malformed);
                format!(
                    "This command cannot be understood: {bad}. ref {}",
                    inbound.id
                )
            }
        };
        ephemeral(&text)
    }

    fn typed<'a>(&self, inbound: &'a Inbound, fields: &'a Fields) -> Result<Typed<'a>, BadFields> {
        Ok(Typed {
            inbound,
            fields,
            place: place(fields, &self.server)?,
            by: person(fields)?,
        })
    }

    async fn obey(&self, typed: &Typed<'_>) -> String {
        let words = words::read(typed.fields.text("text"));
        let command = typed.fields.text("command");
        match words.sub_command {
            SubCommand::Start { always_new, title } => {
                self.start(typed, always_new, title.as_deref(), &words.ignored)
                    .await
            }
            SubCommand::End => self.end(typed).await,
            SubCommand::List => self.list(typed).await,
            SubCommand::Help { unknown } => {
                self.observer
                    .received(Trigger::CommandHelp, Received::Accepted);
                match unknown {
                    Some(word) => say::unknown_subcommand(&word, command),
                    None => say::help(command),
                }
            }
        }
    }

    async fn start(
        &self,
        typed: &Typed<'_>,
        always_new: bool,
        title: Option<&str>,
        ignored: &[String],
    ) -> String {
        let (place, by) = (&typed.place, &typed.by);
        let key = typed.key();
        if !self
            .starts
            .admit(&place.channel, &by.user_id, &key, typed.inbound.since)
        {
            self.observer
                .received(Trigger::CommandStart, Received::Rejected);
            self.observer
                .rejected(Source::SlashCommand, Rejected::RateLimited);
            return say::rate_limited(typed.inbound.id);
        }
        let rule = self.rules.choose_by_command(place, &by.user_name, title);
        let title = rule.title.clone();
        let via = self.via(typed);
        let fact = Fact::MeetingRequested {
            meeting: MeetingId::from_uuid(Uuid::now_v7()),
            place: place.clone(),
            by: by.clone(),
            via: via.clone(),
            rule,
            always_new,
        };
        if !self.accept(typed, key, fact, Trigger::CommandStart).await {
            return say::not_stored(typed.inbound.id);
        }
        let request = typed.inbound.id.into();
        let ignored: Vec<&str> = ignored.iter().map(String::as_str).collect();
        say::started(&Started {
            title: &title,
            showing: Showing::of(place.kind, &via, self.way_out),
            own_link: &self.links.join_own(request, &by.user_id),
            open_link: &self.links.join_open(request),
            ignored: &ignored,
        })
    }

    async fn end(&self, typed: &Typed<'_>) -> String {
        let (channel, user) = (&typed.place.channel, &typed.by.user_id);
        if !self
            .ends
            .admit(channel, user, &typed.key(), typed.inbound.since)
        {
            self.observer
                .received(Trigger::CommandEnd, Received::Rejected);
            self.observer
                .rejected(Source::SlashCommand, Rejected::RateLimited);
            return say::ends_limited(typed.inbound.id);
        }
        let fact = Fact::EndRequested {
            place: typed.place.clone(),
            by: typed.by.clone(),
            via: self.via(typed),
        };
        if self
            .accept(typed, typed.key(), fact, Trigger::CommandEnd)
            .await
        {
            say::end_asked(typed.place.kind, self.way_out)
        } else {
            say::not_stored(typed.inbound.id)
        }
    }

    async fn list(&self, typed: &Typed<'_>) -> String {
        let asked = self.store.meetings(MeetingFilter {
            place: Some(typed.place.key()),
            running_only: true,
            limit: LIST_MAX,
        });
        let found = tokio::time::timeout_at(typed.inbound.since + LIST_WITHIN, asked).await;
        let Ok(Ok(meetings)) = found else {
            tracing::warn!(event.id = %typed.inbound.id, "list: the store does not answer");
            self.observer.noted(Noted::StoreAway);
            self.observer
                .received(Trigger::CommandList, Received::Rejected);
            return say::unavailable(typed.inbound.id);
        };
        self.observer
            .received(Trigger::CommandList, Received::Accepted);
        let own_link =
            |meeting: &MeetingSummary| self.links.join_own(meeting.request, &typed.by.user_id);
        let links: Vec<String> = meetings.iter().map(own_link).collect();
        let lines: Vec<Listed<'_>> = meetings
            .iter()
            .zip(&links)
            .map(|(meeting, link)| Listed {
                title: &meeting.title,
                state: meeting.state,
                starter: &meeting.starter,
                link,
            })
            .collect();
        say::listed(&lines)
    }

    /// How the person can be answered later; a URL that leads elsewhere stops nothing but the late answer.
    fn via(&self, typed: &Typed<'_>) -> Via {
        let url = typed.fields.text("response_url");
        let hook = match hook(url, self.mattermost_url.as_ref()) {
            Hook::Ours(hook) => Some(hook),
            Hook::Absent => None,
            Hook::Foreign => {
                tracing::warn!(event.id = %typed.inbound.id, "command without late answers: its response_url does not lead to mattermost.url");
                self.observer.noted(Noted::ForeignResponseUrl);
                None
            }
        };
        Via::SlashCommand { hook }
    }

    async fn accept(&self, typed: &Typed<'_>, key: String, fact: Fact, trigger: Trigger) -> bool {
        let inbound = typed.inbound;
        tracing::info!(event.id = %inbound.id, command = trigger.as_str(), channel = %typed.place.channel, "command received");
        let event = Event {
            id: inbound.id,
            origin: Origin::mattermost(&self.server, key),
            received_at: inbound.received_at,
            fact,
        };
        let stored = make_durable(&self.sink, event, inbound.trace(), inbound.since)
            .await
            .is_ok();
        if stored {
            self.observer.received(trigger, Received::Accepted);
        } else {
            self.observer.received(trigger, Received::Rejected);
            self.observer
                .rejected(Source::SlashCommand, Rejected::Backpressure);
        }
        stored
    }
}

impl Typed<'_> {
    fn key(&self) -> String {
        dedup_key(
            self.fields.text("response_url"),
            self.fields.text("trigger_id"),
            self.inbound.id,
        )
    }
}

fn ephemeral(text: &str) -> Answer {
    reply::json(
        StatusCode::OK,
        &Ephemeral {
            response_type: "ephemeral",
            text,
        },
    )
}

#[cfg(test)]
mod tests;
