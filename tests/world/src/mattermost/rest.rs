//! REST v4 and response URLs: routes, sessions, and what each call answers (src/mattermost/README.md, "Posts").

use super::answer::respond_late;
use super::core::Core;
use super::error::AppError;
use super::id::is_id;
use super::incoming;
use super::journal::AuthKind;
use super::outgoing;
use super::plugin;
use super::server::Reply;
use super::sessions;
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use serde_json::{Map, Value, json};
use std::sync::Arc;

mod channels;
mod posts;
mod users;

pub(crate) use channels::join;

/// A route that is there, with its path parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call<'a> {
    Ping,
    ClientConfig,
    Me,
    MyTeams,
    MyChannels(&'a str),
    User(&'a str),
    UserByName(&'a str),
    UsersByIds,
    LogIn,
    LogOut,
    AddTeamMember(&'a str),
    Channel(&'a str),
    ChannelMember(&'a str, &'a str),
    AddChannelMember(&'a str),
    ChannelPosts(&'a str),
    DirectChannel,
    OutgoingHooks,
    Post(&'a str),
    Thread(&'a str),
    CreatePost,
    CreateEphemeral,
    PatchPost(&'a str),
    DeletePost(&'a str),
    LateResponse(&'a str),
    LateResponsePage,
    Incoming(&'a str),
    IncomingPage,
    Plugin(&'a str),
}

impl<'a> Call<'a> {
    /// The route of a request; `None`: the real server has it not, or the fake does not model it.
    pub(crate) fn recognise(method: &Method, path: &'a str) -> Option<Self> {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let api = segments.strip_prefix(&["api", "v4"][..]);
        Some(match (method.as_str(), api, &segments[..]) {
            ("GET", Some(["system", "ping"]), _) => Self::Ping,
            ("GET", Some(["config", "client"]), _) => Self::ClientConfig,
            ("GET", Some(["users", "me"]), _) => Self::Me,
            ("GET", Some(["users", "me", "teams"]), _) => Self::MyTeams,
            ("GET", Some(["users", "me", "teams", id, "channels"]), _) => Self::MyChannels(id),
            ("GET", Some(["users", id]), _) => Self::User(id),
            ("GET", Some(["users", "username", name]), _) => Self::UserByName(name),
            ("POST", Some(["users", "ids"]), _) => Self::UsersByIds,
            ("POST", Some(["users", "login"]), _) => Self::LogIn,
            ("POST", Some(["users", "logout"]), _) => Self::LogOut,
            ("POST", Some(["teams", id, "members"]), _) => Self::AddTeamMember(id),
            ("GET", Some(["channels", id]), _) => Self::Channel(id),
            ("GET", Some(["channels", id, "members", user]), _) => Self::ChannelMember(id, user),
            ("POST", Some(["channels", id, "members"]), _) => Self::AddChannelMember(id),
            ("GET", Some(["channels", id, "posts"]), _) => Self::ChannelPosts(id),
            ("POST", Some(["channels", "direct"]), _) => Self::DirectChannel,
            ("GET", Some(["hooks", "outgoing"]), _) => Self::OutgoingHooks,
            ("POST", Some(["posts"]), _) => Self::CreatePost,
            ("POST", Some(["posts", "ephemeral"]), _) => Self::CreateEphemeral,
            ("GET", Some(["posts", id]), _) => Self::Post(id),
            ("GET", Some(["posts", id, "thread"]), _) => Self::Thread(id),
            ("PUT", Some(["posts", id, "patch"]), _) => Self::PatchPost(id),
            ("DELETE", Some(["posts", id]), _) => Self::DeletePost(id),
            ("POST", None, ["hooks", "commands", id]) => Self::LateResponse(id),
            ("GET", None, ["hooks", "commands", _]) => Self::LateResponsePage,
            ("POST", None, ["hooks", id]) => Self::Incoming(id),
            ("GET", None, ["hooks", _]) => Self::IncomingPage,
            ("POST", None, ["plugins", id, ..]) => Self::Plugin(id),
            _ => return None,
        })
    }

    /// Its name for faults, counts and the log.
    pub(crate) fn operation(&self) -> &'static str {
        match self {
            Self::Ping => "system.ping",
            Self::ClientConfig => "config.client",
            Self::Me => "users.me",
            Self::MyTeams => "users.teams",
            Self::MyChannels(_) => "users.channels",
            Self::User(_) => "users.get",
            Self::UserByName(_) => "users.by_name",
            Self::UsersByIds => "users.ids",
            Self::LogIn => "users.login",
            Self::LogOut => "users.logout",
            Self::AddTeamMember(_) => "teams.join",
            Self::Channel(_) => "channels.get",
            Self::ChannelMember(..) => "channels.member",
            Self::AddChannelMember(_) => "channels.join",
            Self::ChannelPosts(_) => "channels.posts",
            Self::DirectChannel => "channels.direct",
            Self::OutgoingHooks => "hooks.list",
            Self::Post(_) => "posts.get",
            Self::Thread(_) => "posts.thread",
            Self::CreatePost => "posts.create",
            Self::CreateEphemeral => "posts.ephemeral",
            Self::PatchPost(_) => "posts.patch",
            Self::DeletePost(_) => "posts.delete",
            Self::LateResponse(_) => "hooks.commands",
            Self::LateResponsePage | Self::IncomingPage => "hooks.page",
            Self::Incoming(_) => "hooks.incoming",
            Self::Plugin(_) => "plugins.call",
        }
    }
}

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Session {
    /// No Authorization header.
    Anonymous,
    /// A header that proves nothing.
    Refused,
    /// User id.
    Of(String),
}

impl Session {
    /// Reads `Authorization: Bearer <token>` (`token <token>` works too).
    pub(crate) fn of(core: &Core, head: &Parts) -> Self {
        if head.headers.contains_key(COOKIE) {
            core.unexpected
                .note("request carries a Cookie: a session cookie would win over the token");
        }
        let Some(header) = head.headers.get(AUTHORIZATION) else {
            return Self::Anonymous;
        };
        let (scheme, token) = token_of(header);
        let is_known =
            scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
        let user_id = core.read(|model| {
            let now = core.clock.now_ms();
            let token = model
                .tokens
                .get(token)
                .filter(|token| token.is_good_at(now))?;
            let user = model
                .users
                .get(&token.user_id)
                .filter(|user| !user.is_disabled())?;
            Some(user.id.clone())
        });
        user_id.filter(|_| is_known).map_or(Self::Refused, Self::Of)
    }

    pub(crate) fn kind(&self, core: &Core) -> AuthKind {
        match self {
            Self::Anonymous => AuthKind::None,
            Self::Refused => AuthKind::Refused,
            Self::Of(id) => AuthKind::Of(core.read(|model| {
                model
                    .user(id)
                    .map(|user| user.username.clone())
                    .unwrap_or_default()
            })),
        }
    }

    fn user_id(&self) -> Result<&str, AppError> {
        match self {
            Self::Of(id) => Ok(id),
            _ => Err(AppError::session_expired()),
        }
    }
}

fn token_of(header: &HeaderValue) -> (&str, &str) {
    let text = header.to_str().ok();
    text.and_then(|text| text.split_once(' '))
        .unwrap_or_default()
}

/// Carries out a recognised call.
pub(crate) async fn answer(
    core: &Arc<Core>,
    call: &Call<'_>,
    head: &Parts,
    body: &Bytes,
    session: &Session,
) -> Result<Reply, AppError> {
    match *call {
        Call::Ping => return Ok(Reply::json(200, &users::ping())),
        Call::ClientConfig => return users::client_config(core, head, session),
        Call::LogIn => return sessions::log_in(core, &object(core, head, body, "login")?),
        Call::LogOut => {
            let header = head.headers.get(AUTHORIZATION).map(token_of);
            return Ok(sessions::log_out(core, header.unwrap_or_default().1));
        }
        Call::LateResponse(id) => {
            respond_late(core, id, content_type(head), body).await?;
            return Ok(Reply::new(200, "text/plain", "ok"));
        }
        Call::LateResponsePage | Call::IncomingPage => {
            core.unexpected
                .note("GET on a hook: answered by the web app, nothing is posted");
            return Ok(web_app());
        }
        Call::Incoming(id) => {
            return incoming::receive(core, id, content_type(head), body).await;
        }
        Call::Plugin(id) => return Ok(plugin::receive(core, id, head, body).await),
        _ => {}
    }
    let me = session.user_id()?;
    match *call {
        Call::Me => users::me(core, me),
        Call::MyTeams => Ok(users::my_teams(core, me)),
        Call::MyChannels(id) => channels::mine(core, me, id, head.uri.query().unwrap_or_default()),
        Call::User(id) => users::get(core, id),
        Call::UserByName(name) => users::by_name(core, name),
        Call::UsersByIds => users::by_ids(core, head, body),
        Call::AddTeamMember(id) => {
            users::join_team(core, me, id, &object(core, head, body, "team member")?)
        }
        Call::Channel(id) => channels::get(core, me, id),
        Call::ChannelMember(id, user) => channels::member(core, me, id, user),
        Call::AddChannelMember(id) => {
            channels::add_member(core, me, id, &object(core, head, body, "user_id")?)
        }
        Call::ChannelPosts(id) => {
            channels::posts(core, me, id, head.uri.query().unwrap_or_default())
        }
        Call::DirectChannel => channels::direct(core, me, head, body),
        Call::OutgoingHooks => outgoing::list(core, me, head.uri.query().unwrap_or_default()),
        Call::Post(id) => posts::get(core, me, id),
        Call::Thread(id) => posts::thread(core, me, id),
        Call::CreatePost => posts::create(core, me, object(core, head, body, "post")?).await,
        Call::CreateEphemeral => posts::ephemeral(core, me, &object(core, head, body, "body")?),
        Call::PatchPost(id) => posts::patch(core, me, id, object(core, head, body, "post")?),
        Call::DeletePost(id) => posts::delete(core, me, id),
        Call::Ping
        | Call::ClientConfig
        | Call::LogIn
        | Call::LogOut
        | Call::LateResponse(_)
        | Call::LateResponsePage
        | Call::Incoming(_)
        | Call::IncomingPage
        | Call::Plugin(_) => Ok(web_app()),
    }
}

/// 404 of the API; anything else is the web app's for GET and a bare 404 otherwise.
pub(crate) fn no_such_route(core: &Core, head: &Parts) -> Reply {
    let path = head.uri.path();
    core.unexpected
        .note(format!("{} {path}: no such route", head.method));
    if path.starts_with("/api/") {
        return Reply::json(
            404,
            &json!({
                "id": "api.context.404.app_error",
                "message": "Sorry, we could not find the page.",
                "detailed_error": format!("There doesn't appear to be an api call for the url='{path}'.  Typo? are you missing a team_id or user_id as part of the url?"),
                "status_code": 404,
            }),
        );
    }
    if head.method == Method::GET {
        web_app()
    } else {
        Reply::new(404, "text/plain; charset=utf-8", "404 page not found\n")
    }
}

/// What the catch-all route of the web app answers.
fn web_app() -> Reply {
    Reply::new(
        200,
        "text/html; charset=utf-8",
        "<!DOCTYPE html><html><head><title>Mattermost</title></head><body></body></html>",
    )
}

fn content_type(head: &Parts) -> &str {
    let value = head.headers.get(CONTENT_TYPE);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// The body as JSON. The real server does not look at the content type; a careful client still says it.
fn json_body(core: &Core, head: &Parts, body: &[u8], name: &str) -> Result<Value, AppError> {
    let content_type = content_type(head);
    if !content_type.starts_with("application/json") {
        core.unexpected.note(format!(
            "{} {}: Content-Type {content_type:?}",
            head.method,
            head.uri.path()
        ));
    }
    serde_json::from_slice(body).map_err(|_| {
        core.unexpected.note(format!(
            "{} {}: body is no JSON",
            head.method,
            head.uri.path()
        ));
        AppError::invalid_body(name)
    })
}

fn object(
    core: &Core,
    head: &Parts,
    body: &[u8],
    name: &str,
) -> Result<Map<String, Value>, AppError> {
    match json_body(core, head, body, name)? {
        Value::Object(object) => Ok(object),
        _ => Err(AppError::invalid_body(name)),
    }
}

/// A path parameter that can be an id.
fn id_param<'a>(id: &'a str, name: &str) -> Result<&'a str, AppError> {
    if is_id(id) {
        Ok(id)
    } else {
        Err(AppError::invalid_url(name))
    }
}

/// A text field of a body: absent and null are empty, another type makes the body unreadable, as in Go.
fn text<'a>(body: &'a Map<String, Value>, key: &str, name: &str) -> Result<&'a str, AppError> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(AppError::invalid_body(name)),
    }
}
