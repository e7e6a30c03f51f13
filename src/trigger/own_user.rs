//! The relay's own user in the chat, whose posts are never triggers.

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::UserId;

/// Shared with whoever learns the bot's user id; unknown at first.
#[derive(Debug, Clone)]
pub struct OwnUser(Arc<watch::Sender<Option<UserId>>>);

impl OwnUser {
    /// Not known yet.
    pub fn unknown() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// From now on it is this one.
    pub fn set(&self, user: UserId) {
        self.0.send_replace(Some(user));
    }

    /// Whether `user` is the relay itself.
    pub fn is(&self, user: &UserId) -> bool {
        self.0.borrow().as_ref() == Some(user)
    }
}

impl Default for OwnUser {
    fn default() -> Self {
        Self::unknown()
    }
}
