//! Keeps one connection: makes it, has it served, and makes it again, without end and with growing pauses.

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
/// A connection that lasted so long was a good one: the pauses begin anew.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// While the consumer alone is down, why is logged so often.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Why a link is down that this process ended.
pub(super) const CLOSED: &str = "closed by this process";

/// What both supervisors share.
pub(super) struct Common {
    pub(super) settings: BrokerSettings,
    pub(super) board: Board,
    pub(super) closed: CancellationToken,
    /// Held while exchanges and queues are made, so that two connections never make the same one at once.
    making: Mutex<()>,
}

/// What is done with a connection while it lasts.
pub(super) trait Serve {
    /// Sets up, calls `up`, works until the end; `Ok` when this process closes. It must not close the connection itself.
    async fn serve(
        &mut self,
        ready_connection: &mut ReadyConnection,
        up: impl FnOnce(),
    ) -> Result<(), LinkEnd>;

    /// The link is down, and why.
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

/// Runs until this process closes. `first` is the outcome of an attempt that was made already.
pub(super) async fn supervise(
    common: &Common,
    role: Role,
    mut first: Option<Result<ReadyConnection, BrokerError>>,
    mut served: impl Serve,
) {
    let mut trouble = LinkLog::new(role);
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
                trouble.failed(&error, publisher_is_up);
                let ending = LinkEnd::from(&error);
                served.down(&ending.text);
                common.board.down(role, &ending.text);
                ending
            }
            Ok(mut ready_connection) => {
                let began = Instant::now();
                let up = || {
                    common.board.up(role);
                    trouble.over();
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
                trouble.began(&ending);
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

/// What is logged about a link: its end, its return, and once a minute why it is still down.
struct LinkLog {
    role: Role,
    since: Option<Instant>,
    told: Option<Instant>,
    is_refused: bool,
}

impl LinkLog {
    fn new(role: Role) -> Self {
        Self {
            role,
            since: None,
            told: None,
            is_refused: false,
        }
    }

    /// The connection was made and ended, perhaps before it could be used.
    fn began(&mut self, ending: &LinkEnd) {
        let role = self.role.as_str();
        self.since.get_or_insert_with(Instant::now);
        if self.is_due() {
            warn!(role, why = %ending.text, "the link to the broker is down: it is made again");
        }
    }

    fn failed(&mut self, error: &BrokerError, publisher_is_up: bool) {
        let role = self.role.as_str();
        let since = *self.since.get_or_insert_with(Instant::now);
        let is_refused = matches!(error, BrokerError::Refused(_));
        // Both links have the same trouble: one of them tells. The consumer has its own when the other is up.
        if self.role == Role::Consumer && !publisher_is_up {
            return;
        }
        if is_refused != self.is_refused {
            (self.is_refused, self.told) = (is_refused, None);
        }
        if self.is_due() {
            let down_s = since.elapsed().as_secs();
            warn!(role, why = %error, down_s, "the broker is away: messages are taken when it is back");
        }
    }

    /// Whether why is to be told now; if so, it counts as told. Of the publisher each trouble once: that nothing can
    /// be published is told every minute by whoever watches [`Board::watch`].
    fn is_due(&mut self) -> bool {
        let again = |told: Instant| self.role == Role::Consumer && told.elapsed() >= TELL_EVERY;
        let is_due = self.told.is_none_or(again);
        if is_due {
            self.told = Some(Instant::now());
        }
        is_due
    }

    fn over(&mut self) {
        let role = self.role.as_str();
        match self.since.take() {
            Some(since) => {
                let down_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                info!(role, down_ms, "the link to the broker is back");
            }
            None => info!(role, "the link to the broker is up"),
        }
        (self.told, self.is_refused) = (None, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it is told of in three minutes, one failure a second.
    async fn told(mut fail: impl FnMut(&mut LinkLog), role: Role) -> usize {
        let (mut trouble, mut told) = (LinkLog::new(role), Vec::new());
        for _ in 0..180 {
            fail(&mut trouble);
            told.extend(trouble.told);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        told.dedup();
        told.len()
    }

    #[tokio::test(start_paused = true)]
    async fn consumer_that_is_refused_beside_a_good_publisher_is_told_once_a_minute() {
        let limit = BrokerError::Unavailable("no further connection".to_owned());
        let failed = |trouble: &mut LinkLog| trouble.failed(&limit, true);
        assert_eq!(told(failed, Role::Consumer).await, 3);
        let ended = LinkEnd::server_closed("it may not read".to_owned());
        let began = |trouble: &mut LinkLog| trouble.began(&ended);
        assert_eq!(told(began, Role::Consumer).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn broker_that_is_away_for_both_links_is_told_once_by_one() {
        let away = BrokerError::Unavailable("no connection".to_owned());
        let failed = |trouble: &mut LinkLog| trouble.failed(&away, false);
        assert_eq!(told(failed, Role::Consumer).await, 0);
        assert_eq!(told(failed, Role::Publisher).await, 1);
    }
}
