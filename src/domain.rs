//! The vocabulary and every decision. This module is pure: it has no I/O, reads no clock, draws no random number and
//! imports no other module of the relay.
//!
//! # Glossary
//!
//! - **peer**: Mattermost or plugNmeet.
//! - **trigger**: an authenticated call of a peer, before it is understood.
//! - **event**: what happened, as a fact in our own types and in the past tense.
//! - **conversation**: where people write in Mattermost: a channel, or a thread in a channel.
//! - **meeting**: what a person asked for. It has one card.
//! - **room**: plugNmeet's room. **session**: one run of a room; a room that is created again has a new session.
//! - **card**: the post that shows a meeting in its channel and is edited when the meeting changes.
//! - **notice**: a post that can be neither edited nor found again.
//! - **artifact**: what a session leaves behind: a recording, transcript, summary or analytics.
//! - **job**: one effect on one peer, such as creating a room or posting a card.
//! - **owed job**: a job that follows from the facts of a meeting and is not done yet. Owed jobs are computed from the
//!   facts and never stored, so that a lost queue loses nothing.
//! - **round**: the number of times that the sweep has published a meeting's owed jobs again. A job of an earlier
//!   round is obsolete.
//! - **sweep**: the periodic task that finds meetings which still owe jobs. **wake**: its event to such a meeting,
//!   which publishes the owed jobs again.
//! - **attempt**: one try of a job, counted from 1. **outcome**: the result of an attempt. **verdict**: what the retry
//!   policy decides about it.
//! - **dead letter**: a job or message that was given up and is kept for a person.
//! - **rule**: maps a phrase in a conversation to options of the meeting.

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
