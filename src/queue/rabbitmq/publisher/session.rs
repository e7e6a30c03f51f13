//! The publisher's channel while its connection lasts.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt as _, poll};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::ports::PublishError;

use super::super::ending::LinkEnd;
use super::super::link_state::Board;
use super::super::observer::PublishResult;
use super::super::ready_connection::{ConnectionEvent, ReadyConnection};
use super::super::supervisor::{CLOSED, Common, Serve};
use super::super::wire::Frame;
use super::{PublishRequest, Publisher};

/// Serves the publisher's connection.
pub(in super::super) struct PublisherTask {
    publisher: Arc<Publisher>,
    common: Arc<Common>,
}

impl PublisherTask {
    pub(in super::super) fn new(publisher: Arc<Publisher>, common: Arc<Common>) -> Self {
        Self { publisher, common }
    }

    async fn work(
        &self,
        ready_connection: &mut ReadyConnection,
        up: impl FnOnce(),
    ) -> Result<(), LinkEnd> {
        let channel = ready_connection.channel().await?;
        let confirm = channel.confirm_select(ConfirmSelectOptions::default());
        ready_connection.call("enable confirms", confirm).await?;
        let mut watch = ready_connection.watch();
        let settings = &self.common.settings;
        let window = settings.publish_window.max(1);
        let mut window = PublishWindow::new(window, settings.confirm_timeout, &self.common.board);
        let mut requests = self.publisher.open();
        up();
        loop {
            let has_room = window.has_room();
            tokio::select! {
                biased;
                () = self.common.closed.cancelled() => {
                    self.publisher.shut(CLOSED);
                    requests.close();
                    return self.drain(&mut window, &mut requests, &channel).await;
                }
                event = watch.next(&ready_connection.connection) => match event {
                    ConnectionEvent::Ended(ending) => {
                        self.publisher.shut(&ending.text);
                        window.fail_all(&ending.text);
                        return Err(ending);
                    }
                    ConnectionEvent::Blocked(reason) => {
                        let why = format!("the broker blocks publishers: {reason}");
                        self.publisher.shut(&why);
                        self.common.board.blocked(Some(&reason));
                        tracing::warn!(reason, "the broker accepts no messages: they are refused until it does");
                        window.block(&why);
                        refuse_all(&mut requests, &why, &self.common.board);
                    }
                    ConnectionEvent::Unblocked => {
                        window.unblock();
                        requests = self.publisher.open();
                        self.common.board.blocked(None);
                        tracing::info!("the broker accepts messages again");
                    }
                },
                ended = window.next() => {
                    if let Err(ending) = ended {
                        self.publisher.shut(&ending.text);
                        window.fail_all(&ending.text);
                        return Err(ending);
                    }
                }
                request = requests.recv(), if has_room => {
                    if let Some(request) = request {
                        window.publish(&channel, request).await;
                    }
                }
            }
        }
    }

    /// Publishes the requests that were accepted before the close, as long as the broker answers.
    async fn drain(
        &self,
        window: &mut PublishWindow<'_>,
        requests: &mut mpsc::Receiver<PublishRequest>,
        channel: &Channel,
    ) -> Result<(), LinkEnd> {
        loop {
            while window.has_room()
                && let Ok(request) = requests.try_recv()
            {
                window.publish(channel, request).await;
            }
            if window.is_empty() {
                return Ok(());
            }
            let ended = match tokio::time::timeout(DRAIN_MAX, window.next()).await {
                Ok(Ok(())) => continue,
                Ok(Err(ending)) => ending,
                Err(_) => LinkEnd::timeout("confirm the last messages"),
            };
            window.fail_all(&ended.text);
            refuse_all(requests, &ended.text, &self.common.board);
            return Ok(());
        }
    }
}

/// The longest wait at the end for the next confirm.
const DRAIN_MAX: Duration = Duration::from_secs(1);

impl Serve for PublisherTask {
    async fn serve(
        &mut self,
        ready_connection: &mut ReadyConnection,
        up: impl FnOnce(),
    ) -> Result<(), LinkEnd> {
        self.work(ready_connection, up).await
    }

    fn down(&mut self, why: &str) {
        self.publisher.shut(why);
    }
}

fn refuse_all(requests: &mut mpsc::Receiver<PublishRequest>, why: &str, board: &Board) {
    requests.close();
    while let Ok(request) = requests.try_recv() {
        board.observer().published(PublishResult::Unavailable);
        // A caller that stopped waiting does not need the answer.
        let _ = request
            .answer
            .send(Err(PublishError::Unavailable(why.to_owned())));
    }
}

type Confirming = Pin<Box<dyn Future<Output = (u64, lapin::Result<Confirmation>)> + Send>>;

/// The messages that are published and not confirmed.
struct PublishWindow<'a> {
    size: usize,
    limit: Duration,
    board: &'a Board,
    unconfirmed: FuturesUnordered<Confirming>,
    waiting: HashMap<u64, WaitingPublish>,
    /// In the order of publication, which is that of the deadlines. Entries of answered messages are removed later.
    deadlines: VecDeque<(u64, Instant)>,
    is_blocked: bool,
    last: u64,
}

struct WaitingPublish {
    since: Instant,
    /// `None` once the caller was answered, because the link was blocked.
    answer: Option<oneshot::Sender<Result<(), PublishError>>>,
}

impl<'a> PublishWindow<'a> {
    fn new(size: usize, limit: Duration, board: &'a Board) -> Self {
        Self {
            size,
            limit,
            board,
            unconfirmed: FuturesUnordered::new(),
            waiting: HashMap::new(),
            deadlines: VecDeque::new(),
            is_blocked: false,
            last: 0,
        }
    }

