//! Keeps one connection: opens it, serves it, and opens it again when it ends, for ever and with growing pauses.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::backoff::Backoff;

use super::connect::{BrokerError, BrokerSettings};
use super::ending::LinkEnd;
use super::link_state::Board;
use super::observer::Role;
use super::ready_connection::ReadyConnection;

/// The longest pause after the first failure.
const PAUSE_INITIAL: Duration = Duration::from_millis(200);
/// After a connection that lasted at least this long the pauses start again at [`PAUSE_INITIAL`].
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// The interval at which the reason is logged while only the consumer is down.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// The reason of a link that this process closed.
pub(super) const CLOSED: &str = "closed by this process";

/// The state that both supervisors share.
pub(super) struct Common {
    pub(super) settings: BrokerSettings,
    pub(super) board: Board,
    pub(super) closed: CancellationToken,
    /// Held while exchanges and queues are created, so that two connections never create the same one at once.
    making: Mutex<()>,
}

/// The work that is done with a connection while it is open.
pub(super) trait Serve {
    /// Sets up, calls `up`, and works until the connection ends. Returns `Ok` when this process closes. It must not
    /// close the connection itself.
    async fn serve(
        &mut self,
        ready_connection: &mut ReadyConnection,
        up: impl FnOnce(),
    ) -> Result<(), LinkEnd>;

    /// Called when the link is down, with the reason.
    fn down(&mut self, why: &str);
}

impl Common {
    pub(super) fn new(settings: BrokerSettings, board: Board) -> Self {
        Self {
            settings,
            board,
            closed: CancellationToken::new(),
            making: Mutex::new(()),
        }
    }

    pub(super) async fn open(&self, role: Role) -> Result<ReadyConnection, BrokerError> {
        let _making = self.making.lock().await;
        ReadyConnection::open(&self.settings, role).await
    }
}

/// Runs until this process closes. `first` is the result of an attempt that was made already.
pub(super) async fn supervise(
    common: &Common,
    role: Role,
    mut first: Option<Result<ReadyConnection, BrokerError>>,
    mut served: impl Serve,
) {
    let mut link_log = LinkLog::new(role);
    let mut failures = 0_u32;
    loop {
        let opening = async {
            match first.take() {
                Some(first) => first,
                None => common.open(role).await,
            }
        };
        let ready_connection = tokio::select! {
            biased;
            () = common.closed.cancelled() => break,
            ready_connection = opening => ready_connection,
        };
        let ending = match ready_connection {
            Err(error) => {
                let publisher_is_up = common.board.watch().borrow().publisher.is_up;
                link_log.log_failure(&error, publisher_is_up);
                let ending = LinkEnd::from(&error);
                served.down(&ending.text);
                common.board.down(role, &ending.text);
                ending
            }
            Ok(mut ready_connection) => {
                let began = Instant::now();
                let up = || {
                    common.board.up(role);
                    link_log.log_up();
                };
                let ended = served.serve(&mut ready_connection, up).await;
                if began.elapsed() >= GOOD_AFTER {
                    failures = 0;
                }
                let why = ended.as_ref().err().map_or(CLOSED, |ending| &ending.text);
                served.down(why);
                common.board.down(role, why);
                ready_connection.close().await;
                let Err(ending) = ended else { break };
                link_log.log_end(&ending);
                ending
            }
        };
        common.board.observer().reconnects(role, ending.reason);
        failures = failures.saturating_add(1);
        let backoff = Backoff {
            initial: PAUSE_INITIAL,
            max: common.settings.reconnect_max,
        };
        tokio::select! {
            () = common.closed.cancelled() => break,
            () = tokio::time::sleep(backoff.delay(failures, rand::random())) => {}
        }
    }
    served.down(CLOSED);
    common.board.down(role, CLOSED);
}

/// Logs the state of a link: its end, its return, and every minute why it is still down.
struct LinkLog {
    role: Role,
    since: Option<Instant>,
    logged_at: Option<Instant>,
    is_refused: bool,
}

impl LinkLog {
    fn new(role: Role) -> Self {
        Self {
            role,
            since: None,
            logged_at: None,
            is_refused: false,
        }
    }

    /// Logs the end of a connection, which may have ended before it could be used.
    fn log_end(&mut self, ending: &LinkEnd) {
        let role = self.role.as_str();
        self.since.get_or_insert_with(Instant::now);
        if self.is_due() {
            warn!(role, why = %ending.text, "the link to the broker is down: reconnecting");
        }
    }

    fn log_failure(&mut self, error: &BrokerError, publisher_is_up: bool) {
        let role = self.role.as_str();
        let since = *self.since.get_or_insert_with(Instant::now);
        let is_refused = matches!(error, BrokerError::Refused(_));
        // Both links have the same failure, so only the publisher logs it. The consumer has a failure of its own if the
        // publisher is up.
        if self.role == Role::Consumer && !publisher_is_up {
            return;
        }
        if is_refused != self.is_refused {
            (self.is_refused, self.logged_at) = (is_refused, None);
        }
        if self.is_due() {
            let down_s = since.elapsed().as_secs();
            warn!(role, why = %error, down_s, "the broker is unavailable: the relay keeps trying to connect");
        }
    }

    /// Whether the reason must be logged now; if so, it counts as logged. For the publisher each failure is logged
    /// once, because a task that watches [`Board::watch`] logs every minute that nothing can be published.
    fn is_due(&mut self) -> bool {
        let again =
            |logged_at: Instant| self.role == Role::Consumer && logged_at.elapsed() >= LOG_EVERY;
        let is_due = self.logged_at.is_none_or(again);
        if is_due {
            self.logged_at = Some(Instant::now());
        }
        is_due
    }

    fn log_up(&mut self) {
        let role = self.role.as_str();
        match self.since.take() {
            Some(since) => {
                let down_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                info!(role, down_ms, "the link to the broker is up again");
            }
            None => info!(role, "the link to the broker is up"),
        }
        (self.logged_at, self.is_refused) = (None, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how often a failure is logged in three minutes, with one failure per second.
    async fn count_logged(mut fail: impl FnMut(&mut LinkLog), role: Role) -> usize {
        let (mut link_log, mut logged) = (LinkLog::new(role), Vec::new());
        for _ in 0..180 {
            fail(&mut link_log);
            logged.extend(link_log.logged_at);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        logged.dedup();
        logged.len()
    }

    #[tokio::test(start_paused = true)]
    async fn consumer_that_is_refused_while_the_publisher_is_up_is_logged_once_a_minute() {
        let limit = BrokerError::Unavailable("no further connection".to_owned());
        let failed = |link_log: &mut LinkLog| link_log.log_failure(&limit, true);
        assert_eq!(count_logged(failed, Role::Consumer).await, 3);
        let ended = LinkEnd::server_closed("it may not read".to_owned());
        let began = |link_log: &mut LinkLog| link_log.log_end(&ended);
        assert_eq!(count_logged(began, Role::Consumer).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn broker_that_is_unavailable_for_both_links_is_logged_once_by_one() {
        let unavailable = BrokerError::Unavailable("no connection".to_owned());
        let failed = |link_log: &mut LinkLog| link_log.log_failure(&unavailable, false);
        assert_eq!(count_logged(failed, Role::Consumer).await, 0);
        assert_eq!(count_logged(failed, Role::Publisher).await, 1);
    }
}
