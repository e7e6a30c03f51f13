//! Claims about how events move meetings (design 3 and 4).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod cards;
mod ends;
mod facts;
mod interleavings;
mod life;
mod publishing;
mod relay;
mod sessions;
mod starts;
