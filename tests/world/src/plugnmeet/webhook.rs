//! The webhook sender: one worker a room, three attempts, no timeout, nothing kept over a restart
//! (src/plugnmeet/README.md, "Webhook delivery").

mod delivery;
mod event;
mod sender;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

pub use delivery::{Attempt, DELIVERIES_KEPT, Delivery, Held, Outcome};
pub(crate) use event::{RoomPart, short_id};

use super::state::Shared;

/// One event on its way to its URLs.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) room_id: String,
    pub(crate) sid: String,
    pub(crate) body: Arc<str>,
    /// The room's own URL, if it has one.
    pub(crate) room_url: Option<String>,
    /// Bypasses the room's queue: recording_proceeded and summaries.
    pub(crate) forced: bool,
}

/// An event with the log numbers of its deliveries and their URLs.
struct Queued {
    outgoing: Outgoing,
    deliveries: Vec<(u64, String)>,
}

struct Worker {
    queue: mpsc::UnboundedSender<Queued>,
    task: AbortHandle,
}

/// An instruction for the next `times` events (`None`: all) whose name starts with `prefix`.
struct Order {
    prefix: String,
    times: Option<u32>,
}

/// All queues of the sender and what tests told it.
pub(crate) struct Webhooks {
    client: reqwest::Client,
    queues: Mutex<Queues>,
}

#[derive(Default)]
struct Queues {
    global_url: Option<String>,
    per_room: bool,
    down: bool,
    workers: HashMap<String, Worker>,
    forced: Vec<AbortHandle>,
    holding: bool,
    held: Vec<Outgoing>,
    drops: Vec<Order>,
    doubles: Vec<Order>,
    log: BTreeMap<u64, Delivery>,
    next: u64,
}

impl Webhooks {
    /// A sender with the URLs of the server's configuration.
    pub(crate) fn new(global_url: Option<String>, per_room: bool) -> anyhow::Result<Self> {
        let queues = Queues {
            global_url,
            per_room,
            ..Queues::default()
        };
        Ok(Self {
            client: sender::client()?,
            queues: Mutex::new(queues),
        })
    }

    /// Puts an event on its way, unless it is to be held, lost or doubled.
    pub(crate) fn send(&self, shared: &Arc<Shared>, outgoing: Outgoing) {
        let mut queues = self.lock();
        if take(&mut queues.drops, &outgoing.event) {
            let deliveries = queues.log_deliveries(&outgoing);
            return queues.finish(&deliveries, Outcome::Lost);
        }
        let times = 1 + usize::from(take(&mut queues.doubles, &outgoing.event));
        for _ in 0..times {
            if queues.holding {
                queues.held.push(outgoing.clone());
            } else {
                queues.enqueue(shared, outgoing.clone());
            }
        }
    }

    /// Changes the URLs of the server's configuration.
    pub(crate) fn configure(&self, global_url: Option<String>, per_room: bool) {
        let mut queues = self.lock();
        queues.global_url = global_url;
        queues.per_room = per_room;
    }

    /// Loses the next `times` events (`None`: all from now on) whose name starts with `prefix`.
    pub(crate) fn lose(&self, prefix: &str, times: Option<u32>) {
        self.lock().drops.push(Order {
            prefix: prefix.to_owned(),
            times,
        });
    }

    /// Sends the next `times` events (`None`: all) whose name starts with `prefix` twice, with the same id.
    pub(crate) fn double(&self, prefix: &str, times: Option<u32>) {
        self.lock().doubles.push(Order {
            prefix: prefix.to_owned(),
            times,
        });
    }

    /// Loses and doubles nothing more.
    pub(crate) fn behave(&self) {
        let mut queues = self.lock();
        queues.drops.clear();
        queues.doubles.clear();
    }

    /// Whether events are kept back from now on. Those held stay held.
    pub(crate) fn hold(&self, holding: bool) {
        self.lock().holding = holding;
    }

    /// The events kept back, in the order they happened.
    pub(crate) fn held(&self) -> Vec<Held> {
        self.lock().held.iter().map(Held::of).collect()
    }

    /// Sends the held events with these places in [`Webhooks::held`], in the order given; the others stay held.
    /// A place given twice is sent twice.
    pub(crate) fn release(&self, shared: &Arc<Shared>, places: &[usize]) {
        let mut queues = self.lock();
        let chosen: Vec<Outgoing> = places
            .iter()
            .filter_map(|place| queues.held.get(*place).cloned())
            .collect();
        let mut place = 0;
        queues.held.retain(|_| {
            place += 1;
            !places.contains(&(place - 1))
        });
        for outgoing in chosen {
            queues.enqueue(shared, outgoing);
        }
    }

