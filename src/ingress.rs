//! The public door: authenticates what comes, turns it into at most one event, makes that durable, answers.
//!
//! Webhooks call no peer and read no store; start and end commands look for no longer than 150 ms at what runs and how
//! it is called. No target of a later call ever comes from a body. Every answer carries the id of its (possible) event
//! as `X-Request-Id`.
//!
//! To add a route, such as that of a button on the card (four files, and what it answers):
//! 1. A file in src/ingress with a struct of what it needs and one method from `Inbound` to `Answer`: authenticate,
//!    read the body within its bound, make one [`Fact`](crate::domain::Fact), give it to the `EventSink`, answer.
//! 2. In this file: the struct in [`Ingress`], made in `new`, and the route in `filter`.
//! 3. In observe.rs: a variant of `Route` (and of `Source` and `Trigger`, if others call it).
//! 4. For a button: in src/domain/card/body.rs where it stands and what it carries, which src/token.rs signs. The first
//!    button also gives `domain::Attachment` its list of them, and src/mattermost/body.rs their wire form.
//! 5. The tests: a folder in src/ingress/tests for what anybody may send, tests/it/field for what a person does.

mod artifact;
mod command;
mod defect;
mod fields;
mod health;
mod inbound;
mod join;
mod keyring;
mod lost;
mod mint_limits;
mod observe;
mod outgoing;
mod pages;
mod place;
mod plugnmeet;
mod reply;
mod sink;
mod verify;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use url::Url;
use warp::{Filter, Rejection, Reply};

use crate::domain::ServerName;
use crate::domain::rule::{Rules, START_DEADLINE_DEFAULT};
use crate::envelope::EnvelopeQueue;
use crate::log_throttle::LogThrottle;
use crate::ports::{Chat, Clock, Conference, Store};
use crate::token::Links;
use crate::trigger::{MissedPosts, OwnUser, Starts, Triggers};

pub(crate) use keyring::Keyring;
pub(crate) use observe::{
    Endpoint, Ignored, IngressObserver, Noted, ReceivedAs, Rejected, Route, Source, Trigger,
};
use sink::EventSink;

use inbound::{Inbound, inbound};
use mint_limits::MintLimits;
use pages::Pages;
use reply::Answer;

/// Longest body of a form of our own pages, in bytes.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// What the door needs of the configuration.
#[derive(Debug, Clone)]
pub(crate) struct IngressSettings {
    /// Tokens of outgoing webhooks; without any all are refused.
    pub outgoing_tokens: Vec<SecretString>,
    /// Tokens of slash commands; without any all are refused.
    pub command_tokens: Vec<SecretString>,
    /// plugNmeet's API key: the issuer of its webhooks.
    pub plugnmeet_api_key: String,
    /// plugNmeet's API secret: signs its webhooks.
    pub plugnmeet_api_secret: SecretString,
    /// Secrets before it, whose webhooks are taken too.
    pub plugnmeet_previous_api_secrets: Vec<SecretString>,
    /// What browsers open plugNmeet at: where the join form may lead.
    pub external_url: Url,
    /// How long a link of a request that the store does not know waits; the longest `worth` of all rules.
    pub start_deadline: Duration,
    /// The zone of times on pages.
    pub time_zone: TimeZone,
    /// Longest body of a webhook or command, in bytes.
    pub body_bytes: usize,
    /// How often a person may start meetings in one channel within a minute, and how often ask for an end there; in all
    /// channels together five times as often.
    pub starts_per_minute: usize,
    /// For what a page reads of the store.
    pub store_deadline: Duration,
    /// For the minting of a token by plugNmeet; below the listener's `request_deadline`.
    pub conference_deadline: Duration,
}

impl IngressSettings {
    /// The default of everything that has one.
    pub(crate) fn new(
        plugnmeet_api_key: String,
        plugnmeet_api_secret: SecretString,
        external_url: Url,
    ) -> Self {
        Self {
            outgoing_tokens: Vec::new(),
            command_tokens: Vec::new(),
            plugnmeet_api_key,
            plugnmeet_api_secret,
            plugnmeet_previous_api_secrets: Vec::new(),
            external_url,
            start_deadline: START_DEADLINE_DEFAULT,
            time_zone: TimeZone::UTC,
            body_bytes: 1024 * 1024,
            starts_per_minute: 5,
            store_deadline: Duration::from_secs(2),
            conference_deadline: Duration::from_secs(8),
        }
    }
}

