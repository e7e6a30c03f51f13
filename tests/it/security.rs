//! What an attacker wanted and does not get.

mod envelopes;
mod hosts;
mod log_floods;
