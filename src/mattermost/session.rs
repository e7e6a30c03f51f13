//! The relay's login session. The first call logs in. A refused session is renewed once for all callers, and the number
//! of logins is limited so that Mattermost does not lock the account (src/mattermost/README.md, "Sessions"). The
//! session is kept in memory only.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use reqwest::header::HeaderValue;
use tokio::time::Instant;

use super::errors;
use crate::ports::ChatError;

/// The pauses after refused logins. After the last of them no login is tried before a reload with another password, a
/// restart, or a success of the old session. So there are at most four refused logins for each password, well below the
/// ten after which Mattermost locks an account. A refused login is repeated at all because Mattermost reports its
/// internal errors at login as a wrong password.
const AGAIN_AFTER: [Duration; 3] = [
    Duration::from_secs(60),
    Duration::from_secs(600),
    Duration::from_secs(3600),
];

/// Most refused logins in the life of the process. A successful login resets the count. Mattermost locks the account
/// after ten.
const REFUSALS_MAX: usize = 8;

/// One login. It results in the header of the new session, or in the reason for the failure.
pub(super) type LoginFuture = BoxFuture<'static, Result<HeaderValue, ChatError>>;

type SharedLogin = Shared<BoxFuture<'static, Result<Arc<SessionToken>, ChatError>>>;

/// The token of a session, and what answers have shown about it.
pub(super) struct SessionToken {
    /// The value of the header `Authorization`.
    pub(super) authorization: HeaderValue,
    /// Mattermost has accepted it in a call.
    is_proved: AtomicBool,
    /// A call with it was refused.
    is_rejected: AtomicBool,
    /// It was refused right after its login, and the refusal has been counted.
    is_useless: AtomicBool,
}

/// The session, which may or may not have a token at the moment.
pub(super) struct LoginSession {
    log_in: Box<dyn Fn() -> LoginFuture + Send + Sync>,
    state: Arc<Mutex<LoginState>>,
}

#[derive(Default)]
struct LoginState {
    token: Option<Arc<SessionToken>>,
    /// The login that is under way. Every caller that needs a token waits for it.
    login: Option<SharedLogin>,
    refusals: usize,
    refused: Option<RefusedLogin>,
    is_closed: bool,
}

/// The refusal of the last login.
struct RefusedLogin {
    why: String,
    /// When the login is tried again. `None`: only after a reload with another password, or a restart.
    again_at: Option<Instant>,
}

impl LoginSession {
    /// A session that is not logged in yet.
    pub(super) fn new(log_in: impl Fn() -> LoginFuture + Send + Sync + 'static) -> Self {
        Self {
            log_in: Box::new(log_in),
            state: Arc::default(),
        }
    }

    /// The token for a call. Logs in if there is none.
    ///
    /// # Errors
    /// The error of the login, or [`ChatError::Unavailable`] while no login may be tried. Then work waits until a
    /// person has corrected the credential.
    pub(super) async fn token(&self) -> Result<Arc<SessionToken>, ChatError> {
        let login = {
            let mut state = lock(&self.state);
            match &state.token {
                Some(token) if !token.is_rejected.load(Ordering::Relaxed) => {
                    return Ok(token.clone());
                }
                _ => {}
            }
            if let Some(error) = state.barred() {
                // The server may have refused the old token because of an internal error; then the token works again
                // later.
                return state.token.clone().ok_or(error);
            }
            self.login(&mut state)
        };
        login.await
    }

    /// A token to replace `rejected`, with which a call got 401: one that another caller has already obtained, or that
    /// of a new login.
    ///
    /// # Errors
    /// As [`LoginSession::token`].
    pub(super) async fn renew(
        &self,
        rejected: &Arc<SessionToken>,
    ) -> Result<Arc<SessionToken>, ChatError> {
        let login = {
            let mut state = lock(&self.state);
            rejected.is_rejected.store(true, Ordering::Relaxed);
            match &state.token {
                Some(token) if !token.is_rejected.load(Ordering::Relaxed) => {
                    return Ok(token.clone());
                }
                _ => {}
            }
            if let Some(error) = state.barred() {
                return Err(error);
            }
            self.login(&mut state)
        };
        login.await
    }

    /// Records the result of a call with this token that was not 401. A result that only Mattermost itself can have
    /// sent proves that the token is valid.
    pub(super) fn met<T>(&self, token: &SessionToken, result: &Result<T, ChatError>) {
        let is_proof = matches!(
            result,
            Ok(_)
                | Err(ChatError::Forbidden { .. }
                    | ChatError::NotFound { .. }
                    | ChatError::NotEditable { .. }
                    | ChatError::Suspended { .. })
        );
        if !is_proof {
            return;
        }
        let was_rejected = token.is_rejected.swap(false, Ordering::Relaxed);
        let was_proved = token.is_proved.swap(true, Ordering::Relaxed);
        if was_rejected || !was_proved {
            lock(&self.state).proved(token, was_proved);
        }
    }

