//! The relay's own session. The first call logs in; a refused session is renewed once for all callers, and never so
//! often that Mattermost locks the account (src/mattermost/README.md, "Sessions"). It lives in memory only.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use reqwest::header::HeaderValue;
use tokio::time::Instant;

use super::errors;
use crate::ports::ChatError;

/// After how long a refused login is tried again; after the last of them not before a reload with another password or a
/// restart, or until the old session works again. So there are four refused logins for each password, well below the
/// ten after which Mattermost locks an account. They are tried again at all because Mattermost calls trouble of its own
/// a wrong password, too (it masks errors at login).
const AGAIN_AFTER: [Duration; 3] = [
    Duration::from_secs(60),
    Duration::from_secs(600),
    Duration::from_secs(3600),
];

/// Most refused logins for each process, whatever else happens, unless one worked in between: Mattermost locks the
/// account after ten.
const REFUSALS_MAX: usize = 8;

/// One login: the header of the new session, or why there is none.
pub(super) type LoginFuture = BoxFuture<'static, Result<HeaderValue, ChatError>>;

type SharedLogin = Shared<BoxFuture<'static, Result<Arc<SessionToken>, ChatError>>>;

/// What a session proves itself with.
pub(super) struct SessionToken {
    /// The value of the header `Authorization`.
    pub(super) authorization: HeaderValue,
    /// A call was not refused with it.
    is_proved: AtomicBool,
    /// A call was refused with it.
    is_rejected: AtomicBool,
    /// It was refused right after its login, and that was counted.
    is_useless: AtomicBool,
}

/// The session, with or without a pass at the moment.
pub(super) struct LoginSession {
    log_in: Box<dyn Fn() -> LoginFuture + Send + Sync>,
    state: Arc<Mutex<LoginState>>,
}

#[derive(Default)]
struct LoginState {
    pass: Option<Arc<SessionToken>>,
    /// The login that is under way: whoever needs a pass waits for this one.
    login: Option<SharedLogin>,
    refusals: usize,
    refused: Option<RefusedLogin>,
    is_closed: bool,
}

/// The last login was refused.
struct RefusedLogin {
    why: String,
    /// `None`: not before a reload with another password, or a restart.
    again_at: Option<Instant>,
}

impl LoginSession {
    /// A session that nobody is logged in for yet.
    pub(super) fn new(log_in: impl Fn() -> LoginFuture + Send + Sync + 'static) -> Self {
        Self {
            log_in: Box::new(log_in),
            state: Arc::default(),
        }
    }

    /// The pass to make a call with, logging in if there is none.
    ///
    /// # Errors
    /// The login's own, or [`ChatError::Unavailable`] while no login may be tried: work waits until a person acted.
    pub(super) async fn pass(&self) -> Result<Arc<SessionToken>, ChatError> {
        let login = {
            let mut state = lock(&self.state);
            match &state.pass {
                Some(pass) if !pass.is_rejected.load(Ordering::Relaxed) => return Ok(pass.clone()),
                _ => {}
            }
            if let Some(error) = state.barred() {
                // A server with trouble of its own refused the old pass, perhaps; then it works again by itself.
                return state.pass.clone().ok_or(error);
            }
            self.login(&mut state)
        };
        login.await
    }

    /// Another pass than `rejected`, with which a call met 401: somebody else's new one, or that of a login.
    ///
    /// # Errors
    /// As [`LoginSession::pass`].
    pub(super) async fn renew(
        &self,
        rejected: &Arc<SessionToken>,
    ) -> Result<Arc<SessionToken>, ChatError> {
        let login = {
            let mut state = lock(&self.state);
            rejected.is_rejected.store(true, Ordering::Relaxed);
            match &state.pass {
                Some(pass) if !pass.is_rejected.load(Ordering::Relaxed) => return Ok(pass.clone()),
                _ => {}
            }
            if let Some(error) = state.barred() {
                return Err(error);
            }
            self.login(&mut state)
        };
        login.await
    }

    /// A call made with this pass ended otherwise than with 401; what only the server can have said proves the pass.
    pub(super) fn met<T>(&self, pass: &SessionToken, result: &Result<T, ChatError>) {
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
        let was_rejected = pass.is_rejected.swap(false, Ordering::Relaxed);
        let was_proved = pass.is_proved.swap(true, Ordering::Relaxed);
        if was_rejected || !was_proved {
            lock(&self.state).proved(pass, was_proved);
        }
    }

    /// A call was refused with a pass just renewed: another login would not help, and sessions would pile up.
    pub(super) fn useless(&self, pass: &SessionToken, why: &str) {
        if !pass.is_proved.load(Ordering::Relaxed) {
            pass.is_rejected.store(true, Ordering::Relaxed);
        }
        // Many callers may meet the same: it is one refusal.
        if pass.is_useless.swap(true, Ordering::Relaxed) {
            return;
        }
        lock(&self.state).refuse(format!("a session is refused right after its login: {why}"));
    }

    /// The last login was refused, and the old pass has not worked since.
    pub(super) fn is_barred(&self) -> bool {
        lock(&self.state).refused.is_some()
    }

    /// Ends the session: no login any more. The pass to log out with, if there is one.
    pub(super) async fn close(&self) -> Option<Arc<SessionToken>> {
        let login = {
            let mut state = lock(&self.state);
            state.is_closed = true;
            state.login.clone()
        };
        if let Some(login) = login {
            drop(login.await);
        }
        lock(&self.state).pass.take()
    }

    /// The login under way, or a new one. It belongs to no caller: when one goes away, the others go on with it.
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
    /// Why no login may be tried now.
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
                let pass = Arc::new(SessionToken {
                    authorization,
                    is_proved: AtomicBool::new(false),
                    is_rejected: AtomicBool::new(false),
                    is_useless: AtomicBool::new(false),
                });
                self.pass = Some(Arc::clone(&pass));
                self.refused = None;
                tracing::info!("logged in to Mattermost");
                Ok(pass)
            }
            Err(error) => Err(match refusal(&error) {
                Some(why) => self.refuse(why),
                None => error,
            }),
        }
    }

    /// The server took this pass. A new one ends the count of refusals, as it does Mattermost's own. An old one that
    /// works again lifts the bar, so that its end later does not stop the relay for good; the count goes on.
    fn proved(&mut self, pass: &SessionToken, was_proved: bool) {
        let is_current = |current: &Arc<SessionToken>| std::ptr::eq(Arc::as_ptr(current), pass);
        if !was_proved {
            self.refusals = 0;
        }
        if self.refusals < REFUSALS_MAX && self.pass.as_ref().is_some_and(is_current) {
            self.refused = None;
        }
    }

    /// Bars further logins for a while or for good, and says so.
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
            "Mattermost refuses the login: change mattermost.login_id or mattermost.password and reload (SIGHUP) or restart; cards wait, and the login is {again}"
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

/// What a login was refused for; `None`: it was not refused, the server was away.
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
        why: "the relay has logged out and ends".to_owned(),
        after: None,
    }
}

fn lock(state: &Mutex<LoginState>) -> MutexGuard<'_, LoginState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
