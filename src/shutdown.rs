//! The signals of the process. The first SIGTERM or SIGINT begins the drain, and a second one ends the process at once.
//! SIGHUP reloads the configuration.
//!
//! Every part holds a [`Shutdown`]. It accepts no new work once [`Shutdown::requested`] resolves, and abandons work in
//! flight when [`Shutdown::expired`] resolves.

mod notify;

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use notify::ServiceManager;

/// The request to stop, and its deadline. Clones share both.
#[derive(Debug, Clone)]
pub struct Shutdown {
    drain: CancellationToken,
    expired: CancellationToken,
    timeout: Duration,
}

impl Shutdown {
    /// No stop is requested yet. Once one is, work in flight has `timeout` to finish.
    pub fn new(timeout: Duration) -> Self {
        Self {
            drain: CancellationToken::new(),
            expired: CancellationToken::new(),
            timeout,
        }
    }

    /// Begins the drain; a second call changes nothing. Needs a running runtime.
    #[expect(
        clippy::disallowed_methods,
        reason = "it only waits for the deadline, and ends with it"
    )]
    pub fn request(&self) {
        if self.drain.is_cancelled() {
            return;
        }
        self.drain.cancel();
        let deadline = Instant::now() + self.timeout;
        let expired = self.expired.clone();
        tokio::spawn(async move {
            tokio::time::sleep_until(deadline).await;
            expired.cancel();
        });
    }

    /// Resolves when the drain begins.
    pub async fn requested(&self) {
        self.drain.cancelled().await;
    }

    /// Resolves when the time for work in flight is over.
    pub async fn expired(&self) {
        self.expired.cancelled().await;
    }

    /// How long work in flight may take after the drain began.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// SIGHUP of this process, which asks it to reload the configuration. Several at once count as one.
#[derive(Debug)]
pub struct Hangups(Signal);

impl Hangups {
    /// Handles the signal from now on. By default it would end the process.
    ///
    /// # Errors
    /// The system refuses.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Resolves at the next SIGHUP.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// SIGTERM and SIGINT of this process.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Handles both signals from now on.
    ///
    /// # Errors
    /// The system refuses.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Resolves at the next of the two signals, with its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Begins the drain at the first signal. Resolves at the second one, when the process should end at once.
    pub async fn drive(mut self, shutdown: Shutdown) {
        let first = self.next().await;
        let drain = shutdown.timeout();
        tracing::info!(signal = first, drain_s = drain.as_secs(), "stop requested");
        shutdown.request();
        let second = self.next().await;
        tracing::warn!(signal = second, "second stop requested: ending at once");
    }
}
