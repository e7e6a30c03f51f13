//! The few traits that the inside needs of the outside. No vendor is named here.

pub mod castoffs;
pub mod chat;
pub mod clock;
pub mod conference;
pub mod envelope;
pub mod links;
pub mod names;
pub mod queue;
pub mod store;

pub use castoffs::{Castoff, Castoffs};
pub use chat::{
    Account, ChannelKind, Chat, ChatError, NewPost, OwnAccount, OwnChannel, OwnChannels, PostView,
    RegisteredHook, WayOutKind, WrittenPost,
};
pub use clock::Clock;
pub use conference::{
    Conference, ConferenceError, CreatedRoom, EndAnswer, FoundArtifact, Joiner, NewRoom,
    RoomActivity,
};
pub use envelope::{Body, Envelope, Posting, Received, Settled};
pub use links::Links;
pub use names::ShownNames;
pub use queue::{
    Delivery, Depth, Depths, MESSAGE_BYTES_MAX, Message, Outgoing, PublishError, Queue, QueueError,
    QueueName, Receipt, Settlement,
};
pub use store::{
    Attempt, DETAIL_BYTES_MAX, DeadFilter, DeadKind, DeadLetter, Duty, Ending, Found, Incoming,
    Lease, Logged, MeetingFilter, MeetingSummary, Note, Store, StoreError,
};
