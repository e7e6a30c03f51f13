//! The public HTTP routes. Each request is authenticated and turned into at most one event. The event is made durable
//! before the answer is sent.
//!
//! Webhooks call no peer and read no store. Start and end commands spend at most 150 ms on reading the running meetings
//! and their shown names. No target of a later call ever comes from a body. Every answer carries the id of its
//! (possible) event as `X-Request-Id`.
//!
//! To add a route, such as that of a button on the card (four files, and what it answers):
//! 1. A file in src/ingress with a struct of what it needs and one method from `Inbound` to `Answer`: authenticate,
//!    read the body within its bound, make one [`Fact`](crate::domain::Fact), pass it to the `EventSink`, answer.
//! 2. In this file: the struct in [`Ingress`], made in `new`, and the route in `filter`.
//! 3. In observe.rs: a variant of `Route` (and of `Source` and `Trigger`, if others call it).
//! 4. For a button: in src/domain/card/body.rs its position and its content, which src/token.rs signs. The first button
//!    also adds a list of buttons to `domain::Attachment`, and their wire format to src/mattermost/body.rs.
//! 5. The tests: a folder in src/ingress/tests for requests of any sender, tests/it/field for the actions of people.

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

/// Longest body of a form on our own pages, in bytes.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// The configuration of the ingress.
#[derive(Debug, Clone)]
pub(crate) struct IngressSettings {
    /// Tokens of outgoing webhooks. When the list is empty, every outgoing webhook is refused.
    pub outgoing_tokens: Vec<SecretString>,
    /// Tokens of slash commands. When the list is empty, every command is refused.
    pub command_tokens: Vec<SecretString>,
    /// plugNmeet's API key: the issuer of its webhooks.
    pub plugnmeet_api_key: String,
    /// plugNmeet's API secret: signs its webhooks.
    pub plugnmeet_api_secret: SecretString,
    /// Earlier API secrets; webhooks signed with one of them are still accepted.
    pub plugnmeet_previous_api_secrets: Vec<SecretString>,
    /// The address at which browsers reach plugNmeet: the join form may redirect to it.
    pub external_url: Url,
    /// How long a join page waits for a request that is not in the store yet: the longest `start_deadline` of all
    /// rules.
    pub start_deadline: Duration,
    /// The time zone of the times on pages.
    pub time_zone: TimeZone,
    /// Longest body of a webhook or command, in bytes.
    pub body_bytes: usize,
    /// Most starts of one person in one channel per minute, and most requests to end there. For all channels together
    /// the limit is five times as high.
    pub starts_per_minute: usize,
    /// Longest that a page waits for the store.
    pub store_deadline: Duration,
    /// Longest that a page waits until plugNmeet has minted a token; below the listener's `request_deadline`.
    pub conference_deadline: Duration,
}

impl IngressSettings {
    /// The required settings, with the default of all others.
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

/// The parts of the relay that the ingress uses.
#[derive(Clone)]
pub(crate) struct IngressDeps {
    /// Makes events durable.
    pub queue: EnvelopeQueue,
    /// Decide which texts start meetings.
    pub rules: Arc<Rules>,
    /// Signs and verifies links.
    pub links: Arc<Links>,
    /// Read by pages and `list`.
    pub store: Arc<dyn Store>,
    /// Supplies the names of people and channels.
    pub chat: Arc<dyn Chat>,
    /// Mints join and download tokens.
    pub conference: Arc<dyn Conference>,
    /// Our clock.
    pub clock: Arc<dyn Clock>,
    /// The relay's own user in the chat, once it is known; its posts are ignored.
    pub own_user: OwnUser,
    /// Signals a scan for posts that could not be accepted; `None`: there is no such scan.
    pub missed_posts: Option<MissedPosts>,
    /// Counts what happens, for metrics.
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
    /// Builds the routes.
    ///
    /// # Errors
    /// A page's template is invalid. A test excludes this.
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

