//! What happens to the broker and its queues: rows Q1 to Q12 and Q22, with the real one.

mod full;
mod moved;
mod outages;
pub(crate) mod start;