    fn has_room(&self) -> bool {
        !self.is_blocked && self.unconfirmed.len() < self.size
    }

    fn is_empty(&self) -> bool {
        self.unconfirmed.is_empty()
    }

    /// Gives one message to lapin, which queues its frames at the first poll. Messages are given one after the other;
    /// otherwise a confirm could be attributed to another message.
    async fn publish(&mut self, channel: &Channel, request: PublishRequest) {
        let PublishRequest { frame, answer } = request;
        if answer.is_closed() {
            return;
        }
        self.last += 1;
        let (number, since) = (self.last, Instant::now());
        let mut confirming: Confirming = Box::pin(confirm(channel.clone(), number, frame));
        self.deadlines.push_back((number, since + self.limit));
        let answer = Some(answer);
        self.waiting
            .insert(number, WaitingPublish { since, answer });
        match poll!(&mut confirming) {
            std::task::Poll::Ready(done) => {
                self.unconfirmed.push(Box::pin(std::future::ready(done)));
            }
            std::task::Poll::Pending => self.unconfirmed.push(confirming),
        }
    }

    /// Waits until one message is confirmed. Returns an error if the connection cannot be trusted any more. Safe to
    /// drop. Never resolves while no message is unconfirmed.
    async fn next(&mut self) -> Result<(), LinkEnd> {
        while let Some((number, _)) = self.deadlines.front()
            && !self.waiting.contains_key(number)
        {
            self.deadlines.pop_front();
        }
        let deadline = self.deadlines.front().map(|(_, deadline)| *deadline);
        let deadline = deadline.filter(|_| !self.is_blocked);
        tokio::select! {
            biased;
            Some((number, confirmed)) = self.unconfirmed.next() => self.answer(number, confirmed),
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                Err(LinkEnd::timeout("confirm a message"))
            }
            else => std::future::pending().await,
        }
    }

    fn answer(
        &mut self,
        number: u64,
        confirmed: lapin::Result<Confirmation>,
    ) -> Result<(), LinkEnd> {
        let Some(WaitingPublish { since, answer }) = self.waiting.remove(&number) else {
            return Ok(());
        };
        let (result, outcome, ending) = match confirmed {
            Ok(Confirmation::Ack(None)) => (PublishResult::Confirmed, Ok(()), None),
            Ok(Confirmation::Nack(_)) => {
                let full = "the broker refuses the message: its queue is full".to_owned();
                (PublishResult::Nacked, Err(PublishError::Full(full)), None)
            }
            Ok(_) => {
                // Nothing is published as mandatory, and confirms are on, so this answer is not expected.
                let unexpected = "the broker answered a publish with an unexpected confirm";
                let error = PublishError::Unavailable(unexpected.to_owned());
                (
                    PublishResult::Unavailable,
                    Err(error),
                    Some(LinkEnd::io(unexpected)),
                )
            }
            Err(error) => {
                let ending = LinkEnd::from(&error);
                let error = PublishError::Unavailable(ending.text.clone());
                (PublishResult::Unavailable, Err(error), Some(ending))
            }
        };
        if let Some(answer) = answer {
            self.board.observer().published(result);
            if result == PublishResult::Confirmed {
                self.board.observer().confirm_took(since.elapsed());
            }
            let _ = answer.send(outcome);
        }
        ending.map_or(Ok(()), Err)
    }

    /// Answers all callers at once. The broker may still confirm the unconfirmed messages when it accepts messages
    /// again. They are not published again here, and a duplicate is recognized by its id.
    fn block(&mut self, why: &str) {
        self.is_blocked = true;
        self.answer_all(why, PublishResult::Unavailable);
    }

    fn unblock(&mut self) {
        self.is_blocked = false;
        let deadline = Instant::now() + self.limit;
        for (_, due) in &mut self.deadlines {
            *due = deadline;
        }
    }

    fn fail_all(&mut self, why: &str) {
        let now = Instant::now();
        let (overdue, others): (Vec<u64>, Vec<u64>) = self
            .waiting
            .iter()
            .map(|(number, waiting)| (*number, waiting.since + self.limit <= now))
            .fold((Vec::new(), Vec::new()), |mut sorted, (number, is_due)| {
                let numbers = if is_due { &mut sorted.0 } else { &mut sorted.1 };
                numbers.push(number);
                sorted
            });
        for (numbers, result) in [
            (overdue, PublishResult::Timeout),
            (others, PublishResult::Unavailable),
        ] {
            for number in numbers {
                self.answer_failed(number, why, result);
            }
        }
        self.waiting.clear();
    }

    fn answer_all(&mut self, why: &str, result: PublishResult) {
        let numbers: Vec<u64> = self.waiting.keys().copied().collect();
        for number in numbers {
            self.answer_failed(number, why, result);
        }
    }

    fn answer_failed(&mut self, number: u64, why: &str, result: PublishResult) {
        let waiting = self.waiting.get_mut(&number);
        if let Some(answer) = waiting.and_then(|waiting| waiting.answer.take()) {
            self.board.observer().published(result);
            let _ = answer.send(Err(PublishError::Unavailable(why.to_owned())));
        }
    }
}

async fn confirm(
    channel: Channel,
    number: u64,
    frame: Frame,
) -> (u64, lapin::Result<Confirmation>) {
    let Frame {
        exchange,
        routing_key,
        properties,
        body,
    } = frame;
    let options = BasicPublishOptions::default();
    let written = channel
        .basic_publish(
            exchange.into(),
            routing_key.into(),
            options,
            &body,
            properties,
        )
        .await;
    let confirmed = match written {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    (number, confirmed)
}
