//! The consuming side: one channel and one consumer for each subscription that is wanted, and the acknowledgements for
//! all of them.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use futures_util::stream::{SelectAll, StreamExt as _};
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, message::Delivery};
use tokio::sync::{mpsc, oneshot};

use super::ending::LinkEnd;
use super::link_state::NOT_YET;
use super::ready_connection::{ConnectionEvent, ReadyConnection};
use super::subscriptions::{BrokerTag, SUBSCRIPTIONS, Subscription, Subscriptions};
use super::supervisor::{CLOSED, Common, Serve};
use super::topology::DELAYS;
use super::wire::Arrived;

/// Most requests that wait for the link's task. Further ones wait with their callers.
const REQUESTS_MAX: usize = 256;
/// Most requests whose acknowledgements are written together.
const TOGETHER_MAX: usize = 64;

/// How a delivery is settled with the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledgement {
    /// The broker deletes the message.
    Ack,
    /// The broker delivers the message again, marked as redelivered.
    Requeue,
}

/// Deliveries to settle, and the caller that waits until the frames are written.
struct Settling {
    verdicts: Vec<(BrokerTag, Acknowledgement)>,
    written: oneshot::Sender<()>,
}

/// A request to the link's task.
enum ConsumerRequest {
    Settle(Settling),
    Count(oneshot::Sender<BrokerCounts>),
}

/// The message counts of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BrokerCounts {
    pub(super) ready: [u64; SUBSCRIPTIONS],
    pub(super) delayed: u64,
}

enum ConsumerState {
    Open(mpsc::Sender<ConsumerRequest>),
    Shut(String),
}

/// The handle by which callers send requests to the link's task.
pub(super) struct Consumer {
    state: Mutex<ConsumerState>,
    pub(super) subscriptions: Subscriptions,
}

impl Consumer {
    pub(super) fn new() -> Self {
        let state = Mutex::new(ConsumerState::Shut(NOT_YET.to_owned()));
        let subscriptions = Subscriptions::new();
        Self {
            state,
            subscriptions,
        }
    }

    /// Settles deliveries; those of an earlier connection are ignored. An error says why the link is down. The broker
    /// then delivers the messages again.
    pub(super) async fn end(
        &self,
        verdicts: Vec<(BrokerTag, Acknowledgement)>,
    ) -> Result<(), String> {
        let ask = |written| ConsumerRequest::Settle(Settling { verdicts, written });
        self.ask(ask).await
    }

    /// Asks the broker how many messages its queues hold.
    pub(super) async fn count(&self) -> Result<BrokerCounts, String> {
        self.ask(ConsumerRequest::Count).await
    }

    async fn ask<T>(
        &self,
        ask: impl FnOnce(oneshot::Sender<T>) -> ConsumerRequest,
    ) -> Result<T, String> {
        let sender = self.sender()?;
        let (answer, answered) = oneshot::channel();
        let lost = || {
            self.sender()
                .map_or_else(|why| why, |_| "the link to the broker was lost".to_owned())
        };
        sender.send(ask(answer)).await.map_err(|_| lost())?;
        answered.await.map_err(|_| lost())
    }

    fn sender(&self) -> Result<mpsc::Sender<ConsumerRequest>, String> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            ConsumerState::Open(sender) => Ok(sender.clone()),
            ConsumerState::Shut(why) => Err(why.clone()),
        }
    }

    fn set(&self, state: ConsumerState) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// Serves the consumer's connection.
pub(super) struct ConsumerTask {
    consumer: Arc<Consumer>,
    common: Arc<Common>,
}

type Deliveries = SelectAll<futures_util::stream::BoxStream<'static, (Subscription, Item)>>;
/// `None`: the broker cancelled the consumer.
type Item = Option<lapin::Result<Delivery>>;

impl ConsumerTask {
    pub(super) fn new(consumer: Arc<Consumer>, common: Arc<Common>) -> Self {
        Self { consumer, common }
    }

