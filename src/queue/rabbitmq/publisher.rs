//! The way out: everybody's messages through one channel, many of them under way at a time, each answered when the
//! broker confirmed it.

mod session;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::ports::PublishError;

use super::link::NOT_YET;
use super::observer::PublishResult;
use super::supervisor::Common;
use super::wire::Frame;

pub(super) use session::Session;

/// One message and who waits for it.
struct Request {
    frame: Frame,
    answer: oneshot::Sender<Result<(), PublishError>>,
}

enum State {
    /// Messages are taken.
    Open(mpsc::Sender<Request>),
    /// They are not, and why.
    Shut(String),
}

/// Where messages are given to the link.
pub(super) struct Publisher {
    state: Mutex<State>,
    common: Arc<Common>,
}

impl Publisher {
    pub(super) fn new(common: Arc<Common>) -> Self {
        let state = Mutex::new(State::Shut(NOT_YET.to_owned()));
        Self { state, common }
    }

    /// Publishes in this order and waits until all are confirmed. While the link is down or blocked it answers at
    /// once. Whoever drops it must take its messages for published or not published.
    pub(super) async fn publish(&self, frames: Vec<Frame>) -> Result<(), PublishError> {
        let sender = match &*self.state() {
            State::Open(sender) => Ok(sender.clone()),
            State::Shut(why) => Err(PublishError::Away(why.clone())),
        };
        let sender = sender.inspect_err(|_| self.count_away(frames.len()))?;
        let mut answers = Vec::with_capacity(frames.len());
        let mut left = frames.len();
        for frame in frames {
            let (answer, answered) = oneshot::channel();
            if sender.send(Request { frame, answer }).await.is_err() {
                self.count_away(left);
                return Err(self.away());
            }
            left -= 1;
            answers.push(answered);
        }
        for answered in answers {
            // The link answers everything it took, unless it was lost in between.
            answered.await.unwrap_or_else(|_| {
                self.count_away(1);
                Err(self.away())
            })?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn away(&self) -> PublishError {
        PublishError::Away(match &*self.state() {
            State::Shut(why) => why.clone(),
            State::Open(_) => "the link to the broker was lost".to_owned(),
        })
    }

    fn count_away(&self, messages: usize) {
        for _ in 0..messages {
            self.common.board.observer().published(PublishResult::Away);
        }
    }

    fn open(&self) -> mpsc::Receiver<Request> {
        // What waits for room in the window waits here, and more waits with its callers.
        let (sender, requests) = mpsc::channel(self.common.settings.publish_window.max(1));
        *self.state() = State::Open(sender);
        requests
    }

    fn shut(&self, why: &str) {
        *self.state() = State::Shut(why.to_owned());
    }
}
