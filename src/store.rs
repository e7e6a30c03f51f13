//! Where meetings, posts and dead letters are kept. A back end implements `ports::Store` and passes
//! `tests/it/store_conformance.rs`; what all back ends must do alike stands in this folder's other files.

mod batch;
mod body;
mod content;
pub mod postgres;
pub mod sqlite;
mod word;

pub use postgres::{Encryption, PostgresError, PostgresSettings, PostgresStore};
pub use sqlite::{OpenError, SqliteStore};

/// Most lines of one listing.
pub const LISTED_MAX: usize = 500;
/// Most lines of one meeting's story.
pub const STORY_MAX: usize = 1000;
/// Most attempts of one meeting, and most notes of one answer.
pub const ATTEMPTS_MAX: usize = 500;
/// Most marks of redelivered messages; the oldest are forgotten first, which only begins their count again.
pub const MARKS_MAX: usize = 10_000;
