//! Time as a parameter, so that tests set it.

use crate::domain::Timestamp;

/// The relay's own clock ("our clock"); those of peers may differ.
pub trait Clock: Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Timestamp;
}