    /// Records that a call was refused with a token that was just renewed. Another login would not help, and sessions
    /// would pile up.
    pub(super) fn useless(&self, token: &SessionToken, why: &str) {
        if !token.is_proved.load(Ordering::Relaxed) {
            token.is_rejected.store(true, Ordering::Relaxed);
        }
        // Many callers may get the same refusal; it counts once.
        if token.is_useless.swap(true, Ordering::Relaxed) {
            return;
        }
        lock(&self.state).refuse(format!("a session is refused right after its login: {why}"));
    }

    /// Whether the last login was refused and the old token has not worked since.
    pub(super) fn is_barred(&self) -> bool {
        lock(&self.state).refused.is_some()
    }

    /// Closes the session: there are no more logins. Returns the token to log out with, if there is one.
    pub(super) async fn close(&self) -> Option<Arc<SessionToken>> {
        let login = {
            let mut state = lock(&self.state);
            state.is_closed = true;
            state.login.clone()
        };
        if let Some(login) = login {
            drop(login.await);
        }
        lock(&self.state).token.take()
    }

    /// The login under way, or a new one. It belongs to no single caller: when one is cancelled, the others continue to
    /// wait for it.
    fn login(&self, state: &mut LoginState) -> SharedLogin {
        if let Some(login) = &state.login {
            return login.clone();
        }
        let (log_in, kept) = ((self.log_in)(), Arc::downgrade(&self.state));
        let login = async move {
            let result = log_in.await;
            match kept.upgrade() {
                Some(state) => lock(&state).logged_in(result),
                None => Err(logged_out()),
            }
        };
        let login = login.boxed().shared();
        state.login = Some(login.clone());
        login
    }
}

impl LoginState {
    /// The error if no login may be tried now.
    fn barred(&self) -> Option<ChatError> {
        if self.is_closed {
            return Some(logged_out());
        }
        let refused = self.refused.as_ref()?;
        let may_try = refused.again_at.is_some_and(|at| Instant::now() >= at);
        (!may_try).then(|| refused.error())
    }

    fn logged_in(
        &mut self,
        result: Result<HeaderValue, ChatError>,
    ) -> Result<Arc<SessionToken>, ChatError> {
        self.login = None;
        match result {
            Ok(authorization) => {
                let token = Arc::new(SessionToken {
                    authorization,
                    is_proved: AtomicBool::new(false),
                    is_rejected: AtomicBool::new(false),
                    is_useless: AtomicBool::new(false),
                });
                self.token = Some(Arc::clone(&token));
                self.refused = None;
                tracing::info!("logged in to Mattermost");
                Ok(token)
            }
            Err(error) => Err(match refusal(&error) {
                Some(why) => self.refuse(why),
                None => error,
            }),
        }
    }

    /// Records that the server accepted this token. A new token resets the count of refusals, as it does in Mattermost.
    /// An old token that works again only permits logins again, so that its later end does not stop the relay for good;
    /// the count is kept.
    fn proved(&mut self, token: &SessionToken, was_proved: bool) {
        let is_current = |current: &Arc<SessionToken>| std::ptr::eq(Arc::as_ptr(current), token);
        if !was_proved {
            self.refusals = 0;
        }
        if self.refusals < REFUSALS_MAX && self.token.as_ref().is_some_and(is_current) {
            self.refused = None;
        }
    }

    /// Blocks further logins for a while or for good, and logs it.
    fn refuse(&mut self, why: String) -> ChatError {
        let after = AGAIN_AFTER.get(self.refusals).copied();
        self.refusals += 1;
        let again = after.map_or_else(
            || "not tried again before that".to_owned(),
            |after| format!("tried again in {} min", after.as_secs() / 60),
        );
        tracing::error!(
            why,
            refusals = self.refusals,
            "Mattermost refuses the login: change mattermost.login_id or mattermost.password and reload (SIGHUP) or restart; cards are paused, and the login is {again}"
        );
        let refused = RefusedLogin {
            why,
            again_at: after.map(|after| Instant::now() + after),
        };
        let error = refused.error();
        self.refused = Some(refused);
        error
    }
}

impl RefusedLogin {
    fn error(&self) -> ChatError {
        ChatError::Unavailable {
            why: format!("the relay is not logged in: {}", self.why),
            after: None,
        }
    }
}

/// Why a login was refused; `None`: it was not refused, the server was unavailable.
fn refusal(error: &ChatError) -> Option<String> {
    let (ChatError::Unauthorized { why }
    | ChatError::Forbidden { why }
    | ChatError::NotFound { why }
    | ChatError::NotEditable { why }
    | ChatError::Suspended { why }
    | ChatError::Refused { why }) = error
    else {
        return None;
    };
    Some(match errors::login_hint(why) {
        Some(hint) => format!("{why}: {hint}"),
        None => why.clone(),
    })
}

fn logged_out() -> ChatError {
    ChatError::Unavailable {
        why: "the relay has logged out and is shutting down".to_owned(),
        after: None,
    }
}

fn lock(state: &Mutex<LoginState>) -> MutexGuard<'_, LoginState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