    async fn work(
        &self,
        ready_connection: &mut ReadyConnection,
        up: impl FnOnce(),
    ) -> Result<(), LinkEnd> {
        let subscriptions = &self.consumer.subscriptions;
        let mut watch = ready_connection.watch();
        let mut session = ConsumerSession {
            task: self,
            ready_connection,
            generation: subscriptions.begin(),
            channels: Default::default(),
            deliveries: SelectAll::new(),
        };
        session.open_wanted().await?;
        let (sender, mut requests) = mpsc::channel(REQUESTS_MAX);
        self.consumer.set(ConsumerState::Open(sender));
        up();
        loop {
            tokio::select! {
                biased;
                () = self.common.closed.cancelled() => {
                    self.consumer.set(ConsumerState::Shut(CLOSED.to_owned()));
                    requests.close();
                    return session.finish(&mut requests).await;
                }
                event = watch.next(&session.ready_connection.connection) => {
                    // The broker blocks only connections that publish.
                    if let ConnectionEvent::Ended(ending) = event {
                        return Err(ending);
                    }
                }
                Some(request) = requests.recv() => {
                    session.answer(request, &mut requests).await?;
                }
                Some((subscription, item)) = session.deliveries.next(), if !session.deliveries.is_empty() => {
                    session.take(subscription, item)?;
                }
                () = subscriptions.wanted_changed.notified() => session.open_wanted().await?,
            }
        }
    }
}

impl Serve for ConsumerTask {
    async fn serve(
        &mut self,
        ready_connection: &mut ReadyConnection,
        up: impl FnOnce(),
    ) -> Result<(), LinkEnd> {
        self.work(ready_connection, up).await
    }

    fn down(&mut self, why: &str) {
        self.consumer.set(ConsumerState::Shut(why.to_owned()));
        // The deliveries of this connection are void: the broker delivers them again.
        self.consumer.subscriptions.begin();
    }
}

/// The consumers of one connection.
struct ConsumerSession<'a> {
    task: &'a ConsumerTask,
    ready_connection: &'a ReadyConnection,
    generation: u64,
    channels: [Option<Channel>; SUBSCRIPTIONS],
    deliveries: Deliveries,
}

