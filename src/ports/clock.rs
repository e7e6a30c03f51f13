//! Time as a parameter.

use crate::domain::Timestamp;

/// Our clock.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}
