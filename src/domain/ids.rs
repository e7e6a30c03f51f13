//! Identifiers. Ours are UUIDv7. Those of the peers are short strings, whose length and characters are checked when
//! they arrive.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Timestamp;

/// Longest identifier of a peer that is accepted, in bytes. Mattermost's have 26, plugNmeet's record ids 50,
/// its room ids at most 64 (src/plugnmeet/README.md, "Creating a room").
pub(crate) const PEER_ID_BYTES_MAX: usize = 128;

/// A text that cannot be the identifier of a peer: empty, too long, or with characters outside `[A-Za-z0-9_.:-]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an identifier: it must have 1 to {PEER_ID_BYTES_MAX} characters of A-Z a-z 0-9 _ . : -"
)]
pub struct BadId;

/// Whether `text` can be the identifier of a peer.
fn is_peer_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= PEER_ID_BYTES_MAX
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'))
}

macro_rules! peer_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The identifier as the peer writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                if is_peer_id(&text) { Ok(Self(text)) } else { Err(BadId) }
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

peer_id! {
    /// The name of a configured Mattermost or plugNmeet server. Today it is always `default`.
    ServerName;
    /// A Mattermost team.
    TeamId;
    /// A Mattermost channel.
    ChannelId;
    /// A Mattermost user.
    UserId;
    /// A Mattermost post.
    PostId;
    /// plugNmeet's room (`room_id`). Ours are `mm-` and 13 lower-case base32 characters.
    RoomId;
    /// One run of a room (`sid`), a UUIDv4 of plugNmeet.
    Sid;
    /// One connection of a participant (`participant.sid`).
    ParticipantSid;
    /// A participant's user id in plugNmeet (`participant.identity`).
    Identity;
    /// An artifact or recording of plugNmeet (`artifact_id` or `record_id`).
    ArtifactId;
}

impl ServerName {
    /// The only server, until several can be configured.
    pub fn default_server() -> Self {
        Self("default".to_owned())
    }
}

impl RoomId {
    /// The room id of 13 random base32 digits (each 0..32). It is never used again after its meeting.
    pub fn from_digits(digits: [u8; 13]) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut id = String::from("mm-");
        id.extend(
            digits
                .iter()
                .map(|digit| char::from(ALPHABET[usize::from(*digit & 31)])),
        );
        Self(id)
    }

    /// The room of which this could be a breakout room: plugNmeet names those `<parent>-<n>`.
    pub fn breakout_parent(&self) -> Option<Self> {
        let (parent, number) = self.0.rsplit_once('-')?;
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let is_ours = parent.len() == 16 && parent.starts_with("mm-");
        (is_number && is_ours).then(|| Self(parent.to_owned()))
    }
}

macro_rules! own_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The identifier with this UUID, which must be a version 7.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// When it was created, on the clock of the instance that created it. Zero if it is not a UUIDv7.
            pub fn made_at(self) -> Timestamp {
                let millis = self.0.get_timestamp().map_or(0, |stamp| {
                    let (seconds, nanos) = stamp.to_unix();
                    seconds.saturating_mul(1000).saturating_add(u64::from(nanos) / 1_000_000)
                });
                Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Uuid::try_parse(text).map(Self).map_err(|_| BadId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

own_id! {
    /// The id of an event, which ingress assigns. It is the `ref` in error texts and the `X-Request-Id` of the answer.
    EventId;
    /// The id of a person's request. The links of the relay contain it. It equals the id of the event of the request.
    RequestId;
    /// The id of a meeting, which ingress assigns to the request for it.
    MeetingId;
}

impl From<EventId> for RequestId {
    fn from(id: EventId) -> Self {
        Self(id.0)
    }
}

impl From<RequestId> for EventId {
    fn from(id: RequestId) -> Self {
        Self(id.0)
    }
}