impl ConsumerSession<'_> {
    async fn open_wanted(&mut self) -> Result<(), LinkEnd> {
        for subscription in self.task.consumer.subscriptions.wanted() {
            if self.channels[subscription.index()].is_some() {
                continue;
            }
            let channel = self.ready_connection.channel().await?;
            let prefetch = self.task.common.settings.prefetch.max(1);
            let qos = channel.basic_qos(prefetch, BasicQosOptions::default());
            self.ready_connection.call("set the prefetch", qos).await?;
            let consume = channel.basic_consume(
                subscription.queue().into(),
                subscription.queue().into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            );
            let what = format!("consume from {}", subscription.queue());
            let consumer = self.ready_connection.call(&what, consume).await?;
            let end = futures_util::stream::once(async { None });
            let items = consumer.map(Some).chain(end);
            let items = items.map(move |item| (subscription, item)).boxed();
            self.deliveries.push(items);
            self.channels[subscription.index()] = Some(channel);
        }
        Ok(())
    }

    fn take(&self, subscription: Subscription, item: Item) -> Result<(), LinkEnd> {
        match item {
            Some(Ok(delivery)) => {
                let tag = delivery.delivery_tag;
                let arrived = Arrived::read(subscription, delivery);
                self.task
                    .consumer
                    .subscriptions
                    .arrive(subscription, tag, arrived);
                Ok(())
            }
            Some(Err(error)) => Err(LinkEnd::from(&error)),
            None => Err(LinkEnd::server_closed(format!(
                "the broker ended the consumer of {}",
                subscription.queue()
            ))),
        }
    }

    /// Answers one request, together with others of its kind that are already queued.
    async fn answer(
        &mut self,
        first: ConsumerRequest,
        requests: &mut mpsc::Receiver<ConsumerRequest>,
    ) -> Result<(), LinkEnd> {
        let mut settlings = Vec::new();
        let mut next = Some(first);
        while let Some(request) = next.take() {
            match request {
                ConsumerRequest::Settle(settling) => settlings.push(settling),
                ConsumerRequest::Count(answer) => {
                    let counted = self.count().await?;
                    // A caller that stopped waiting does not need the answer.
                    let _ = answer.send(counted);
                }
            }
            if settlings.len() < TOGETHER_MAX {
                next = requests.try_recv().ok();
            }
        }
        if settlings.is_empty() {
            return Ok(());
        }
        let verdicts = settlings.iter().flat_map(|settling| &settling.verdicts);
        self.write(verdicts.copied().collect()).await?;
        for settling in settlings {
            let _ = settling.written.send(());
        }
        Ok(())
    }

    /// Writes the acknowledgements, one frame each. lapin sends all pending frames in one write.
    async fn write(&mut self, verdicts: Vec<(BrokerTag, Acknowledgement)>) -> Result<(), LinkEnd> {
        let mut writing = Vec::new();
        for (broker_tag, verdict) in verdicts {
            if broker_tag.generation != self.generation {
                continue;
            }
            let Some(channel) = &self.channels[broker_tag.subscription.index()] else {
                continue;
            };
            self.task
                .consumer
                .subscriptions
                .settle(broker_tag.subscription);
            writing.push(match verdict {
                Acknowledgement::Ack => channel
                    .basic_ack(broker_tag.tag, BasicAckOptions::default())
                    .boxed(),
                Acknowledgement::Requeue => {
                    let options = BasicNackOptions {
                        requeue: true,
                        multiple: false,
                    };
                    channel.basic_nack(broker_tag.tag, options).boxed()
                }
            });
        }
        let written = async {
            join_all(writing)
                .await
                .into_iter()
                .collect::<lapin::Result<Vec<()>>>()
        };
        // lapin may never answer after the broker was killed (src/queue/rabbitmq/README.md, "Calls that never return").
        self.ready_connection
            .call("acknowledge", written)
            .await
            .map(drop)
    }

    /// Counts on a channel of its own, because a missing queue closes the channel.
    async fn count(&mut self) -> Result<BrokerCounts, LinkEnd> {
        let channel = self.ready_connection.channel().await?;
        let mut counted = BrokerCounts {
            ready: [0; SUBSCRIPTIONS],
            delayed: 0,
        };
        for subscription in Subscription::ALL {
            counted.ready[subscription.index()] =
                self.count_one(&channel, subscription.queue()).await?;
        }
        for rung in DELAYS {
            counted.delayed += self.count_one(&channel, rung.name).await?;
        }
        let close = channel.close(200, "done".into());
        self.ready_connection.call("close a channel", close).await?;
        Ok(counted)
    }

    async fn count_one(&mut self, channel: &Channel, queue: &'static str) -> Result<u64, LinkEnd> {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let declare = channel.queue_declare(queue.into(), options, FieldTable::default());
        let what = format!("count the messages of {queue}");
        let declared = self.ready_connection.call(&what, declare).await?;
        Ok(u64::from(declared.message_count()))
    }

    /// Cancels the consumers, writes the pending acknowledgements and answers their callers.
    async fn finish(
        &mut self,
        requests: &mut mpsc::Receiver<ConsumerRequest>,
    ) -> Result<(), LinkEnd> {
        for subscription in Subscription::ALL {
            if let Some(channel) = &self.channels[subscription.index()] {
                let options = BasicCancelOptions::default();
                let cancel = channel.basic_cancel(subscription.queue().into(), options);
                self.ready_connection
                    .call("stop the deliveries", cancel)
                    .await?;
            }
        }
        while let Ok(request) = requests.try_recv() {
            self.answer(request, requests).await?;
        }
        Ok(())
    }
}
