//! Claims about how events move meetings.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod bench;
mod converging;
mod ending;
mod giving_up;
mod hooks;
mod interleavings;
mod left_behind;
mod life;
mod notices;
mod owing;
mod precedence;
mod requests;
mod sessions;
mod starting;
