//! The queue's back ends behind [`Queue`](crate::ports::Queue), and the envelope that travels through them.

pub mod envelope;
