//! The integration tests, one binary: faster links, one harness.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests"
)]

mod architecture;
mod bad_input;
mod catch_up;
mod citations;
mod convergence;
mod crash;
mod delivery_methods;
mod deploy;
mod documents;
mod envelope_queue;
mod faults;
mod field;
mod harness;
mod ledger;
mod load;
mod lost_ends;
mod main_job;
mod names;
mod notices;
mod operators;
mod pages;
mod postgres;
mod queue_conformance;
mod replicas;
mod security;
mod session;
mod spool;
mod ssrf;
mod starts;
mod store_conformance;
mod traps;
mod vectors;
mod why;
mod workers;
