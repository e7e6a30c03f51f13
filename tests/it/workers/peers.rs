//! A Mattermost and a plugNmeet in memory that do as they are told.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::harness::slow_peer_takes;
use meetrelay::clock::SystemClock;
use meetrelay::domain::{
    ArtifactId, ArtifactKind, ChannelId, Conversation, PostId, Rendered, RequestId, ResponseHook,
    RoomId, Sid, Timestamp, UserId,
};
use meetrelay::ports::{
    Account, ChannelKind, Chat, ChatError, Clock, Conference, ConferenceError, CreatedRoom,
    DeliveryMethod, EndAnswer, FoundArtifact, Joiner, MeetingLinks, NewPost, NewRoom, OwnAccount,
    OwnChannel, OwnChannels, PostView, RoomActivity, WrittenPost,
};

/// What a POST meets.
pub(super) enum Fate {
    Refused(ChatError),
    /// It is carried out, and its answer is lost.
    Lost,
}

#[derive(Default)]
pub(super) struct World {
    /// What the next POSTs meet; then they are carried out.
    pub(super) fates: VecDeque<Fate>,
    /// What every create meets, if anything.
    pub(super) create_fails: Option<ConferenceError>,
    /// What every call to Mattermost meets, if anything.
    pub(super) chat_fails: Option<ChatError>,
    pub(super) posts: Vec<PostView>,
    /// What the way out can do; posts unless said.
    pub(super) delivery_method: Option<DeliveryMethod>,
    /// Notices that stand in channels.
    pub(super) notices: Vec<Rendered>,
    /// What was shown through response URLs.
    pub(super) shown: Vec<Rendered>,
    /// What commands were answered later.
    pub(super) answers: Vec<String>,
    /// The channels that the bot is in.
    pub(super) channels: Vec<OwnChannel>,
    /// How often these were asked for.
    pub(super) scans: u32,
    /// What people wrote, and where.
    pub(super) written: Vec<(ChannelId, WrittenPost)>,
    /// When POSTs came.
    pub(super) tried_at: Vec<Instant>,
    pub(super) creates: u32,
    pub(super) create_takes: Duration,
    pub(super) post_takes: Duration,
    numbers: u32,
}

#[derive(Default)]
pub(super) struct Peers(Mutex<World>);

impl Peers {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// A POST without an id, as `fates` want it.
    async fn meet(&self, carry_out: impl FnOnce(&mut World)) -> Result<(), ChatError> {
        let takes = self.world().post_takes;
        slow_peer_takes(takes).await;
        self.world().tried_at.push(Instant::now());
        self.chat(())?;
        let mut world = self.world();
        let fate = world.fates.pop_front();
        if let Some(Fate::Refused(error)) = fate {
            return Err(error);
        }
        carry_out(&mut world);
        match fate {
            Some(Fate::Lost) => Err(ChatError::Unreachable {
                why: "no answer".to_owned(),
                sent: true,
            }),
            _ => Ok(()),
        }
    }

    /// What only posts can do.
    fn ask<T>(&self, answer: T) -> Result<T, ChatError> {
        if self.kind() == DeliveryMethod::Notices {
            return Err(ChatError::Refused {
                why: "notices cannot".to_owned(),
            });
        }
        self.chat(answer)
    }

    fn chat<T>(&self, answer: T) -> Result<T, ChatError> {
        match &self.world().chat_fails {
            Some(error) => Err(error.clone()),
            None => Ok(answer),
        }
    }
}

#[async_trait]
impl Chat for Peers {
    fn kind(&self) -> DeliveryMethod {
        self.world()
            .delivery_method
            .unwrap_or(DeliveryMethod::Posts)
    }

    async fn post_notice(&self, _: &Conversation, content: Rendered) -> Result<(), ChatError> {
        self.meet(|world| world.notices.push(content)).await
    }

    async fn show_in_channel(&self, _: &ResponseHook, content: Rendered) -> Result<(), ChatError> {
        self.meet(|world| world.shown.push(content)).await
    }

    async fn own_account(&self) -> Result<OwnAccount, ChatError> {
        self.ask(OwnAccount {
            user_id: "bot".parse().unwrap(),
            user_name: "bot".to_owned(),
        })
    }

    async fn create_post(&self, post: NewPost) -> Result<PostView, ChatError> {
        let takes = self.world().post_takes;
        slow_peer_takes(takes).await;
        self.world().tried_at.push(Instant::now());
        self.ask(())?;
        let mut world = self.world();
        let fate = world.fates.pop_front();
        if let Some(Fate::Refused(error)) = fate {
            return Err(error);
        }
        world.numbers += 1;
        let view = PostView {
            id: format!("post{}", world.numbers).parse().unwrap(),
            channel: post.channel,
            user: "bot".parse().unwrap(),
            root: post.root,
            created_at: Timestamp::from_millis(i64::from(world.numbers)),
            key: Some(post.key),
        };
        world.posts.push(view.clone());
        match fate {
            Some(Fate::Lost) => Err(ChatError::Unreachable {
                why: "no answer".to_owned(),
                sent: true,
            }),
            _ => Ok(view),
        }
    }

