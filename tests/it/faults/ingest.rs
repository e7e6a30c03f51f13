//! Bad input at the door: rows I1 to I24.

mod time;
