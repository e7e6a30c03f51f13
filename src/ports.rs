//! The traits through which the domain and the workers use the outside: chat server, conference server, queue, store,
//! clock. No vendor is named here, so that a back end can be replaced without touching the code that uses it.

pub(crate) mod chat;
pub(crate) mod clock;
pub(crate) mod conference;
pub(crate) mod envelope;
pub(crate) mod links;
pub(crate) mod names;
pub(crate) mod queue;
pub(crate) mod returned;
pub(crate) mod store;

pub use chat::{
    Account, ChannelKind, Chat, ChatError, DeliveryMethod, NewPost, OwnAccount, OwnChannel,
    OwnChannels, PostView, RegisteredHook, WrittenPost,
};
pub use clock::Clock;
pub use conference::{
    Conference, ConferenceError, CreatedRoom, EndAnswer, FoundArtifact, Joiner, NewRoom,
    RoomActivity,
};
pub use envelope::{Body, Envelope, Posting, Received, Settled};
pub use links::MeetingLinks;
pub use names::ShownNames;
pub use queue::{
    Delivery, Depth, Depths, MESSAGE_BYTES_MAX, Message, Outgoing, PublishError, Queue, QueueError,
    QueueName, Receipt, Settlement,
};
pub use returned::{ReturnedMessage, ReturnedMessages};
pub use store::{
    Attempt, DETAIL_BYTES_MAX, DeadFilter, DeadKind, DeadLetter, Duty, Ending, Incoming, Lease,
    Logged, Lookup, MeetingFilter, MeetingSummary, Note, Store, StoreError,
};
