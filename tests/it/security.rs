//! Attacks, each named after what the attacker wanted (tests/it/faults/README.md, "Attacks").

mod accounts;
mod envelopes;
mod hosts;
mod links;
mod local_users;
mod log_floods;
mod slow_senders;
mod text;
