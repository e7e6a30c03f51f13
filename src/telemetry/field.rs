//! The names of fields in log lines: one thing, one name, everywhere.

/// Our event's id: from the webhook to the card.
pub const EVENT_ID: &str = "event_id";
/// An event's kind, `Fact::kind`.
pub const EVENT: &str = "event";
/// Where an event comes from.
pub const SOURCE: &str = "source";
/// A meeting's id.
pub const MEETING_ID: &str = "meeting_id";
/// plugNmeet's room.
pub const ROOM_ID: &str = "room_id";
/// One run of a room.
pub const SID: &str = "sid";
/// A job's id.
pub const JOB_ID: &str = "job_id";
/// A job's kind.
pub const JOB: &str = "job";
/// A queue.
pub const QUEUE: &str = "queue";
/// An attempt's number, from 1.
pub const ATTEMPT: &str = "attempt";
/// What became of it.
pub const OUTCOME: &str = "outcome";
/// How long it took, in milliseconds.
pub const DURATION_MS: &str = "duration_ms";
/// The whole chain of an error.
pub const ERROR: &str = "error";
/// The peer that was called.
pub const TARGET: &str = "peer";
/// Who asked for it on the command line.
pub const BY: &str = "by";
