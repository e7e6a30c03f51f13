//! Attacks, each named after what the attacker wanted; the README's guarantee 5 says what is true.

mod accounts;
mod links;
mod slow_senders;
mod text;
