//! The names of fields in log lines: one thing, one name, everywhere. Macros of `tracing` take names as they stand
//! (`event.id = %id`), so these are for whoever reads lines and for tests.

/// Our event's id: from the webhook to the card.
pub const EVENT_ID: &str = "event.id";
/// An event's kind, `Fact::kind`.
pub const EVENT_KIND: &str = "event.kind";
/// A meeting's id.
pub const MEETING_ID: &str = "meeting.id";
/// plugNmeet's room.
pub const ROOM_ID: &str = "room.id";
/// One run of a room.
pub const SESSION_ID: &str = "session.id";
/// A message's id: an event's or a job's.
pub const MESSAGE_ID: &str = "message.id";
/// An attempt's number, from 1.
pub const ATTEMPT: &str = "attempt.number";
/// One of the two servers that are called: `mattermost` or `plugnmeet`.
pub const PEER: &str = "peer";
/// A queue.
pub const QUEUE: &str = "queue";
/// What became of it.
pub const OUTCOME: &str = "outcome";
/// How long it took, in milliseconds.
pub const DURATION_MS: &str = "duration_ms";
/// The whole chain of an error.
pub const ERROR: &str = "error";
/// Who asked for it on the command line.
pub const BY: &str = "by";
