//! Logging in and out, sessions and what ends them, accounts that are locked
//! (src/mattermost/README.md, "Sessions").

use super::FakeMattermost;
use super::attachment::note_unknown;
use super::core::Core;
use super::error::AppError;
use super::id::new_id;
use super::model::Token;
use super::server::Reply;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// MaximumLoginAttempts as it is by default.
const FAILURES_MAX: u32 = 10;

/// SessionLengthWebInHours as it is by default: 30 days, in milliseconds.
const SESSION_LIFE_MS: i64 = 30 * 24 * 3600 * 1000;

/// How each person logs in; nobody else can.
pub(crate) type Passwords = HashMap<String, Password>;

/// One person's way in.
#[derive(Clone, Debug)]
pub(crate) struct Password {
    text: String,
    failures: u32,
    has_second_factor: bool,
}

/// `POST /users/login`: the user, with the session's token in a header.
pub(super) fn log_in(core: &Core, body: &Map<String, Value>) -> Result<Reply, AppError> {
    let known = ["login_id", "password", "token", "device_id"];
    note_unknown(body, &known, "login", &core.unexpected);
    let field = |name| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let (login_id, given) = (field("login_id"), field("password"));
    let now = core.clock.now_ms();
    core.change(|model| {
        let user = model.users.values().find(|user| {
            user.username == login_id || format!("{}@example.org", user.username) == login_id
        });
        let user = user.cloned().ok_or_else(wrong)?;
        if user.is_disabled() {
            return Err(refused(
                "api.user.login.inactive.app_error",
                "Login failed because your account has been deactivated.  Please contact an administrator.",
            ));
        }
        if user.is_bot {
            return Err(refused(
                "api.user.login.bot_login_forbidden.app_error",
                "Bot login is forbidden.",
            ));
        }
        let password = model.passwords.get_mut(&user.id).ok_or_else(wrong)?;
        if password.failures >= FAILURES_MAX {
            return Err(refused(
                "api.user.check_user_login_attempts.too_many.app_error",
                "Your account is locked because of too many failed password attempts. Please reset your password.",
            ));
        }
        if password.text != given {
            password.failures += 1;
            return Err(wrong());
        }
        if password.has_second_factor {
            return Err(refused(
                "mfa.validate_token.authenticate.app_error",
                "Invalid MFA token.",
            ));
        }
        password.failures = 0;
        let token = new_id();
        model.tokens.insert(token.clone(), Token::session(&user.id, now + SESSION_LIFE_MS));
        let mut shown = user.wire(true);
        shown["remote_id"] = json!("");
        let mut reply = Reply::json(200, &shown);
        reply.headers.push(("Token".to_owned(), token));
        Ok(reply)
    })
}

/// `POST /users/logout`: the session with which it is called ends.
pub(super) fn log_out(core: &Core, token: &str) -> Reply {
    core.change(|model| {
        if let Some(token) = model.tokens.get_mut(token).filter(|t| t.is_session()) {
            token.is_active = false;
        }
    });
    let mut reply = Reply::json(200, &json!({"status": "OK"}));
    let cookie = "MMAUTHTOKEN=; Path=/; Max-Age=0; HttpOnly";
    reply
        .headers
        .push(("Set-Cookie".to_owned(), cookie.to_owned()));
    reply
}

fn refused(id: &'static str, message: &str) -> AppError {
    AppError::new(401, id, message)
}

/// The same for an unknown name, a wrong password and whatever else the server does not tell at a login.
fn wrong() -> AppError {
    refused(
        "api.user.login.invalid_credentials_email_username",
        "Enter a valid email or username and/or password.",
    )
}

impl FakeMattermost {
    /// Gives a person a password, and opens a locked account again.
    pub fn set_password(&self, user: &str, password: &str) {
        let id = self.user(user).id;
        let password = Password {
            text: password.to_owned(),
            failures: 0,
            has_second_factor: false,
        };
        self.core
            .change(|model| model.passwords.insert(id, password));
    }

    /// The person's login needs a second factor from now on; the person needs a password first.
    pub fn require_second_factor(&self, user: &str) {
        let id = self.user(user).id;
        self.core.change(|model| {
            let password = model.passwords.get_mut(&id);
            password.expect("a password first").has_second_factor = true;
        });
    }

    /// How often a wrong password was given for this person since the last login; at ten the account is locked.
    pub fn failed_logins(&self, user: &str) -> u32 {
        let id = self.user(user).id;
        self.core
            .read(|model| model.passwords.get(&id).map_or(0, |known| known.failures))
    }

    /// The tokens of the person's sessions that have neither ended nor expired.
    pub fn sessions(&self, user: &str) -> Vec<String> {
        let (id, now) = (self.user(user).id, self.core.clock.now_ms());
        self.core.read(|model| {
            let tokens = model.tokens.iter();
            let live = tokens.filter(|(_, token)| token.user_id == id && token.is_session_at(now));
            live.map(|(token, _)| token.clone()).collect()
        })
    }

    /// The tokens of all sessions that anybody ever had.
    pub fn session_tokens(&self) -> Vec<String> {
        self.core.read(|model| {
            let tokens = model.tokens.iter();
            let sessions = tokens.filter(|(_, token)| token.is_session());
            sessions.map(|(token, _)| token.clone()).collect()
        })
    }

    /// Ends all sessions of a person, as an administrator can; access tokens stay.
    pub fn revoke_sessions(&self, user: &str) {
        let id = self.user(user).id;
        self.core.change(|model| {
            for token in model.tokens.values_mut() {
                if token.user_id == id && token.is_session() {
                    token.is_active = false;
                }
            }
        });
    }

    /// All sessions expire within this time, on the server's clock.
    pub fn expire_sessions_in(&self, time: Duration) {
        let at = self.core.clock.now_ms() + i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.core.change(|model| {
            for token in model.tokens.values_mut() {
                token.expires_at = token.expires_at.map(|known| known.min(at));
            }
        });
    }
}
