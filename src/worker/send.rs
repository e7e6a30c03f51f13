//! Putting messages of our own on the queue, until it takes them.

use tracing::{error, warn};

use crate::ports::{Body, DeadKind, DeadLetter, Posting, PublishError};

use super::dead::keep_letter;
use super::wait::pause;
use super::{DeadReason, Shop};

/// What became of messages.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// They are durable.
    All,
    /// No queue ever takes one of them; why. Others of them may be durable.
    Never(String),
    /// The workers were stopped first.
    Stopped,
}

/// Sends until it works, or never can.
pub(super) async fn try_send(shop: &Shop, postings: &[Posting]) -> Sent {
    if postings.is_empty() {
        return Sent::All;
    }
    loop {
        match shop.deps.queue.send(postings).await {
            Ok(()) => return Sent::All,
            Err(error @ (PublishError::TooLarge { .. } | PublishError::Unwritable(_))) => {
                return Sent::Never(error.to_string());
            }
            Err(error) => {
                if shop.queue_trouble.is_news() {
                    warn!(%error, messages = postings.len(), "messages cannot be published: they are tried every second");
                }
                if !pause(shop).await {
                    return Sent::Stopped;
                }
            }
        }
    }
}

/// Sends until it works; `false` when the workers are stopped first. What no queue will ever take becomes a dead
/// letter, and the others go out without it.
pub(super) async fn send(shop: &Shop, mut postings: Vec<Posting>) -> bool {
    match try_send(shop, &postings).await {
        Sent::All => return true,
        Sent::Stopped => return false,
        Sent::Never(why) if postings.len() == 1 => {
            let posting = postings.remove(0);
            return keep(shop, &posting, why).await;
        }
        Sent::Never(_) => {}
    }
    for posting in postings {
        if !Box::pin(send(shop, vec![posting])).await {
            return false;
        }
    }
    true
}

/// A letter without a body: what does not fit into a queue could not be replayed either.
async fn keep(shop: &Shop, posting: &Posting, why: String) -> bool {
    let envelope = &posting.message;
    let (kind, meeting) = match &envelope.body {
        Body::Job { id, .. } => (DeadKind::Job, Some(id.meeting)),
        Body::Event(event) => (DeadKind::Event, event.fact.meeting()),
        Body::Tell(_) => (DeadKind::Job, None),
    };
    let letter = DeadLetter {
        id: envelope.id(),
        queue: posting.queue.as_str().to_owned(),
        kind,
        meeting,
        reason: format!("it cannot be published: {why}"),
        buried_at: shop.deps.clock.now(),
        attempts: 0,
        body: Vec::new(),
    };
    error!(
        message.id = letter.id,
        reason = letter.reason,
        "given up before it was published"
    );
    shop.deps
        .observer
        .buried(posting.queue, DeadReason::GivenUp);
    keep_letter(shop, letter).await
}
