//! What an attacker wanted and does not get: one test for each way that was found, named after it.

mod local_users;