    /// Sends a logged event once more, with the same id and a new token.
    pub(crate) fn repeat(&self, shared: &Arc<Shared>, id: &str) -> bool {
        let mut queues = self.lock();
        let Some(outgoing) = queues
            .log
            .values()
            .find(|delivery| delivery.id == id)
            .map(Delivery::outgoing)
        else {
            return false;
        };
        queues.enqueue(shared, outgoing);
        true
    }

    /// Loses what waits for one room, as a cleanup of the room with a slow receiver does
    /// (src/plugnmeet/README.md, "Lost webhooks").
    pub(crate) fn lose_queued(&self, room_id: &str) {
        let mut queues = self.lock();
        if let Some(worker) = queues.workers.remove(room_id) {
            worker.task.abort();
        }
        queues.lose_waiting(|delivery| delivery.room_id == room_id);
    }

    /// The server process ends or starts: what was queued or being retried is lost.
    pub(crate) fn set_down(&self, down: bool) {
        let mut queues = self.lock();
        queues.down = down;
        if down {
            queues
                .workers
                .drain()
                .for_each(|(_, worker)| worker.task.abort());
            queues.forced.drain(..).for_each(|task| task.abort());
            queues.lose_waiting(|_| true);
        }
    }

    /// The newest deliveries, oldest first.
    pub(crate) fn log(&self) -> Vec<Delivery> {
        self.lock().log.values().cloned().collect()
    }

    /// The newest deliveries of one room, oldest first.
    pub(crate) fn log_of(&self, room_id: &str) -> Vec<Delivery> {
        let queues = self.lock();
        let of_room = |delivery: &&Delivery| delivery.room_id == room_id;
        queues.log.values().filter(of_room).cloned().collect()
    }

    /// Whether every delivery has come to its end.
    pub(crate) fn is_settled(&self) -> bool {
        self.lock()
            .log
            .values()
            .all(|delivery| delivery.outcome != Outcome::Waiting)
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    fn enqueue(&mut self, shared: &Arc<Shared>, outgoing: Outgoing) {
        let deliveries = self.log_deliveries(&outgoing);
        if self.down {
            return self.finish(&deliveries, Outcome::Lost);
        }
        if deliveries.is_empty() {
            return;
        }
        let queued = Queued {
            outgoing,
            deliveries,
        };
        if queued.outgoing.forced {
            let shared = Arc::clone(shared);
            self.forced.retain(|task| !task.is_finished());
            self.forced.push(
                tokio::spawn(async move { sender::deliver(&shared, queued).await }).abort_handle(),
            );
            return;
        }
        let worker = self
            .workers
            .entry(queued.outgoing.room_id.clone())
            .or_insert_with(|| start_worker(shared));
        // The worker ends only by abort, which removes it from the map; a failure here means a lost event, as there.
        let _ = worker.queue.send(queued);
    }

    // Global URL first, then the room's.
    fn log_deliveries(&mut self, outgoing: &Outgoing) -> Vec<(u64, String)> {
        let room_url = outgoing.room_url.clone().filter(|_| self.per_room);
        let urls: Vec<String> = self
            .global_url
            .clone()
            .into_iter()
            .chain(room_url)
            .collect();
        urls.into_iter()
            .map(|url| {
                let number = self.next;
                self.next += 1;
                self.log
                    .insert(number, Delivery::new(number, outgoing, &url));
                if self.log.len() > DELIVERIES_KEPT {
                    self.log.pop_first();
                }
                (number, url)
            })
            .collect()
    }

    fn finish(&mut self, deliveries: &[(u64, String)], outcome: Outcome) {
        for (number, _) in deliveries {
            if let Some(delivery) = self.log.get_mut(number) {
                delivery.outcome = outcome;
            }
        }
    }

    fn lose_waiting(&mut self, mut which: impl FnMut(&Delivery) -> bool) {
        for delivery in self.log.values_mut() {
            if delivery.outcome == Outcome::Waiting && which(delivery) {
                delivery.outcome = Outcome::Lost;
            }
        }
    }
}

fn start_worker(shared: &Arc<Shared>) -> Worker {
    let (queue, mut queued) = mpsc::unbounded_channel();
    let shared = Arc::clone(shared);
    let task = tokio::spawn(async move {
        while let Some(next) = queued.recv().await {
            sender::deliver(&shared, next).await;
        }
    });
    Worker {
        queue,
        task: task.abort_handle(),
    }
}

fn take(orders: &mut Vec<Order>, event: &str) -> bool {
    let Some(at) = orders
        .iter()
        .position(|order| event.starts_with(&order.prefix))
    else {
        return false;
    };
    if let Some(times) = &mut orders[at].times {
        *times = times.saturating_sub(1);
        if *times == 0 {
            orders.remove(at);
        }
    }
    true
}
