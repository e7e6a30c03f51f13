//! Peers that stall, drip, lie and redirect: rows W1 to W17.

mod isolation;
mod outages;
mod refusals;
