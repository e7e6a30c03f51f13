//! The word from the door to those who catch up: something may have been lost here, and this was refused on purpose.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::PostId;

/// Most refused posts that are remembered; the oldest are forgotten first.
const REFUSED_MAX: usize = 10_000;

/// Shared by the door, which notices, and by the worker that looks again.
#[derive(Debug, Clone, Default)]
pub struct Gap(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    noticed: Notify,
    refused: Mutex<Refused>,
}

#[derive(Debug, Default)]
struct Refused {
    known: HashSet<PostId>,
    in_order: VecDeque<PostId>,
}

impl Gap {
    /// A trigger was not taken although it was good: Mattermost will not send it again.
    pub fn noticed(&self) {
        self.0.noticed.notify_one();
    }

    /// Resolves when one was noticed since the last time.
    pub async fn awaited(&self) {
        self.0.noticed.notified().await;
    }

    /// This post was heard and starts nothing: it must not be found later as one that was lost.
    pub fn refused(&self, post: PostId) {
        let mut refused = self.lock();
        if refused.known.insert(post.clone()) {
            refused.in_order.push_back(post);
        }
        if refused.in_order.len() > REFUSED_MAX
            && let Some(oldest) = refused.in_order.pop_front()
        {
            refused.known.remove(&oldest);
        }
    }

    /// Whether the door of this process has refused the post.
    pub fn was_refused(&self, post: &PostId) -> bool {
        self.lock().known.contains(post)
    }

    fn lock(&self) -> MutexGuard<'_, Refused> {
        let refused = self.0.refused.lock();
        refused.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn newest_refused_posts_are_remembered() {
        let gap = Gap::default();
        let post = |number: usize| format!("p{number}").parse::<PostId>().unwrap();
        for number in 0..=REFUSED_MAX {
            gap.refused(post(number));
            gap.refused(post(number));
        }
        assert!(!gap.was_refused(&post(0)));
        assert!(gap.was_refused(&post(1)) && gap.was_refused(&post(REFUSED_MAX)));
    }
}