    /// The tokens and secrets of callers. They can be replaced while the routes serve requests.
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
        let ingress = Arc::new(self);
        let outgoing = warp::path!("mattermost" / "outgoing").and(
            ingress.answered(Route::Outgoing, |ingress, inbound| async move {
                ingress.outgoing.answer(inbound).await
            }),
        );
        let command = warp::path!("mattermost" / "command")
            .or(warp::path!("auth" / "mattermost" / "command"))
            .unify()
            .or(warp::path!("api" / "mattermost" / "command"))
            .unify()
            .and(
                ingress.answered(Route::Command, |ingress, inbound| async move {
                    ingress.command.answer(inbound).await
                }),
            );
        let webhook = warp::path!("plugnmeet" / "webhook").and(
            ingress.answered(Route::Webhook, |ingress, inbound| async move {
                ingress.webhook.answer(inbound).await
            }),
        );
        let health =
            warp::path!("healthz").and(ingress.answered(Route::Health, |_, inbound| async move {
                health::answer(&inbound)
            }));
        let join = warp::path!("join" / String).and(ingress.inbound(FORM_BYTES_MAX));
        let join = ingress.with_token(Route::Join, join, |ingress, token, inbound| async move {
            ingress.join.answer(&token, inbound).await
        });
        let artifact = warp::path!("artifact" / String).and(ingress.inbound(FORM_BYTES_MAX));
        let artifact = ingress.with_token(
            Route::Artifact,
            artifact,
            |ingress, token, inbound| async move { ingress.artifacts.page(&token, inbound).await },
        );
        let file = warp::path!("artifact" / String / "file").and(ingress.inbound(FORM_BYTES_MAX));
        let file = ingress.with_token(
            Route::ArtifactFile,
            file,
            |ingress, token, inbound| async move { ingress.artifacts.file(&token, inbound).await },
        );
        let other = warp::any().and(ingress.answered(
            Route::Other,
            |ingress, inbound| async move {
                ingress.lost.note(inbound.method_label(), &inbound.path);
                ingress.join.pages.not_found(inbound.id)
            },
        ));
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
        let ingress = Arc::clone(self);
        self.inbound(self.body_bytes).then(move |inbound: Inbound| {
            let record = AnswerRecord::of(route, &inbound);
            let answer = defect::caught(route, inbound.id, answer(Arc::clone(&ingress), inbound));
            let ingress = Arc::clone(&ingress);
            // Boxed because the future of all routes holds one future per route, and each level of `or` moves it.
            Box::pin(async move { record.finish(&ingress, answer.await) })
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
        let ingress = Arc::clone(self);
        inbound.then(move |token: String, inbound: Inbound| {
            let record = AnswerRecord::of(route, &inbound);
            let id = inbound.id;
            let answer = defect::caught(route, id, answer(Arc::clone(&ingress), token, inbound));
            let ingress = Arc::clone(&ingress);
            Box::pin(async move { record.finish(&ingress, answer.await) })
        })
    }
}

/// What is logged and counted for every answer.
struct AnswerRecord {
    route: Route,
    method: &'static str,
    id: crate::domain::EventId,
    since: tokio::time::Instant,
}

impl AnswerRecord {
    fn of(route: Route, inbound: &Inbound) -> Self {
        Self {
            route,
            method: inbound.method_label(),
            id: inbound.id,
            since: inbound.since,
        }
    }

    fn finish(self, ingress: &Ingress, mut answer: Answer) -> Answer {
        if let Ok(id) = HeaderValue::from_str(&self.id.to_string()) {
            answer.headers_mut().insert(reply::REQUEST_ID, id);
        }
        let (status, took) = (answer.status().as_u16(), self.since.elapsed());
        tracing::debug!(event.id = %self.id, route = self.route.as_str(), method = self.method, status, duration_ms = took.as_millis(), "answered");
        ingress
            .observer
            .answered(self.route, self.method, status, took);
        answer
    }
}

#[cfg(test)]
mod tests;
