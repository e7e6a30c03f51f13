//! `POST` or `GET /mattermost/command`: slash commands (src/mattermost/README.md, "Slash commands").
//!
//! Once the caller is authenticated, the status is always 200: with any other status the person does not see the text.
//!
//! To add a sub-command (four files, or five if it makes an event of a new kind):
//! 1. In words.rs: a variant of [`SubCommand`] and its line in `read`, with the options that it accepts.
//! 2. In this file: its line in `execute`, and a method that reads the store or makes a [`Fact`]. A fact of a new kind
//!    starts in src/domain/event.rs; the compiler names the other places.
//! 3. In src/domain/say/command.rs: what it answers, and its line in `help`.
//! 4. In observe.rs: a variant of `Trigger` with its word for the metrics. Then update the page of metrics.
//! 5. The tests: in words.rs for its parsing, in tests/it/field/commands.rs for its use by a person.

mod hook;
mod look;
mod words;

use http::{Method, StatusCode};
use serde::Serialize;
use std::sync::Arc;
use uuid::Uuid;

use crate::domain::choice::{self, EndChoice};
use crate::domain::rule::Rules;
use crate::domain::say::{self, EndAsked, Started};
use crate::domain::{
    Conversation, DeliveryMethod, Event, Fact, Meeting, MeetingId, Origin, Person, Presentation,
    ServerName, TriggerSource,
};
use crate::log_throttle::LogThrottle;
use crate::ports::{Chat, Store};
use crate::token::Links;
use crate::trigger::Starts;

use super::fields::{BadFields, Fields};
use super::inbound::{FORM, Inbound, RefusedRequest, Unread};
use super::observe::{IngressObserver, Noted, ReceivedAs, Rejected, Source, Trigger};
use super::place::{person, place};
use super::reply::{self, Answer};
use super::sink::EventSink;
use super::verify::Tokens;
use hook::{ResponseUrl, dedup_key, hook};
use words::SubCommand;

/// The fields that are read; others are ignored.
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
/// The handler of slash commands.
pub(super) struct CommandRoute {
    pub(super) tokens: Tokens,
    pub(super) server: ServerName,
    /// Decides which answer announces the meeting.
    pub(super) delivery_method: DeliveryMethod,
    pub(super) rules: Arc<Rules>,
    pub(super) starts: Arc<Starts>,
    /// Limits requests to end, as `starts` limits starts: each of them asks the chat server who may end the meeting.
    pub(super) ends: Starts,
    pub(super) links: Arc<Links>,
    pub(super) store: Arc<dyn Store>,
    /// Supplies the names that people see.
    pub(super) chat: Arc<dyn Chat>,
    pub(super) sink: EventSink,
    pub(super) observer: Arc<dyn IngressObserver>,
    pub(super) bad_tokens: LogThrottle,
}

/// An answer that only the caller sees.
#[derive(Serialize)]
struct Ephemeral<'a> {
    response_type: &'static str,
    username: &'static str,
    text: &'a str,
}

/// An authenticated command.
struct Typed<'a> {
    inbound: &'a Inbound,
    fields: &'a Fields,
    place: Conversation,
    by: Person,
}

