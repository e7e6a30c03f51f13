//! The state of the two links, for the readiness check and for callers that wait for a link.

use std::sync::Arc;

use tokio::sync::watch;

use super::observer::{AmqpObserver, Role};

/// The reason why the links are down before the first attempt.
pub(super) const NOT_YET: &str = "not connected yet";

/// One of the two links.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkState {
    /// Connected and set up.
    pub is_up: bool,
    /// Connected, but the broker accepts no messages for now.
    pub is_blocked: bool,
    /// Why the link is down or blocked, without any secret. `None` if it is usable.
    pub reason: Option<String>,
}

impl LinkState {
    /// Up and not blocked.
    pub fn is_usable(&self) -> bool {
        self.is_up && !self.is_blocked
    }
}

/// The states of both links.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkStates {
    /// The link that publishes messages.
    pub publisher: LinkState,
    /// The link that receives messages.
    pub consumer: LinkState,
}

impl LinkStates {
    /// Whether each link is up or had a failed attempt.
    pub(super) fn are_tried(&self) -> bool {
        let is_tried = |link: &LinkState| link.reason.as_deref() != Some(NOT_YET);
        is_tried(&self.publisher) && is_tried(&self.consumer)
    }

    fn of(&mut self, role: Role) -> &mut LinkState {
        match role {
            Role::Publisher => &mut self.publisher,
            Role::Consumer => &mut self.consumer,
        }
    }
}

/// Stores the states of the links and notifies the observer of changes.
pub(super) struct Board {
    states: watch::Sender<LinkStates>,
    observer: Arc<dyn AmqpObserver>,
}

impl Board {
    pub(super) fn new(observer: Arc<dyn AmqpObserver>) -> Self {
        let not_yet = LinkState {
            reason: Some(NOT_YET.to_owned()),
            ..LinkState::default()
        };
        let states = watch::Sender::new(LinkStates {
            publisher: not_yet.clone(),
            consumer: not_yet,
        });
        Self { states, observer }
    }

    pub(super) fn watch(&self) -> watch::Receiver<LinkStates> {
        self.states.subscribe()
    }

    pub(super) fn observer(&self) -> &dyn AmqpObserver {
        &*self.observer
    }

    pub(super) fn up(&self, role: Role) {
        self.set(
            role,
            LinkState {
                is_up: true,
                ..LinkState::default()
            },
        );
        self.observer.connected(role, true);
    }

    pub(super) fn down(&self, role: Role, reason: &str) {
        self.set(
            role,
            LinkState {
                reason: Some(reason.to_owned()),
                ..LinkState::default()
            },
        );
        self.observer.connected(role, false);
    }

    /// Sets the state of the publisher, the only link that can be blocked.
    pub(super) fn blocked(&self, reason: Option<&str>) {
        let link = LinkState {
            is_up: true,
            is_blocked: reason.is_some(),
            reason: reason.map(|reason| format!("the broker blocks publishers: {reason}")),
        };
        self.set(Role::Publisher, link);
    }

    fn set(&self, role: Role, link: LinkState) {
        let is_blocked = link.is_blocked;
        let mut was_blocked = is_blocked;
        self.states.send_if_modified(|states| {
            let old = states.of(role);
            was_blocked = old.is_blocked;
            let is_new = *old != link;
            *old = link;
            is_new
        });
        if was_blocked != is_blocked {
            self.observer.blocked(is_blocked);
        }
    }
}
