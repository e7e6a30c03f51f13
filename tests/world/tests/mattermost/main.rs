//! The fake Mattermost against the recordings of the real one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod commands;
mod incoming;
mod lifecycle;
mod outgoing;
mod page;
mod posts;
mod refusals;
mod sessions;
mod support;
