//! Fakes of the store, the chat server and the conference server.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::domain::apply::{Applied, Policy};
use crate::domain::{
    ArtifactId, ArtifactKind, ChannelId, Conversation, EventId, Meeting, MeetingId, PostId,
    PostKey, PostRow, Rendered, RequestId, ResponseHook, RoomId, Sid, Timestamp, UserId,
};
use crate::ports::{
    Account, Attempt, ChannelKind, Chat, ChatError, Conference, ConferenceError, CreatedRoom,
    DeadFilter, DeadLetter, DeliveryMethod, Duty, EndAnswer, FoundArtifact, Incoming, Joiner,
    Lease, Logged, Lookup, MeetingFilter, MeetingSummary, NewPost, NewRoom, Note, OwnAccount,
    PostView, RoomActivity, Store, StoreError,
};

/// How a fake answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingress) enum FakeBehavior {
    Answers,
    Refuses,
    Hangs,
}

impl FakeBehavior {
    async fn or_hang<E>(self, error: E) -> Result<(), E> {
        match self {
            Self::Answers => Ok(()),
            Self::Refuses => Err(error),
            Self::Hangs => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Ok(())
            }
        }
    }
}

/// A store with at most one meeting, which it returns for every request id.
#[derive(Debug)]
pub(in crate::ingress) struct OneMeeting {
    pub(in crate::ingress) behavior: FakeBehavior,
    pub(in crate::ingress) meeting: Option<Meeting>,
    pub(in crate::ingress) asked: Mutex<Vec<Conversation>>,
}

impl OneMeeting {
    async fn read_meeting(&self) -> Result<Option<Meeting>, StoreError> {
        self.behavior
            .or_hang(StoreError::Unavailable("the disk is gone".to_owned()))
            .await?;
        Ok(self.meeting.clone())
    }
}

fn unasked<T>() -> Result<T, StoreError> {
    Err(StoreError::Refused("no route asks this".to_owned()))
}

#[async_trait]
impl Store for OneMeeting {
    async fn meeting_of_request(&self, _: RequestId) -> Result<Option<Meeting>, StoreError> {
        self.read_meeting().await
    }
    async fn meeting_of_artifact(&self, _: &ArtifactId) -> Result<Option<Meeting>, StoreError> {
        self.read_meeting().await
    }
    async fn running_in(&self, place: &Conversation) -> Result<Vec<Meeting>, StoreError> {
        self.asked.lock().unwrap().push(place.clone());
        Ok(self.read_meeting().await?.into_iter().collect())
    }
    async fn meetings(&self, _: MeetingFilter) -> Result<Vec<MeetingSummary>, StoreError> {
        unasked()
    }
    async fn apply(
        &self,
        _: Vec<Incoming>,
        _: Policy,
        _: Timestamp,
    ) -> Result<Vec<Applied>, StoreError> {
        unasked()
    }
    async fn meeting(&self, _: MeetingId) -> Result<Option<Meeting>, StoreError> {
        unasked()
    }
    async fn due_meetings(
        &self,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<(MeetingId, u32)>, StoreError> {
        unasked()
    }
    async fn history(&self, _: MeetingId) -> Result<Vec<Logged>, StoreError> {
        unasked()
    }
    async fn post(&self, _: MeetingId, _: &PostKey) -> Result<Option<PostRow>, StoreError> {
        unasked()
    }
    async fn put_post(&self, _: MeetingId, _: &PostKey, _: PostRow) -> Result<u64, StoreError> {
        unasked()
    }
    async fn settled_events(&self, _: Vec<EventId>) -> Result<Vec<EventId>, StoreError> {
        unasked()
    }
    async fn find(&self, _: &str) -> Result<Lookup, StoreError> {
        unasked()
    }
    async fn log_attempt(&self, _: Attempt) -> Result<(), StoreError> {
        unasked()
    }
    async fn attempts(&self, _: MeetingId) -> Result<Vec<Attempt>, StoreError> {
        unasked()
    }
    async fn log_note(&self, _: Note) -> Result<(), StoreError> {
        unasked()
    }
    async fn notes(&self, _: &str) -> Result<Vec<Note>, StoreError> {
        unasked()
    }
    async fn lease_posts(
        &self,
        _: MeetingId,
        _: &str,
        _: Timestamp,
        _: Duration,
    ) -> Result<(Lease, Option<Meeting>), StoreError> {
        unasked()
    }
    async fn take_lease(
        &self,
        _: Duty,
        _: &str,
        _: Timestamp,
        _: Duration,
    ) -> Result<Lease, StoreError> {
        unasked()
    }
    async fn drop_lease(&self, _: Duty, _: &str) -> Result<(), StoreError> {
        unasked()
    }
    async fn mark_redelivered(&self, _: &str) -> Result<u32, StoreError> {
        unasked()
    }
    async fn clear_mark(&self, _: &str) -> Result<(), StoreError> {
        unasked()
    }
    async fn bury(&self, _: DeadLetter) -> Result<(), StoreError> {
        unasked()
    }
    async fn dead_letters(&self, _: DeadFilter) -> Result<Vec<DeadLetter>, StoreError> {
        unasked()
    }
    async fn dead_letter(&self, _: &str) -> Result<Option<DeadLetter>, StoreError> {
        unasked()
    }
    async fn remove_dead_letter(&self, _: &str, _: Timestamp) -> Result<bool, StoreError> {
        unasked()
    }
    async fn count_dead_letters(&self) -> Result<u64, StoreError> {
        unasked()
    }
    async fn count_running(&self) -> Result<u64, StoreError> {
        unasked()
    }
    async fn setting(&self, _: &str) -> Result<Option<String>, StoreError> {
        unasked()
    }
    async fn put_setting(&self, _: &str, _: &str) -> Result<(), StoreError> {
        unasked()
    }
    async fn setting_or_insert(&self, _: &str, _: &str) -> Result<String, StoreError> {
        unasked()
    }
    async fn prune(&self, _: Timestamp) -> Result<u64, StoreError> {
        unasked()
    }
    async fn close(&self) {}
}

/// The state of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingress) enum AccountState {
    Active,
    Deactivated,
    Deleted,
}

