//! The broker in trouble: rows Q1 to Q12, and Q22.
