//! The deliveries that are not settled: those that wait here for a receiver, and those that a receiver holds.
//!
//! A delivery tag is valid on one channel of one connection. When the connection ends, all state here is dropped,
//! because the broker delivers the messages again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::ports::{QueueName, Receipt};

use super::topology::{DEAD, UNROUTED, queue_name};
use super::wire::Arrived;

/// One queue of the broker from which messages are consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Subscription {
    /// A queue of the relay.
    Of(QueueName),
    /// The messages that were delivered too often.
    Dead,
    /// The messages that had no route.
    Unrouted,
}

/// The number of subscriptions.
pub(super) const SUBSCRIPTIONS: usize = 6;

impl Subscription {
    pub(super) const ALL: [Self; SUBSCRIPTIONS] = [
        Self::Of(QueueName::Events),
        Self::Of(QueueName::Conference),
        Self::Of(QueueName::Chat),
        Self::Of(QueueName::ChatLater),
        Self::Dead,
        Self::Unrouted,
    ];

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Of(QueueName::Events) => 0,
            Self::Of(QueueName::Conference) => 1,
            Self::Of(QueueName::Chat) => 2,
            Self::Of(QueueName::ChatLater) => 3,
            Self::Dead => 4,
            Self::Unrouted => 5,
        }
    }

    /// The name of the queue in the broker.
    pub(super) const fn queue(self) -> &'static str {
        match self {
            Self::Of(queue) => queue_name(queue),
            Self::Dead => DEAD,
            Self::Unrouted => UNROUTED,
        }
    }

    pub(super) const fn holds_returned(self) -> bool {
        matches!(self, Self::Dead | Self::Unrouted)
    }
}

/// A message that a receiver holds.
#[derive(Debug, Clone)]
pub(super) struct HeldDelivery {
    pub(super) broker_tag: BrokerTag,
    pub(super) arrived: Arrived,
}

/// Identifies a delivery to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BrokerTag {
    pub(super) generation: u64,
    pub(super) subscription: Subscription,
    pub(super) tag: u64,
}

#[derive(Default)]
struct SubscriptionState {
    is_wanted: bool,
    waiting: VecDeque<(u64, Arrived)>,
    /// Delivered by the broker and not settled, whether a receiver holds the message or it waits.
    unsettled: u64,
}

struct SubscriptionsState {
    generation: u64,
    subscriptions: [SubscriptionState; SUBSCRIPTIONS],
    held: HashMap<Receipt, HeldDelivery>,
    /// Starts at a random number, so that a receipt of an earlier run matches no delivery.
    last_receipt: u64,
}

/// The state of all subscriptions.
pub(super) struct Subscriptions {
    inner: Mutex<SubscriptionsState>,
    wakeups: [Notify; SUBSCRIPTIONS],
    /// Notified when a subscription is wanted for the first time.
    pub(super) wanted_changed: Notify,
}

impl Subscriptions {
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::new(SubscriptionsState {
                generation: 0,
                subscriptions: Default::default(),
                held: HashMap::new(),
                last_receipt: rand::random(),
            }),
            wakeups: Default::default(),
            wanted_changed: Notify::new(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, SubscriptionsState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notified when the subscription may have a message for a receiver.
    pub(super) fn wakeup(&self, subscription: Subscription) -> &Notify {
        &self.wakeups[subscription.index()]
    }

    /// Drops all state and returns the number of the new connection.
    pub(super) fn begin(&self) -> u64 {
        let mut inner = self.inner();
        inner.generation += 1;
        inner.held.clear();
        for subscription in &mut inner.subscriptions {
            subscription.waiting.clear();
            subscription.unsettled = 0;
        }
        inner.generation
    }

    /// Marks a subscription as wanted, so that the link consumes its messages.
    pub(super) fn want(&self, subscription: Subscription) {
        let is_wanted = &mut self.inner().subscriptions[subscription.index()].is_wanted;
        if !*is_wanted {
            *is_wanted = true;
            self.wanted_changed.notify_one();
        }
    }

    pub(super) fn wanted(&self) -> Vec<Subscription> {
        let inner = self.inner();
        let is_wanted =
            |subscription: &Subscription| inner.subscriptions[subscription.index()].is_wanted;
        Subscription::ALL.into_iter().filter(is_wanted).collect()
    }

    /// Stores a message that the broker delivered.
    pub(super) fn arrive(&self, subscription: Subscription, tag: u64, arrived: Arrived) {
        let mut inner = self.inner();
        let state = &mut inner.subscriptions[subscription.index()];
        state.unsettled += 1;
        state.waiting.push_back((tag, arrived));
        drop(inner);
        self.wakeup(subscription).notify_one();
    }

    /// Returns up to `max` of the waiting messages, oldest first.
    pub(super) fn take(&self, subscription: Subscription, max: usize) -> Vec<(Receipt, Arrived)> {
        let mut inner = self.inner();
        let SubscriptionsState {
            generation,
            subscriptions,
            held,
            last_receipt,
        } = &mut *inner;
        let waiting = &mut subscriptions[subscription.index()].waiting;
        let count = max.min(waiting.len());
        let mut taken = Vec::with_capacity(count);
        for (tag, arrived) in waiting.drain(..count) {
            *last_receipt = last_receipt.wrapping_add(1);
            let receipt = Receipt(*last_receipt);
            let broker_tag = BrokerTag {
                generation: *generation,
                subscription,
                tag,
            };
            let arrived_copy = arrived.clone();
            held.insert(
                receipt,
                HeldDelivery {
                    broker_tag,
                    arrived,
                },
            );
            taken.push((receipt, arrived_copy));
        }
        let is_more = !waiting.is_empty();
        drop(inner);
        if is_more {
            self.wakeup(subscription).notify_one();
        }
        taken
    }

    /// Voids a receipt. A second claim with it returns `None`, and so does a receipt of an earlier connection.
    pub(super) fn claim(&self, receipt: Receipt) -> Option<HeldDelivery> {
        self.inner().held.remove(&receipt)
    }

    pub(super) fn is_current(&self, generation: u64) -> bool {
        self.inner().generation == generation
    }

    /// Counts a claimed delivery of this connection as settled. Each receipt is claimed once, so each is counted once.
    pub(super) fn settle(&self, subscription: Subscription) {
        let unsettled = &mut self.inner().subscriptions[subscription.index()].unsettled;
        *unsettled = unsettled.saturating_sub(1);
    }

    /// How many messages of a subscription wait here, and how many are held by receivers.
    pub(super) fn count(&self, subscription: Subscription) -> (u64, u64) {
        let inner = self.inner();
        let state = &inner.subscriptions[subscription.index()];
        let waiting = state.waiting.len() as u64;
        (waiting, state.unsettled.saturating_sub(waiting))
    }
}
