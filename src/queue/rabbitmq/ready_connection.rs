//! One connection that is ready for use, and what tells of its end.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use lapin::{Channel, Connection, Event};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::connect::{BrokerError, BrokerSettings, Cut, dial};
use super::ending::LinkEnd;
use super::observer::Role;
use super::topology;

/// How often a connection is looked at for an end that nobody told of.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A connection whose exchanges and queues are there.
pub(super) struct ReadyConnection {
    pub(super) connection: Connection,
    cut: Cut,
    events: Mutex<Events>,
    call_timeout: Duration,
}

type Events = Pin<Box<dyn Stream<Item = Event> + Send>>;

/// What a connection told.
pub(super) enum News {
    Blocked(String),
    Unblocked,
    Ended(LinkEnd),
}

impl ReadyConnection {
    /// Connects and sees to it that everything is there.
    pub(super) async fn open(settings: &BrokerSettings, role: Role) -> Result<Self, BrokerError> {
        let name = format!("meetrelay {}", role.as_str());
        let (connection, cut) = dial(settings, &name).await?;
        // There is one listener: two would share the events between them (lapin 4.12.3, events.rs).
        let events = Mutex::new(Box::pin(connection.events_listener()) as Events);
        let ready_connection = Self {
            connection,
            cut,
            events,
            call_timeout: settings.call_timeout,
        };
        match topology::ensure(&ready_connection.connection, settings).await {
            Ok(()) => Ok(ready_connection),
            Err(error) => {
                ready_connection.close().await;
                Err(error)
            }
        }
    }

    /// Splits off what tells of the connection's fate.
    pub(super) fn watch(&mut self) -> Watch {
        let events = self
            .events
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Watch {
            events: std::mem::replace(events, Box::pin(futures_util::stream::empty())),
            look,
        }
    }

    pub(super) async fn channel(&self) -> Result<Channel, LinkEnd> {
        self.call("open a channel", self.connection.create_channel())
            .await
    }

    /// Awaits `what` of lapin, never longer than a call may take.
    pub(super) async fn call<T>(
        &self,
        name: &str,
        what: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, LinkEnd> {
        match timeout(self.call_timeout, what).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(LinkEnd::from(&error)),
            Err(_) => Err(LinkEnd::timeout(name)),
        }
    }

    /// Ends the connection: in good form when the broker still answers, by force when not.
    pub(super) async fn close(self) {
        let status = self.connection.status();
        // lapin writes nothing while it is blocked, not even a farewell.
        if status.connected() && !status.blocked() {
            let farewell = self.connection.close(200, "done".into());
            let _ = timeout(self.call_timeout, farewell).await;
        }
        self.cut.now();
    }
}

/// Tells of a connection's fate.
pub(super) struct Watch {
    events: Events,
    look: tokio::time::Interval,
}

impl Watch {
    /// The next thing that happens to the connection. Safe to drop at any time.
    pub(super) async fn next(&mut self, connection: &Connection) -> News {
        loop {
            tokio::select! {
                event = self.events.next() => match event {
                    Some(Event::ConnectionBlocked(reason)) => {
                        return News::Blocked(super::connect::broker_text(&reason));
                    }
                    Some(Event::ConnectionUnblocked) => return News::Unblocked,
                    Some(Event::Error(error)) => return News::Ended(LinkEnd::from(&error)),
                    Some(_) => {}
                    None => return News::Ended(LinkEnd::io("the connection is gone")),
                },
                _ = self.look.tick() => {
                    if !connection.status().connected() {
                        return News::Ended(LinkEnd::io("the connection ended without a word"));
                    }
                }
            }
        }
    }
}
