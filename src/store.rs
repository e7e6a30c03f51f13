//! The back ends that store meetings, posts and dead letters. A back end implements `ports::Store` and passes
//! `tests/it/store_conformance.rs`. What all back ends share is in the other files of this folder.
//!
//! - [`sqlite`]: one file with one writer; the default.
//! - [`postgres`]: a database that several replicas share.
//!
//! A batch of events is one transaction. In PostgreSQL it first locks whatever two replicas could decide about
//! differently, always in the same order: dedup keys, conversations and sessions (advisory locks), then meetings
//! (rows). So a replica waits for the commit of another one, and then sees what that one wrote. Leases (who works on a
//! card) and duties (who sweeps) are rows with an expiry, taken by one statement.
//!
//! To store one more thing (a meeting and a post are each one JSON text):
//! 1. A field of a meeting or a post: in src/domain/meeting.rs or src/domain/post.rs alone, with a serde default for
//!    rows that were written before.
//! 2. A field that is searched for: also a step of migration for each back end, in migrations/ and listed in its
//!    schema.rs, with a column that is generated from the JSON; then the statement that uses it, in both back ends.
//! 3. A new table: the same, with a method of `ports::Store` and a file in sqlite/ and in postgres/.
//! 4. A released step is never changed. tests/it/store_conformance/migrations.rs gets rows of the schema before.
//! 5. tests/it/store_conformance holds both back ends to what the method promises.

mod batch;
mod columns;
mod content_hash;
pub(crate) mod postgres;
mod row_json;
pub(crate) mod sqlite;

pub use postgres::{Encryption, PostgresError, PostgresSettings, PostgresStore};
pub use sqlite::{OpenError, SqliteStore};

/// Most entries of a listing.
pub const LISTED_MAX: usize = 500;
/// Most entries in the history of a meeting.
pub const HISTORY_MAX: usize = 1000;
/// Most attempts of one meeting, and most notes of one answer.
pub const ATTEMPTS_MAX: usize = 500;
/// Most delivery marks. The oldest are deleted first, which only makes their count begin again.
pub const MARKS_MAX: usize = 10_000;
