//! Where meetings, posts and dead letters are kept. A back end implements `ports::Store` and passes
//! `tests/it/store_conformance.rs`; what all back ends must do alike stands in this folder's other files.
//!
//! - [`sqlite`]: one file with one writer; the default.
//! - [`postgres`]: a database that several replicas share.
//!
//! A batch of events is one transaction. In PostgreSQL it first locks whatever two replicas could decide about
//! differently, in one order everywhere: dedup keys, places and sessions (advisory locks), then meetings (rows). So a
//! replica waits for another one's commit, and then sees what that one wrote. Leases (who works on a card) and duties (who
//! sweeps) are rows with an end, taken by one statement.

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
