//! Peers that stall, drip, lie and redirect: rows W1 to W17.

mod addresses;
mod hints;
mod isolation;
mod liar;
mod lies;
mod outages;
mod refusals;
mod verdicts;