/// What the door stands on.
#[derive(Clone)]
pub(crate) struct IngressDeps {
    /// Makes events durable.
    pub queue: EnvelopeQueue,
    /// What starts meetings.
    pub rules: Arc<Rules>,
    /// Signs and knows links.
    pub links: Arc<Links>,
    /// Read by pages and `list`.
    pub store: Arc<dyn Store>,
    /// Asked for the name behind a personal link.
    pub chat: Arc<dyn Chat>,
    /// Mints join and download tokens.
    pub conference: Arc<dyn Conference>,
    /// Our clock.
    pub clock: Arc<dyn Clock>,
    /// The relay's own user, as soon as it is known.
    pub own_user: OwnUser,
    /// Who looks for posts that could not be taken; `None`: nobody does.
    pub missed_posts: Option<MissedPosts>,
    /// Who is told.
    pub observer: Arc<dyn IngressObserver>,
}

/// The public routes.
pub(crate) struct Ingress {
    outgoing: outgoing::OutgoingRoute,
    command: command::CommandRoute,
    webhook: plugnmeet::Webhook,
    join: join::Join,
    artifacts: artifact::Artifacts,
    keyring: Keyring,
    lost: lost::Lost,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn IngressObserver>,
    body_bytes: usize,
}

impl Ingress {
    /// Puts the routes together.
    ///
    /// # Errors
    /// A page's template is broken, which a test excludes.
    pub(crate) fn new(
        settings: IngressSettings,
        deps: IngressDeps,
    ) -> Result<Self, minijinja::Error> {
        let server = ServerName::default_server();
        let [of_posts, of_commands, of_webhooks, of_pages] = std::array::from_fn(|_| {
            let (clock, observer) = (Arc::clone(&deps.clock), Arc::clone(&deps.observer));
            EventSink::new(deps.queue.clone(), clock, observer)
        });
        let keyring = Keyring::new(&settings);
        let starts = Arc::new(Starts::new(settings.starts_per_minute));
        let pages = Arc::new(Pages::new(&settings.external_url, settings.time_zone)?);
        let mint_limits = Arc::new(MintLimits::default());
        Ok(Self {
            outgoing: outgoing::OutgoingRoute {
                tokens: keyring.outgoing.clone(),
                triggers: Triggers {
                    server: server.clone(),
                    rules: Arc::clone(&deps.rules),
                    own_user: deps.own_user,
                    starts: Arc::clone(&starts),
                },
                missed_posts: deps.missed_posts,
                unread: LogThrottle::default(),
                sink: of_posts,
                observer: Arc::clone(&deps.observer),
                bad_tokens: LogThrottle::default(),
            },
            command: command::CommandRoute {
                tokens: keyring.command.clone(),
                server: server.clone(),
                delivery_method: deps.chat.kind(),
                rules: deps.rules,
                starts,
                ends: Starts::new(settings.starts_per_minute),
                links: Arc::clone(&deps.links),
                store: Arc::clone(&deps.store),
                chat: Arc::clone(&deps.chat),
                sink: of_commands,
                observer: Arc::clone(&deps.observer),
                bad_tokens: LogThrottle::default(),
            },
            webhook: plugnmeet::Webhook {
                key: keyring.webhook.clone(),
                server,
                sink: of_webhooks,
                observer: Arc::clone(&deps.observer),
                unverified: LogThrottle::default(),
                stale: LogThrottle::default(),
            },
            join: join::Join {
                links: Arc::clone(&deps.links),
                store: Arc::clone(&deps.store),
                chat: Arc::clone(&deps.chat),
                conference: Arc::clone(&deps.conference),
                sink: of_pages,
                pages: Arc::clone(&pages),
                observer: Arc::clone(&deps.observer),
                start_deadline: settings.start_deadline,
                store_deadline: settings.store_deadline,
                chat_deadline: join::CHAT_DEADLINE,
                conference_deadline: settings.conference_deadline,
                mint_limits: Arc::clone(&mint_limits),
                doubts: join::RecentlyAsked::default(),
                foreign_forms: LogThrottle::default(),
                store_unavailable: LogThrottle::default(),
            },
            artifacts: artifact::Artifacts {
                links: deps.links,
                store: deps.store,
                chat: deps.chat,
                conference: deps.conference,
                pages,
                mint_limits,
                observer: Arc::clone(&deps.observer),
                store_deadline: settings.store_deadline,
                conference_deadline: settings.conference_deadline,
                store_unavailable: LogThrottle::default(),
            },
            keyring,
            lost: lost::Lost::default(),
            clock: deps.clock,
            observer: deps.observer,
            body_bytes: settings.body_bytes,
        })
    }

    /// What callers are known by, to be replaced while the routes serve.
    pub(crate) fn keyring(&self) -> Keyring {
        self.keyring.clone()
    }

