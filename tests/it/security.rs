//! What an attacker wanted and does not get: one test for each, named after the part of the list and the wish.

mod text;
