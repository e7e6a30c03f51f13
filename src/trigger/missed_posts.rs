//! The word from the door to those who catch up: something may have been lost here, and this was refused on purpose.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::PostId;

/// Most refused posts that are remembered; the oldest are forgotten first.
const REFUSED_MAX: usize = 10_000;

/// Shared by the door, which notices, and by the worker that looks again.
#[derive(Debug, Clone, Default)]
pub struct MissedPosts(Arc<MissedPostsState>);

#[derive(Debug, Default)]
struct MissedPostsState {
    signal: Notify,
    refused: Mutex<RefusedPosts>,
}

#[derive(Debug, Default)]
struct RefusedPosts {
    known: HashSet<PostId>,
    in_order: VecDeque<PostId>,
}

impl MissedPosts {
    /// A trigger was not taken although it was good: Mattermost will not send it again.
    pub fn signal(&self) {
        self.0.signal.notify_one();
    }

    /// Resolves when one was noticed since the last time.
    pub async fn awaited(&self) {
        self.0.signal.notified().await;
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

    fn lock(&self) -> MutexGuard<'_, RefusedPosts> {
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
        let missed_posts = MissedPosts::default();
        let post = |number: usize| format!("p{number}").parse::<PostId>().unwrap();
        for number in 0..=REFUSED_MAX {
            missed_posts.refused(post(number));
            missed_posts.refused(post(number));
        }
        assert!(!missed_posts.was_refused(&post(0)));
        assert!(missed_posts.was_refused(&post(1)) && missed_posts.was_refused(&post(REFUSED_MAX)));
    }
}
