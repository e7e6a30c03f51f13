//! What operators and machines do to the relay: rows O1 to O13.