/// A chat server with one person.
#[derive(Debug)]
pub(in crate::ingress) struct OnePerson {
    pub(in crate::ingress) behavior: FakeBehavior,
    pub(in crate::ingress) display_name: String,
    pub(in crate::ingress) is_system_admin: bool,
    pub(in crate::ingress) is_channel_admin: bool,
    pub(in crate::ingress) account_state: AccountState,
    pub(in crate::ingress) delivery_method: DeliveryMethod,
}

fn not_here<T>() -> Result<T, ChatError> {
    Err(ChatError::Refused {
        why: "no route asks this".to_owned(),
    })
}

fn unreachable_error() -> ChatError {
    ChatError::Unreachable {
        why: "refused".to_owned(),
        sent: false,
    }
}

#[async_trait]
impl Chat for OnePerson {
    fn kind(&self) -> DeliveryMethod {
        self.delivery_method
    }
    async fn post_notice(&self, _: &Conversation, _: Rendered) -> Result<(), ChatError> {
        not_here()
    }
    async fn show_in_channel(&self, _: &ResponseHook, _: Rendered) -> Result<(), ChatError> {
        not_here()
    }
    async fn account(&self, user: &UserId) -> Result<Account, ChatError> {
        if self.delivery_method == DeliveryMethod::Notices {
            return not_here();
        }
        self.behavior.or_hang(unreachable_error()).await?;
        if self.account_state == AccountState::Deleted {
            return Err(ChatError::NotFound {
                why: "no such user".to_owned(),
            });
        }
        Ok(Account {
            user_id: user.clone(),
            user_name: "ana".to_owned(),
            display_name: self.display_name.clone(),
            is_system_admin: self.is_system_admin,
            is_deactivated: self.account_state == AccountState::Deactivated,
        })
    }
    async fn is_channel_admin(&self, _: &ChannelId, _: &UserId) -> Result<bool, ChatError> {
        self.behavior.or_hang(unreachable_error()).await?;
        Ok(self.is_channel_admin)
    }
    async fn own_account(&self) -> Result<OwnAccount, ChatError> {
        not_here()
    }
    async fn create_post(&self, _: NewPost) -> Result<PostView, ChatError> {
        not_here()
    }
    async fn patch_post(&self, _: &PostId, _: &str, _: Rendered) -> Result<(), ChatError> {
        not_here()
    }
    async fn delete_post(&self, _: &PostId) -> Result<(), ChatError> {
        not_here()
    }
    async fn read_post(&self, _: &PostId) -> Result<PostView, ChatError> {
        not_here()
    }
    async fn find_posts(
        &self,
        _: &ChannelId,
        _: &str,
        _: Timestamp,
    ) -> Result<Vec<PostView>, ChatError> {
        not_here()
    }
    async fn channel_kind(&self, _: &ChannelId) -> Result<ChannelKind, ChatError> {
        not_here()
    }
    async fn join_channel(&self, _: &ChannelId) -> Result<(), ChatError> {
        not_here()
    }
    async fn answer_command(&self, _: &ResponseHook, _: &str) -> Result<(), ChatError> {
        not_here()
    }
    async fn direct_message(
        &self,
        _: &UserId,
        _: &str,
        _: &str,
        _: Timestamp,
    ) -> Result<(), ChatError> {
        not_here()
    }
}

/// A conference server that mints every requested token and records the requests.
#[derive(Debug)]
pub(in crate::ingress) struct Mint {
    pub(in crate::ingress) answer: Result<&'static str, ConferenceError>,
    pub(in crate::ingress) hangs: bool,
    pub(in crate::ingress) joiners: Mutex<Vec<Joiner>>,
    pub(in crate::ingress) downloads: Mutex<Vec<ArtifactId>>,
}

impl Mint {
    async fn address(&self) -> Result<SecretString, ConferenceError> {
        if self.hangs {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        self.answer.clone().map(SecretString::from)
    }
}

fn not_asked<T>() -> Result<T, ConferenceError> {
    Err(ConferenceError::Refused {
        why: "no route asks this".to_owned(),
    })
}

#[async_trait]
impl Conference for Mint {
    async fn join_address(
        &self,
        _: &RoomId,
        joiner: Joiner,
    ) -> Result<SecretString, ConferenceError> {
        self.joiners.lock().unwrap().push(joiner);
        self.address().await
    }
    async fn download_address(
        &self,
        id: &ArtifactId,
        _: ArtifactKind,
    ) -> Result<SecretString, ConferenceError> {
        self.downloads.lock().unwrap().push(id.clone());
        self.address().await
    }
    async fn create_room(&self, _: NewRoom) -> Result<CreatedRoom, ConferenceError> {
        not_asked()
    }
    async fn room_activity(&self, _: &RoomId) -> Result<RoomActivity, ConferenceError> {
        not_asked()
    }
    async fn end_room(&self, _: &RoomId) -> Result<EndAnswer, ConferenceError> {
        not_asked()
    }
    async fn artifacts(&self, _: &Sid) -> Result<Vec<FoundArtifact>, ConferenceError> {
        not_asked()
    }
    async fn summary_text(&self, _: &ArtifactId) -> Result<String, ConferenceError> {
        not_asked()
    }
}
