//! The vocabulary and the decisions: pure, without I/O, clock or dice, importing nothing of ours.
//!
//! trigger: an authenticated inbound call, not yet understood. event: a fact in our own types, past tense.
//! meeting: what a person asked for, owner of one card. room: plugNmeet's room. session: one run of a room.
//! job: one effect on one peer. owed: the jobs that a meeting's facts still call for. attempt: one try of a
//! job, from 1. outcome: what an attempt met. verdict: what the retry policy decides. dead letter: a job or
//! message given up, kept for a person. card: how a meeting looks in the channel. notice: a post
//! that can be neither edited nor looked up. artifact: recording, transcript, summary, analytics. rule: maps a phrase
//! in a place to room options.

pub mod apply;
pub(crate) mod card;
pub mod choice;
pub mod event;
pub(crate) mod ids;
pub(crate) mod job;
pub(crate) mod label;
pub(crate) mod meeting;
pub(crate) mod notice;
pub mod owed;
pub(crate) mod phrase;
pub mod post;
pub mod presentation;
pub mod retry;
pub mod rule;
pub(crate) mod say;
pub(crate) mod text;
pub(crate) mod timestamp;

pub use event::{
    ArtifactKind, Conversation, ConversationKind, EndSaid, Event, Fact, Moderators, Origin, Person,
    Refusal, ResponseHook, RuleChoice, TriggerSource,
};
pub use ids::{
    ArtifactId, BadId, ChannelId, EventId, Identity, MeetingId, ParticipantSid, PostId, RequestId,
    RoomId, ServerName, Sid, TeamId, UserId,
};
pub use job::{Job, JobId, Notice, Owed, Peer};
pub use meeting::{Meeting, Notify, State};
pub use notice::NoticeStep;
pub use post::{Attachment, Field, PostKey, PostRow, Rendered};
pub use presentation::{DeliveryMethod, Presentation};
pub use timestamp::{CLOCKS_DIFFER_BY, Timestamp};
