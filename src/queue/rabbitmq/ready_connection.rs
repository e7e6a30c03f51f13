//! One connection that is ready for use, and the events that end or block it.

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

/// The interval at which a connection is checked for an end that no event reported.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// A connection to a broker in which all exchanges and queues exist.
pub(super) struct ReadyConnection {
    pub(super) connection: Connection,
    cut: Cut,
    events: Mutex<Events>,
    call_timeout: Duration,
}

type Events = Pin<Box<dyn Stream<Item = Event> + Send>>;

/// An event of a connection.
pub(super) enum ConnectionEvent {
    Blocked(String),
    Unblocked,
    Ended(LinkEnd),
}

impl ReadyConnection {
    /// Connects, and creates or checks exchanges and queues.
    pub(super) async fn open(settings: &BrokerSettings, role: Role) -> Result<Self, BrokerError> {
        let name = format!("meetrelay {}", role.as_str());
        let (connection, cut) = dial(settings, &name).await?;
        // Only one listener is used: two would share the events between them (lapin 4.12.3, events.rs).
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

    /// Takes the stream of the connection's events.
    pub(super) fn watch(&mut self) -> Watch {
        let events = self
            .events
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let mut status_check = interval(CHECK_EVERY);
        status_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Watch {
            events: std::mem::replace(events, Box::pin(futures_util::stream::empty())),
            status_check,
        }
    }

    pub(super) async fn channel(&self) -> Result<Channel, LinkEnd> {
        self.call("open a channel", self.connection.create_channel())
            .await
    }

    /// Awaits a call of lapin, for at most [`BrokerSettings::call_timeout`].
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

    /// Ends the connection: with an AMQP close if the broker still answers, otherwise by force.
    pub(super) async fn close(self) {
        let status = self.connection.status();
        // lapin writes nothing while the connection is blocked, not even a close.
        if status.connected() && !status.blocked() {
            let close = self.connection.close(200, "done".into());
            let _ = timeout(self.call_timeout, close).await;
        }
        self.cut.now();
    }
}

/// Waits for the events of a connection.
pub(super) struct Watch {
    events: Events,
    status_check: tokio::time::Interval,
}

impl Watch {
    /// Waits for the next event of the connection. Safe to drop at any time.
    pub(super) async fn next(&mut self, connection: &Connection) -> ConnectionEvent {
        loop {
            tokio::select! {
                event = self.events.next() => match event {
                    Some(Event::ConnectionBlocked(reason)) => {
                        return ConnectionEvent::Blocked(super::connect::broker_text(&reason));
                    }
                    Some(Event::ConnectionUnblocked) => return ConnectionEvent::Unblocked,
                    Some(Event::Error(error)) => return ConnectionEvent::Ended(LinkEnd::from(&error)),
                    Some(_) => {}
                    None => return ConnectionEvent::Ended(LinkEnd::io("the connection is gone")),
                },
                _ = self.status_check.tick() => {
                    if !connection.status().connected() {
                        return ConnectionEvent::Ended(LinkEnd::io("the connection ended without an error"));
                    }
                }
            }
        }
    }
}
