//! The relay's own user in the chat, whose posts are never triggers.

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::UserId;

/// The bot's user id, once it is known. Clones share it, because the id is learned in another task.
#[derive(Debug, Clone)]
pub struct OwnUser(Arc<watch::Sender<Option<UserId>>>);

impl OwnUser {
    /// No id is known yet: no post counts as the relay's own.
    pub fn unknown() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Sets the id.
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
