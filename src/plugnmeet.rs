//! plugNmeet as the conference server, called through its signed HTTP API.
//!
#![doc = include_str!("plugnmeet/README.md")]

mod answer;
mod artifacts;
mod call;
mod create;
mod download;
mod join;
mod keys;
mod room;
mod signature;
mod summary;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

use crate::domain::{ArtifactId, ArtifactKind, Peer, RoomId, Sid};
use crate::http::{Http, Operation};
use crate::ports::{
    Conference, ConferenceError, CreatedRoom, EndAnswer, FoundArtifact, Joiner, NewRoom,
    RoomActivity,
};

pub(crate) use keys::ApiKeys;
pub(crate) use room::{LockSettings, RoomSettings};

/// The setting that holds the address of the API.
const URL_SETTING: &str = "plugnmeet.url";

/// Longest `webhook_url` that plugNmeet's database can store, in characters (src/plugnmeet/README.md, "Creating a
/// room").
const WEBHOOK_URL_CHARS_MAX: usize = 255;

/// The addresses of plugNmeet, its API key and the options of its rooms.
#[derive(Debug, Clone)]
pub(crate) struct PlugNmeetSettings {
    /// The address at which the relay calls the API and downloads files.
    pub url: Url,
    /// The address at which browsers reach plugNmeet; it may have a path.
    pub external_url: Url,
    /// The API key. It is not secret, but it is not shown either.
    pub api_key: String,
    /// The API secret, which signs everything.
    pub api_secret: SecretString,
    /// The address to which plugNmeet sends the events of every room, at most 255 characters.
    pub webhook_url: Url,
    /// Hosts, besides that of `url`, that a download may be redirected to: `host` or `host:port`.
    pub download_hosts: Vec<String>,
    /// The options of every room.
    pub room: RoomSettings,
}

/// A setting that cannot work, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plugnmeet.{key}: {why}")]
pub(crate) struct PlugNmeetSettingsError {
    /// The key of the setting, without the section `plugnmeet`.
    pub key: &'static str,
    /// What is wrong with its value.
    pub why: &'static str,
}

/// The client of one plugNmeet server.
pub(crate) struct PlugNmeet {
    settings: PlugNmeetSettings,
    keys: ArcSwap<ApiKeys>,
    http: Http,
    /// The latest answer about the current keys was a refusal.
    is_key_refused: AtomicBool,
}

impl PlugNmeet {
    /// The client with these settings.
    pub(crate) fn new(
        settings: PlugNmeetSettings,
        http: Http,
    ) -> Result<Self, PlugNmeetSettingsError> {
        let bad = |key, why| Err(PlugNmeetSettingsError { key, why });
        for (key, url) in [
            ("url", &settings.url),
            ("external_url", &settings.external_url),
            ("webhook_url", &settings.webhook_url),
        ] {
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
                return bad(key, "must be an http or https address with a host");
            }
            if !url.username().is_empty() || url.password().is_some() {
                return bad(key, "must not hold a user name or password");
            }
        }
        if settings.webhook_url.as_str().chars().count() > WEBHOOK_URL_CHARS_MAX {
            return bad("webhook_url", "must have at most 255 characters");
        }
        let keys = ApiKeys::new(&settings.api_key, settings.api_secret.clone())?;
        Ok(Self {
            settings,
            keys: ArcSwap::from_pointee(keys),
            http,
            is_key_refused: AtomicBool::new(false),
        })
    }

    /// Replaces the keys from the next call on. Calls that have started finish with the old keys. plugNmeet mints join
    /// and download tokens itself at each call, so a rotation needs nothing else.
    pub(crate) fn replace_keys(&self, keys: ApiKeys) {
        self.keys.store(Arc::new(keys));
        if self.is_key_refused.swap(false, Ordering::Relaxed) {
            // The new keys count as accepted until an answer refuses them.
            self.http.report_access(Peer::PlugNmeet, None);
        }
    }
}

#[async_trait]
impl Conference for PlugNmeet {
    async fn create_room(&self, room: NewRoom) -> Result<CreatedRoom, ConferenceError> {
        let body = create::body(&room, &self.settings)?;
        self.call(Operation::CreateRoom, "room/create", &body, |envelope| {
            create::read(envelope, room.meeting)
        })
        .await
    }

    async fn join_address(
        &self,
        room: &RoomId,
        joiner: Joiner,
    ) -> Result<SecretString, ConferenceError> {
        let body = join::body(room, &joiner)?;
        let external = &self.settings.external_url;
        self.call(
            Operation::MintToken,
            "room/getJoinToken",
            &body,
            |envelope| Ok(join::address(external, &envelope.token()?)),
        )
        .await
    }

    async fn room_activity(&self, room: &RoomId) -> Result<RoomActivity, ConferenceError> {
        let body = serde_json::json!({ "room_id": room });
        self.call(Operation::Ask, "room/isRoomActive", &body, |envelope| {
            envelope.activity()
        })
        .await
    }

    async fn end_room(&self, room: &RoomId) -> Result<EndAnswer, ConferenceError> {
        let body = serde_json::json!({ "room_id": room });
        self.call(Operation::EndRoom, "room/endRoom", &body, |envelope| {
            envelope.end()
        })
        .await
    }

    async fn artifacts(&self, sid: &Sid) -> Result<Vec<FoundArtifact>, ConferenceError> {
        let mut found = self.fetch_all(sid, &artifacts::RECORDINGS).await?;
        found.extend(self.fetch_all(sid, &artifacts::ARTIFACTS).await?);
        let mut known = HashSet::new();
        found.retain(|one| known.insert(one.id.clone()));
        found.truncate(artifacts::FOUND_MAX);
        Ok(found)
    }

    async fn download_address(
        &self,
        id: &ArtifactId,
        kind: ArtifactKind,
    ) -> Result<SecretString, ConferenceError> {
        let token = self.download_token(id, kind).await?;
        let address = download::address(&self.settings.external_url, kind, &token);
        Ok(SecretString::from(String::from(address)))
    }

    async fn summary_text(&self, id: &ArtifactId) -> Result<String, ConferenceError> {
        let token = self.download_token(id, ArtifactKind::Summary).await?;
        let address = download::address(&self.settings.url, ArtifactKind::Summary, &token);
        let file = self.download(address).await?;
        // Parsing a hostile text may take long, so it must not block a thread of the async runtime.
        tokio::task::spawn_blocking(move || summary::markdown(&file))
            .await
            .map_err(|_| ConferenceError::Refused {
                why: "the summary cannot be converted".to_owned(),
            })
    }
}
