//! Chooses whom the post of a meeting's first artifact mentions.

use serde::{Deserialize, Serialize};

use crate::domain::{ArtifactId, Job, PostKey, Timestamp, UserId};

use super::Meeting;

/// Most people whom one post mentions.
const MENTIONS_MAX: usize = 20;

/// Length of a user id of Mattermost, in bytes. The identity of a guest has another format.
const USER_ID_BYTES: usize = 26;

/// Whom the post of a meeting's first artifact mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Notify {
    /// The person who started the meeting.
    #[default]
    Starter,
    /// Everybody who took part and is known to Mattermost.
    Participants,
    /// Nobody.
    Nobody,
}

impl Notify {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Meeting {
    /// Whom the post of this artifact mentions. Only the first post mentions anybody, in the order in which posting
    /// began. A post that was given up mentioned nobody.
    pub fn mentioned_by(&self, artifact: &ArtifactId) -> Vec<UserId> {
        if self.is_first_post(artifact) {
            self.people_to_notify()
        } else {
            Vec::new()
        }
    }

    fn is_first_post(&self, artifact: &ArtifactId) -> bool {
        let begun_at = |id: &ArtifactId| {
            let row = self.post(&PostKey::Artifact(id.clone()))?;
            let job = Job::PostArtifact {
                artifact: id.clone(),
            };
            let may_stand = row.is_posted() || !self.given_up.contains(&job.key());
            row.first_tried_at.filter(|_| may_stand)
        };
        let own = (begun_at(artifact).unwrap_or(LAST), artifact);
        self.artifacts
            .keys()
            .filter(|id| *id != artifact)
            .filter_map(|id| Some((begun_at(id)?, id)))
            .all(|other| own < other)
    }

    fn people_to_notify(&self) -> Vec<UserId> {
        match self.rule.notify {
            Notify::Nobody => Vec::new(),
            Notify::Starter => self
                .starter()
                .map(|by| by.user_id.clone())
                .into_iter()
                .collect(),
            Notify::Participants => self.participants(),
        }
    }

    /// The participants with a user id of Mattermost, in the order of their first appearance.
    fn participants(&self) -> Vec<UserId> {
        let is_user = |identity: &str| {
            identity.len() == USER_ID_BYTES
                && identity
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        let mut seen: Vec<_> = self
            .people
            .values()
            .filter(|presence| presence.took_part() && is_user(presence.identity.as_str()))
            .map(|presence| {
                (
                    presence.joined_at.or(presence.left_at),
                    presence.identity.as_str(),
                )
            })
            .collect();
        seen.sort_unstable();
        let mut users: Vec<UserId> = Vec::new();
        for (_, identity) in seen {
            if let Ok(user) = identity.parse::<UserId>()
                && !users.contains(&user)
            {
                users.push(user);
            }
        }
        users.truncate(MENTIONS_MAX);
        users
    }
}

/// Later than every post that has begun.
const LAST: Timestamp = Timestamp::from_millis(i64::MAX);