impl CommandRoute {
    pub(super) async fn answer(&self, inbound: Inbound) -> Answer {
        let read = match inbound.method {
            Method::GET => Fields::from_form(inbound.query.as_bytes(), &FIELDS),
            Method::POST => match inbound.body_of(&[FORM]) {
                Ok((body, _)) => Fields::from_form(body, &FIELDS),
                Err(refused) => {
                    self.observer
                        .rejected(Source::SlashCommand, refused.reason());
                    if refused == RefusedRequest::Unread(Unread::NoRoom) {
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
            if let Some(requests) = self.bad_tokens.next_line() {
                tracing::warn!(event.id = %inbound.id, requests, "command refused: its token does not match any of mattermost.command_tokens");
            }
            self.observer
                .rejected(Source::SlashCommand, Rejected::BadToken);
            return reply::unauthorized();
        }
        let text = match self.typed(&inbound, &fields) {
            Ok(typed) => self.execute(&typed).await,
            Err(bad) => {
                self.observer
                    .rejected(Source::SlashCommand, Rejected::Malformed);
                format!(
                    "This command cannot be understood: {bad}. ref {}",
                    inbound.id
                )
            }
        };
        reply::authenticated(ephemeral(&text))
    }

    fn typed<'a>(&self, inbound: &'a Inbound, fields: &'a Fields) -> Result<Typed<'a>, BadFields> {
        Ok(Typed {
            inbound,
            fields,
            place: place(fields, &self.server)?,
            by: person(fields)?,
        })
    }

    async fn execute(&self, typed: &Typed<'_>) -> String {
        let words = words::read(typed.fields.text("text"));
        let command = typed.fields.text("command");
        let ignored: Vec<&str> = words.ignored.iter().map(String::as_str).collect();
        match words.sub_command {
            SubCommand::Start { always_new, title } => {
                self.start(typed, always_new, title.as_deref(), &ignored)
                    .await
            }
            SubCommand::End { which } => self.end(typed, which).await,
            SubCommand::List => self.list(typed).await + &say::ignored(&ignored),
            SubCommand::Help { unknown } => {
                self.observer
                    .received(Trigger::CommandHelp, ReceivedAs::Accepted);
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
        ignored: &[&str],
    ) -> String {
        let (place, by) = (&typed.place, &typed.by);
        let key = typed.key();
        if !self
            .starts
            .admit(&place.channel, &by.user_id, &key, typed.inbound.since)
        {
            self.observer
                .received(Trigger::CommandStart, ReceivedAs::Rejected);
            self.observer
                .rejected(Source::SlashCommand, Rejected::RateLimited);
            return say::rate_limited(typed.inbound.id);
        }
        let rule = self.rules.choose_by_command(place, &by.user_name, title);
        let title = rule.title.clone();
        let via = self.via(typed);
        // A person who asks for a new meeting is not offered a running one.
        let running = match always_new {
            true => Some(Vec::new()),
            false => self.running(place).await,
        };
        let offered = running.as_ref().and_then(|running| {
            let running: Vec<&Meeting> = running.iter().collect();
            choice::offered(&running, place, typed.inbound.received_at)
        });
        let fact = Fact::MeetingRequested {
            meeting: MeetingId::from_uuid(Uuid::now_v7()),
            place: place.clone(),
            by: by.clone(),
            via: via.clone(),
            rule,
            always_new,
            told: offered.map(|meeting| meeting.id),
        };
        if !self.accept(typed, key, fact, Trigger::CommandStart).await {
            return say::not_stored(typed.inbound.id);
        }
        let request = typed.inbound.id.into();
        let own_link = self.links.join_own(request, &by.user_id);
        if let Some(meeting) = offered {
            return say::running(&meeting.rule.title, &own_link, ignored);
        }
        let started = Started {
            title: &title,
            presentation: Presentation::of(place.kind, &via, self.delivery_method),
            own_link: &own_link,
            open_link: &self.links.join_open(request),
            ignored,
        };
        match running {
            Some(_) => say::started(&started),
            None => say::started_or_running(&started),
        }
    }

    async fn end(&self, typed: &Typed<'_>, words: String) -> String {
        let (channel, user) = (&typed.place.channel, &typed.by.user_id);
        if !self
            .ends
            .admit(channel, user, &typed.key(), typed.inbound.since)
        {
            self.observer
                .received(Trigger::CommandEnd, ReceivedAs::Rejected);
            self.observer
                .rejected(Source::SlashCommand, Rejected::RateLimited);
            return say::ends_limited(typed.inbound.id);
        }
        let via = self.via(typed);
        let can_hear = matches!(via, TriggerSource::SlashCommand { hook: Some(_) });
        let running = self.running(&typed.place).await.unwrap_or_default();
        let running: Vec<&Meeting> = running.iter().collect();
        let choice = choice::to_end(&running, &typed.place, user, &words);
        // A meeting that is found now is named in this answer. One that is not found may still be under way in the
        // queue, so only the apply worker can answer that there is none.
        let meeting = match &choice {
            EndChoice::One(meeting) => Some(*meeting),
            EndChoice::Nothing | EndChoice::Unclear(_) => None,
        };
        let unclear = match choice {
            EndChoice::Unclear(running) if !can_hear => {
                Some(say::choose_to_end(&words, &running, typed.inbound.id))
            }
            _ => None,
        };
        let fact = Fact::EndRequested {
            place: typed.place.clone(),
            by: typed.by.clone(),
            via,
            words,
            told: meeting.map(|meeting| meeting.id),
        };
        if !self
            .accept(typed, typed.key(), fact, Trigger::CommandEnd)
            .await
        {
            return say::not_stored(typed.inbound.id);
        }
        let is_starter = |meeting: &Meeting| {
            let starter = meeting.starter();
            starter.is_some_and(|starter| starter.user_id == *user)
        };
        unclear.unwrap_or_else(|| {
            say::end_asked(&EndAsked {
                meeting: meeting.map(|m| (m.rule.title.as_str(), is_starter(m))),
                can_hear,
                kind: typed.place.kind,
                delivery_method: self.delivery_method,
            })
        })
    }

    /// How the person can be answered later. A `response_url` in another format disables only the late answer.
    fn via(&self, typed: &Typed<'_>) -> TriggerSource {
        let url = typed.fields.text("response_url");
        let hook = match hook(url) {
            ResponseUrl::Usable(hook) => Some(hook),
            ResponseUrl::Absent => None,
            ResponseUrl::Unusable => {
                tracing::warn!(event.id = %typed.inbound.id, "command accepted without late answers: its response_url does not end in /hooks/commands/<id>");
                self.observer.noted(Noted::ForeignResponseUrl);
                None
            }
        };
        TriggerSource::SlashCommand { hook }
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
        let stored = self
            .sink
            .accept(event, inbound.trace(), inbound.since)
            .await
            .is_ok();
        if stored {
            self.observer.received(trigger, ReceivedAs::Accepted);
        } else {
            self.observer.received(trigger, ReceivedAs::Rejected);
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
            username: say::ANSWER_NAME,
            text,
        },
    )
}

#[cfg(test)]
mod tests;
