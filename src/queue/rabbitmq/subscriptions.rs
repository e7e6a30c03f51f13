//! What came from the broker and is not settled: what waits here for a receiver, and who has what.
//!
//! A delivery tag is good on one channel of one connection. When the connection ends, everything here is forgotten:
//! the broker hands it out again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::ports::{QueueName, Receipt};

use super::topology::{DEAD, UNROUTED, queue_name};
use super::wire::Arrived;

/// One queue of the broker that messages are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Subscription {
    /// Work.
    Of(QueueName),
    /// What the broker gave up.
    Dead,
    /// What had no route.
    Unrouted,
}

/// How many lanes there are.
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

    /// The broker's name of the queue.
    pub(super) const fn queue(self) -> &'static str {
        match self {
            Self::Of(queue) => queue_name(queue),
            Self::Dead => DEAD,
            Self::Unrouted => UNROUTED,
        }
    }

    pub(super) const fn is_cast_off(self) -> bool {
        matches!(self, Self::Dead | Self::Unrouted)
    }
}

/// A message that is handed out.
#[derive(Debug, Clone)]
pub(super) struct HeldDelivery {
    pub(super) place: BrokerTag,
    pub(super) arrived: Arrived,
}

/// Names a delivery towards the broker.
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
    /// Delivered and not settled, whether handed out or waiting.
    unsettled: u64,
}

struct SubscriptionsState {
    generation: u64,
    subscriptions: [SubscriptionState; SUBSCRIPTIONS],
    held: HashMap<Receipt, HeldDelivery>,
    /// Begins anywhere, so that a receipt of an earlier run names nothing.
    last_receipt: u64,
}

/// All lanes.
pub(super) struct Subscriptions {
    inner: Mutex<SubscriptionsState>,
    news: [Notify; SUBSCRIPTIONS],
    /// Told when a lane is wanted for the first time.
    pub(super) wishes: Notify,
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
            news: Default::default(),
            wishes: Notify::new(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, SubscriptionsState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told when the lane may have something to hand out.
    pub(super) fn news(&self, subscription: Subscription) -> &Notify {
        &self.news[subscription.index()]
    }

    /// Forgets everything and gives the new connection's number.
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

    /// From now on messages of this lane are taken from the broker.
    pub(super) fn want(&self, subscription: Subscription) {
        let is_wanted = &mut self.inner().subscriptions[subscription.index()].is_wanted;
        if !*is_wanted {
            *is_wanted = true;
            self.wishes.notify_one();
        }
    }

    pub(super) fn wanted(&self) -> Vec<Subscription> {
        let inner = self.inner();
        let is_wanted =
            |subscription: &Subscription| inner.subscriptions[subscription.index()].is_wanted;
        Subscription::ALL.into_iter().filter(is_wanted).collect()
    }

    /// The broker delivered a message.
    pub(super) fn arrive(&self, subscription: Subscription, tag: u64, arrived: Arrived) {
        let mut inner = self.inner();
        let state = &mut inner.subscriptions[subscription.index()];
        state.unsettled += 1;
        state.waiting.push_back((tag, arrived));
        drop(inner);
        self.news(subscription).notify_one();
    }

    /// Hands out up to `max` of what waits, oldest first.
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
            let place = BrokerTag {
                generation: *generation,
                subscription,
                tag,
            };
            let arrived_too = arrived.clone();
            held.insert(receipt, HeldDelivery { place, arrived });
            taken.push((receipt, arrived_too));
        }
        let is_more = !waiting.is_empty();
        drop(inner);
        if is_more {
            self.news(subscription).notify_one();
        }
        taken
    }

    /// Voids a receipt: whoever comes second is ignored, and so is whoever comes with one of an earlier connection.
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

    /// How many of a lane wait here, and how many are handed out.
    pub(super) fn count(&self, subscription: Subscription) -> (u64, u64) {
        let inner = self.inner();
        let state = &inner.subscriptions[subscription.index()];
        let waiting = state.waiting.len() as u64;
        (waiting, state.unsettled.saturating_sub(waiting))
    }
}