    /// The routes as one filter, for [`crate::listen::serve`].
    pub(crate) fn filter(
        self,
    ) -> impl Filter<Extract = (impl Reply + use<>,), Error = Infallible>
    + Clone
    + Send
    + Sync
    + 'static
    + use<> {
        let door = Arc::new(self);
        let outgoing = warp::path!("mattermost" / "outgoing").and(
            door.answered(Route::Outgoing, |door, inbound| async move {
                door.outgoing.answer(inbound).await
            }),
        );
        let command = warp::path!("mattermost" / "command")
            .or(warp::path!("auth" / "mattermost" / "command"))
            .unify()
            .or(warp::path!("api" / "mattermost" / "command"))
            .unify()
            .and(door.answered(Route::Command, |door, inbound| async move {
                door.command.answer(inbound).await
            }));
        let webhook = warp::path!("plugnmeet" / "webhook").and(
            door.answered(Route::Webhook, |door, inbound| async move {
                door.webhook.answer(inbound).await
            }),
        );
        let health =
            warp::path!("healthz").and(door.answered(Route::Health, |_, inbound| async move {
                health::answer(&inbound)
            }));
        let join = warp::path!("join" / String).and(door.inbound(FORM_BYTES_MAX));
        let join = door.with_token(Route::Join, join, |door, token, inbound| async move {
            door.join.answer(&token, inbound).await
        });
        let artifact = warp::path!("artifact" / String).and(door.inbound(FORM_BYTES_MAX));
        let artifact = door.with_token(
            Route::Artifact,
            artifact,
            |door, token, inbound| async move { door.artifacts.page(&token, inbound).await },
        );
        let file = warp::path!("artifact" / String / "file").and(door.inbound(FORM_BYTES_MAX));
        let file = door.with_token(
            Route::ArtifactFile,
            file,
            |door, token, inbound| async move { door.artifacts.file(&token, inbound).await },
        );
        let other = warp::any().and(door.answered(Route::Other, |door, inbound| async move {
            door.lost.note(inbound.method_label(), &inbound.path);
            door.join.pages.not_found(inbound.id)
        }));
        outgoing
            .or(command)
            .unify()
            .or(webhook)
            .unify()
            .or(health)
            .unify()
            .or(join)
            .unify()
            .or(artifact)
            .unify()
            .or(file)
            .unify()
            .or(other)
            .unify()
            .recover(|_: Rejection| async { Ok::<_, Infallible>(http::StatusCode::NOT_FOUND) })
    }

    fn inbound(
        &self,
        body_max: usize,
    ) -> impl Filter<Extract = (Inbound,), Error = Rejection> + Clone + Send + Sync + 'static + use<>
    {
        inbound(Arc::clone(&self.clock), body_max)
    }

    fn answered<F, A>(
        self: &Arc<Self>,
        route: Route,
        answer: F,
    ) -> impl Filter<Extract = (Answer,), Error = Rejection> + Clone + Send + Sync + 'static + use<F, A>
    where
        F: Fn(Arc<Self>, Inbound) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let door = Arc::clone(self);
        self.inbound(self.body_bytes).then(move |inbound: Inbound| {
            let noted = Noting::of(route, &inbound);
            let answer = defect::caught(route, inbound.id, answer(Arc::clone(&door), inbound));
            let door = Arc::clone(&door);
            // On the heap: the future of all routes holds one of each, and each level of `or` moves it.
            Box::pin(async move { noted.finish(&door, answer.await) })
        })
    }

    fn with_token<I, F, A>(
        self: &Arc<Self>,
        route: Route,
        inbound: I,
        answer: F,
    ) -> impl Filter<Extract = (Answer,), Error = Rejection> + Clone + Send + Sync + 'static + use<I, F, A>
    where
        I: Filter<Extract = (String, Inbound), Error = Rejection> + Clone + Send + Sync + 'static,
        F: Fn(Arc<Self>, String, Inbound) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let door = Arc::clone(self);
        inbound.then(move |token: String, inbound: Inbound| {
            let noted = Noting::of(route, &inbound);
            let id = inbound.id;
            let answer = defect::caught(route, id, answer(Arc::clone(&door), token, inbound));
            let door = Arc::clone(&door);
            Box::pin(async move { noted.finish(&door, answer.await) })
        })
    }
}

/// What is told of every answer.
struct Noting {
    route: Route,
    method: &'static str,
    id: crate::domain::EventId,
    since: tokio::time::Instant,
}

impl Noting {
    fn of(route: Route, inbound: &Inbound) -> Self {
        Self {
            route,
            method: inbound.method_label(),
            id: inbound.id,
            since: inbound.since,
        }
    }

    fn finish(self, door: &Ingress, mut answer: Answer) -> Answer {
        if let Ok(id) = HeaderValue::from_str(&self.id.to_string()) {
            answer.headers_mut().insert(reply::REQUEST_ID, id);
        }
        let (status, took) = (answer.status().as_u16(), self.since.elapsed());
        tracing::debug!(event.id = %self.id, route = self.route.as_str(), method = self.method, status, duration_ms = took.as_millis(), "answered");
        door.observer
            .answered(self.route, self.method, status, took);
        answer
    }
}

#[cfg(test)]
mod tests;
