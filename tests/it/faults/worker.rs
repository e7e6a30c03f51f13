//! Peers that stall, drip, lie and redirect: rows W1 to W17.
