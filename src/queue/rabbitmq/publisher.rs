//! The publishing side: all messages go through one channel, many of them unconfirmed at a time. Each caller is
//! answered when the broker has confirmed its message.

mod session;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::ports::PublishError;

use super::link_state::NOT_YET;
use super::observer::PublishResult;
use super::supervisor::Common;
use super::wire::Frame;

pub(super) use session::PublisherTask;

/// One message and the caller that waits for its confirm.
struct PublishRequest {
    frame: Frame,
    answer: oneshot::Sender<Result<(), PublishError>>,
}

enum PublisherState {
    /// The link accepts messages.
    Open(mpsc::Sender<PublishRequest>),
    /// The link accepts no messages, for this reason.
    Shut(String),
}

/// The handle by which callers give messages to the link.
pub(super) struct Publisher {
    state: Mutex<PublisherState>,
    common: Arc<Common>,
}

impl Publisher {
    pub(super) fn new(common: Arc<Common>) -> Self {
        let state = Mutex::new(PublisherState::Shut(NOT_YET.to_owned()));
        Self { state, common }
    }

    /// Publishes in this order and waits until all messages are confirmed. While the link is down or blocked it returns
    /// at once. After dropping it, a caller cannot know whether its messages were published.
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
                return Err(self.unavailable_error());
            }
            left -= 1;
            answers.push(answered);
        }
        for answered in answers {
            // The link answers every request it accepted, unless it was lost meanwhile.
            answered.await.unwrap_or_else(|_| {
                self.count_unavailable(1);
                Err(self.unavailable_error())
            })?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, PublisherState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unavailable_error(&self) -> PublishError {
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
        // Requests that wait for room in the window are queued here, and further ones wait with their callers.
        let (sender, requests) = mpsc::channel(self.common.settings.publish_window.max(1));
        *self.state() = PublisherState::Open(sender);
        requests
    }

    fn shut(&self, why: &str) {
        *self.state() = PublisherState::Shut(why.to_owned());
    }
}