    async fn patch_post(&self, _: &PostId, _: &str, _: Rendered) -> Result<(), ChatError> {
        self.ask(())
    }

    async fn delete_post(&self, post: &PostId) -> Result<(), ChatError> {
        self.ask(())?;
        self.world().posts.retain(|known| known.id != *post);
        Ok(())
    }

    async fn read_post(&self, post: &PostId) -> Result<PostView, ChatError> {
        self.ask(())?;
        let found = self.world().posts.iter().find(|p| p.id == *post).cloned();
        found.ok_or_else(|| ChatError::NotFound {
            why: "gone".to_owned(),
        })
    }

    async fn find_posts(
        &self,
        channel: &ChannelId,
        key: &str,
        _: Timestamp,
    ) -> Result<Vec<PostView>, ChatError> {
        self.ask(())?;
        let world = self.world();
        let ours = |post: &&PostView| post.channel == *channel && post.key.as_deref() == Some(key);
        Ok(world.posts.iter().filter(ours).cloned().collect())
    }

    async fn own_channels(&self) -> Result<OwnChannels, ChatError> {
        let channels = {
            let mut world = self.world();
            world.scans += 1;
            world.channels.clone()
        };
        self.ask(OwnChannels {
            now: SystemClock.now(),
            channels,
        })
    }

    async fn written_posts(
        &self,
        channel: &ChannelId,
        since: Timestamp,
    ) -> Result<Vec<WrittenPost>, ChatError> {
        self.ask(())?;
        let world = self.world();
        let written = world.written.iter().filter(|(place, _)| place == channel);
        Ok(written
            .map(|(_, post)| post.clone())
            .filter(|post| post.created_at > since)
            .collect())
    }

    async fn channel_kind(&self, _: &ChannelId) -> Result<ChannelKind, ChatError> {
        self.ask(ChannelKind::Public)
    }

    async fn join_channel(&self, _: &ChannelId) -> Result<(), ChatError> {
        self.ask(())
    }

    async fn is_channel_admin(&self, _: &ChannelId, _: &UserId) -> Result<bool, ChatError> {
        self.ask(false)
    }

    async fn account(&self, user: &UserId) -> Result<Account, ChatError> {
        self.ask(Account {
            user_id: user.clone(),
            user_name: "ana".to_owned(),
            display_name: "Ana".to_owned(),
            is_system_admin: false,
            is_deactivated: false,
        })
    }

    async fn answer_command(&self, _: &ResponseHook, text: &str) -> Result<(), ChatError> {
        self.chat(())?;
        self.world().answers.push(text.to_owned());
        Ok(())
    }

    async fn direct_message(
        &self,
        _: &UserId,
        _: &str,
        _: &str,
        _: Timestamp,
    ) -> Result<(), ChatError> {
        self.ask(())
    }
}

#[async_trait]
impl Conference for Peers {
    async fn create_room(&self, room: NewRoom) -> Result<CreatedRoom, ConferenceError> {
        let takes = {
            let mut world = self.world();
            world.creates += 1;
            world.create_takes
        };
        slow_peer_takes(takes).await;
        if let Some(error) = &self.world().create_fails {
            return Err(error.clone());
        }
        Ok(CreatedRoom {
            sid: format!("SID-{}", room.room).parse().unwrap(),
            created_at: Timestamp::from_seconds(1_795_269_720),
        })
    }

    async fn join_address(&self, _: &RoomId, _: Joiner) -> Result<SecretString, ConferenceError> {
        Err(ConferenceError::NotFound)
    }

    async fn room_activity(&self, _: &RoomId) -> Result<RoomActivity, ConferenceError> {
        Ok(RoomActivity::Active)
    }

    async fn end_room(&self, _: &RoomId) -> Result<EndAnswer, ConferenceError> {
        Ok(EndAnswer::Ending)
    }

    async fn artifacts(&self, _: &Sid) -> Result<Vec<FoundArtifact>, ConferenceError> {
        Ok(Vec::new())
    }

    async fn download_address(
        &self,
        _: &ArtifactId,
        _: ArtifactKind,
    ) -> Result<SecretString, ConferenceError> {
        Err(ConferenceError::NotFound)
    }

    async fn summary_text(&self, _: &ArtifactId) -> Result<String, ConferenceError> {
        Err(ConferenceError::NotFound)
    }
}

pub(super) struct PlainLinks;

impl MeetingLinks for PlainLinks {
    fn join(&self, request: RequestId) -> String {
        format!("https://relay.test/join/{request}")
    }

    fn join_own(&self, request: RequestId, user: &UserId) -> String {
        format!("https://relay.test/join/{request}-{user}")
    }

    fn artifact(&self, id: &ArtifactId, _: ArtifactKind) -> String {
        format!("https://relay.test/artifact/{id}")
    }
}
