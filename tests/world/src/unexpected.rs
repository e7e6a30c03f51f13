//! What a fake received and did not expect: a test ends by asserting that this is empty.

use std::sync::{Arc, Mutex, PoisonError};

/// A shared list of complaints of one fake. Clones share the list.
#[derive(Clone, Debug, Default)]
pub struct Unexpected(Arc<Mutex<Vec<String>>>);

impl Unexpected {
    /// Notes one request (or part of one) that the real server would not have understood.
    pub fn note(&self, complaint: impl Into<String>) {
        self.lock().push(complaint.into());
    }

    /// All complaints so far, oldest first.
    pub fn all(&self) -> Vec<String> {
        self.lock().clone()
    }

    /// Takes the complaints out: for tests that provoke them on purpose.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lock())
    }

    /// Panics with every complaint if there is one.
    pub fn assert_none(&self) {
        let complaints = self.all();
        assert!(
            complaints.is_empty(),
            "unexpected requests:\n{}",
            complaints.join("\n")
        );
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
