//! Peers that stall, drip, lie and redirect: rows W1 to W17.

mod addresses;
mod hints;
mod liar;
mod lies;
mod verdicts;
