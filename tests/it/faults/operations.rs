//! What operators and machines do to the relay: rows O1 to O13.

mod admin;
mod configuration;
mod letters;
mod limits;
mod metrics;
mod output;
mod panics;
mod reload;
mod stopping;
mod wrong_clock;
