//! Attacks, each named after what the attacker wanted; the README's guarantee 5 says what is true.

mod accounts;
mod envelopes;
mod hosts;
mod links;
mod local_users;
mod log_floods;
mod slow_senders;
mod text;
