//! Reports of the ingress to the catch-up: a trigger may have been lost, or a post was refused on purpose.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::PostId;

/// Most refused posts that are remembered; the oldest are removed first.
const REFUSED_MAX: usize = 10_000;

/// Shared by the ingress, which reports, and by the worker that reads posts again. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct MissedPosts(Arc<MissedPostsState>);

#[derive(Debug, Default)]
struct MissedPostsState {
    signal: Notify,
    refused: Mutex<RefusedPosts>,
}

#[derive(Debug, Default)]
struct RefusedPosts {
    ids: HashSet<PostId>,
    in_order: VecDeque<PostId>,
}

impl MissedPosts {
    /// Reports that a valid trigger could not be accepted. Mattermost does not send it again.
    pub fn signal(&self) {
        self.0.signal.notify_one();
    }

    /// Resolves when a trigger was missed since this resolved last.
    pub async fn awaited(&self) {
        self.0.signal.notified().await;
    }

    /// Records that the ingress received this post and refused it, so that the catch-up does not take it for a lost
    /// one.
    pub fn refused(&self, post: PostId) {
        let mut refused = self.lock();
        if refused.ids.insert(post.clone()) {
            refused.in_order.push_back(post);
        }
        if refused.in_order.len() > REFUSED_MAX
            && let Some(oldest) = refused.in_order.pop_front()
        {
            refused.ids.remove(&oldest);
        }
    }

    /// Whether the ingress of this process has refused the post.
    pub fn was_refused(&self, post: &PostId) -> bool {
        self.lock().ids.contains(post)
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
