//! The way out: everybody's messages through one channel, many of them under way at a time, each answered when the
//! broker confirmed it.

mod session;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::ports::PublishError;

use super::link_state::NOT_YET;
use super::observer::PublishResult;
use super::supervisor::Common;
use super::wire::Frame;

pub(super) use session::PublisherTask;

/// One message and who waits for it.
struct PublishRequest {
    frame: Frame,
    answer: oneshot::Sender<Result<(), PublishError>>,
}

enum PublisherState {
    /// Messages are taken.
    Open(mpsc::Sender<PublishRequest>),
    /// They are not, and why.
    Shut(String),
}

/// Where messages are given to the link.
pub(super) struct Publisher {
    state: Mutex<PublisherState>,
    common: Arc<Common>,
}

impl Publisher {
    pub(super) fn new(common: Arc<Common>) -> Self {
        let state = Mutex::new(PublisherState::Shut(NOT_YET.to_owned()));
        Self { state, common }
    }

    /// Publishes in this order and waits until all are confirmed. While the link is down or blocked it answers at
    /// once. Whoever drops it must take its messages for published or not published.
    pub(super) async fn publish(&self, frames: Vec<Frame>) -> Result<(), PublishError> {
        let sender = match &*self.state() {
            PublisherState::Open(sender) => Ok(sender.clone()),
            PublisherState::Shut(why) => Err(PublishError::Unavailable(why.clone())),
        };
        let sender = sender.inspect_err(|_| self.count_unavailable(frames.len()))?;
        let mut answers = Vec::with_capacity(frames.len());
        let mut left = frames.len();
        for frame in frames {
            let (answer, answered) = oneshot::channel();
            if sender.send(PublishRequest { frame, answer }).await.is_err() {
                self.count_unavailable(left);
                return Err(self.away());
            }
            left -= 1;
            answers.push(answered);
        }
        for answered in answers {
            // The link answers everything it took, unless it was lost in between.
            answered.await.unwrap_or_else(|_| {
                self.count_unavailable(1);
                Err(self.away())
            })?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, PublisherState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn away(&self) -> PublishError {
        PublishError::Unavailable(match &*self.state() {
            PublisherState::Shut(why) => why.clone(),
            PublisherState::Open(_) => "the link to the broker was lost".to_owned(),
        })
    }

    fn count_unavailable(&self, messages: usize) {
        for _ in 0..messages {
            self.common
                .board
                .observer()
                .published(PublishResult::Unavailable);
        }
    }

    fn open(&self) -> mpsc::Receiver<PublishRequest> {
        // What waits for room in the window waits here, and more waits with its callers.
        let (sender, requests) = mpsc::channel(self.common.settings.publish_window.max(1));
        *self.state() = PublisherState::Open(sender);
        requests
    }

    fn shut(&self, why: &str) {
        *self.state() = PublisherState::Shut(why.to_owned());
    }
}
