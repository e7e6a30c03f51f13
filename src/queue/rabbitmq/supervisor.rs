//! Keeps one connection: makes it, has it served, and makes it again, without end and with growing pauses.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::backoff::Backoff;

use super::connect::{BrokerError, BrokerSettings};
use super::ending::Ending;
use super::link::Board;
use super::observer::Role;
use super::opened::Opened;

/// The longest pause after the first failure.
const PAUSE_INITIAL: Duration = Duration::from_millis(200);
/// A connection that lasted so long was a good one: the pauses begin anew.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// While a link is down, why is logged so often.
const TELL_EVERY: Duration = Duration::from_secs(60);

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
    /// Sets up, calls `up`, works until the end. It must not close the connection itself.
    async fn serve(&mut self, opened: &mut Opened, up: impl FnOnce()) -> Ending;

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

    pub(super) async fn open(&self, role: Role) -> Result<Opened, BrokerError> {
        let _making = self.making.lock().await;
        Opened::open(&self.settings, role).await
    }
}

/// Runs until this process closes. `first` is the outcome of an attempt that was made already.
pub(super) async fn supervise(
    common: &Common,
    role: Role,
    mut first: Option<Result<Opened, BrokerError>>,
    mut served: impl Serve,
) {
    let mut trouble = Trouble::new(role);
    let mut failures = 0_u32;
    loop {
        let opening = async {
            match first.take() {
                Some(first) => first,
                None => common.open(role).await,
            }
        };
        let opened = tokio::select! {
            biased;
            () = common.closed.cancelled() => break,
            opened = opening => opened,
        };
        let ending = match opened {
            Err(error) => {
                trouble.failed(&error);
                Ending::from(&error)
            }
            Ok(mut opened) => {
                let began = Instant::now();
                let up = || {
                    common.board.up(role);
                    trouble.over();
                };
                let ending = served.serve(&mut opened, up).await;
                if began.elapsed() >= GOOD_AFTER {
                    failures = 0;
                }
                served.down(&ending.text);
                common.board.down(role, &ending.text);
                opened.close().await;
                if ending.is_own {
                    break;
                }
                trouble.began(&ending);
                ending
            }
        };
        served.down(&ending.text);
        common.board.down(role, &ending.text);
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
    served.down("closed by this process");
    common.board.down(role, "closed by this process");
}

/// What is logged about a link: its end, its return, and once a minute why it is still down.
struct Trouble {
    role: Role,
    since: Option<Instant>,
    told: Option<Instant>,
    is_refused: bool,
}

impl Trouble {
    fn new(role: Role) -> Self {
        Self {
            role,
            since: None,
            told: None,
            is_refused: false,
        }
    }

    fn began(&mut self, ending: &Ending) {
        let role = self.role.as_str();
        if self.since.is_none() {
            warn!(role, why = %ending.text, "the link to the broker is down: it is made again");
            let now = Instant::now();
            (self.since, self.told) = (Some(now), Some(now));
        }
    }

    fn failed(&mut self, error: &BrokerError) {
        let now = Instant::now();
        let role = self.role.as_str();
        let since = *self.since.get_or_insert(now);
        let is_refused = matches!(error, BrokerError::Refused(_));
        let is_news = self.told.is_none() || is_refused != self.is_refused;
        let is_due = self
            .told
            .is_none_or(|told| now.duration_since(told) >= TELL_EVERY);
        self.is_refused = is_refused;
        // Both links have the same trouble: one of them tells.
        if self.role == Role::Publisher && (is_news || is_due) {
            let down_s = now.duration_since(since).as_secs();
            warn!(role, why = %error, down_s, "the broker is away: messages are taken when it is back");
            self.told = Some(now);
        }
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
