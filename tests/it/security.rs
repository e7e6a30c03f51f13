//! What an attacker wants and does not get, by topic; the tests are named after what they try.

mod local_users;
