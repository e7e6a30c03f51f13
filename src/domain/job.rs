//! Jobs: each is one effect on one peer, which follows from the facts of a meeting.

use std::fmt;
use std::str::FromStr;

use super::label::labels;
use super::{ArtifactId, BadId, MeetingId, PostKey, RequestId, Timestamp};

labels! {
    /// Which of the two servers a job calls.
    pub enum Peer {
        /// Mattermost.
        Mattermost = "mattermost",
        /// plugNmeet.
        PlugNmeet = "plugnmeet",
    }
}

/// A post that is made once and never edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Notice {
    /// The meeting starts.
    Start,
    /// The meeting is over: ended, missed, cancelled or failed.
    End,
}

impl Notice {
    /// The word in job ids.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
        }
    }

    /// The key of its row. The start uses the card's key and the end the last reply's, so that a meeting
    /// that runs while the delivery method changes gets no second notice of its start or end.
    pub const fn post_key(self) -> PostKey {
        match self {
            Self::Start => PostKey::Card,
            Self::End => PostKey::Final,
        }
    }
}

/// One effect. The numbers in some variants make every effect a job of its own: a repeated poll is another job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Job {
    /// Make the room.
    CreateRoom,
    /// End the room.
    EndRoom {
        /// How many times this was done before.
        tried: u32,
    },
    /// Ask whether the room still runs.
    PollRoom {
        /// How many times this was done before.
        polled: u32,
    },
    /// Ask plugNmeet which artifacts the session left behind.
    PollArtifacts {
        /// The step of the schedule, counted from 0.
        step: u32,
    },
    /// Read the text of a summary.
    FetchArtifact {
        /// Which.
        artifact: ArtifactId,
    },
    /// Post the card, or update it.
    RefreshCard {
        /// The version of the card for which the job was published. The newest version is shown.
        version: u64,
    },
    /// Post a notice.
    PostNotice {
        /// Which.
        notice: Notice,
    },
    /// Post an artifact in the card's thread, or as a notice.
    PostArtifact {
        /// Which.
        artifact: ArtifactId,
    },
    /// Answer a request that the card does not answer.
    Answer {
        /// Which.
        request: RequestId,
    },
    /// Find out whether somebody other than the starter may end the meeting.
    CheckRight {
        /// The request of that person.
        request: RequestId,
    },
    /// Delete duplicates of a post whose answer was lost.
    TidyPosts {
        /// Which post.
        post: PostKey,
    },
}

impl Job {
    /// The word for this job in ids, logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CreateRoom => "CreateRoom",
            Self::EndRoom { .. } => "EndRoom",
            Self::PollRoom { .. } => "PollRoom",
            Self::PollArtifacts { .. } => "PollArtifacts",
            Self::FetchArtifact { .. } => "FetchArtifact",
            Self::RefreshCard { .. } => "RefreshCard",
            Self::PostNotice { .. } => "PostNotice",
            Self::PostArtifact { .. } => "PostArtifact",
            Self::Answer { .. } => "Answer",
            Self::CheckRight { .. } => "CheckRight",
            Self::TidyPosts { .. } => "TidyPosts",
        }
    }

    /// The peer that it calls.
    pub const fn peer(&self) -> Peer {
        match self {
            Self::CreateRoom
            | Self::EndRoom { .. }
            | Self::PollRoom { .. }
            | Self::PollArtifacts { .. }
            | Self::FetchArtifact { .. } => Peer::PlugNmeet,
            Self::RefreshCard { .. }
            | Self::PostNotice { .. }
            | Self::PostArtifact { .. }
            | Self::Answer { .. }
            | Self::CheckRight { .. }
            | Self::TidyPosts { .. } => Peer::Mattermost,
        }
    }

    /// `<kind>:<detail>`, under which a meeting records that the job was given up.
    pub fn key(&self) -> String {
        format!("{}:{}", self.kind(), self.detail())
    }

    fn detail(&self) -> String {
        match self {
            Self::CreateRoom => "room".to_owned(),
            Self::EndRoom { tried: count }
            | Self::PollRoom { polled: count }
            | Self::PollArtifacts { step: count } => count.to_string(),
            Self::RefreshCard { version } => version.to_string(),
            Self::PostNotice { notice } => notice.as_str().to_owned(),
            Self::FetchArtifact { artifact } | Self::PostArtifact { artifact } => {
                artifact.to_string()
            }
            Self::Answer { request } | Self::CheckRight { request } => request.to_string(),
            Self::TidyPosts { post } => post.to_string(),
        }
    }
}

impl FromStr for Job {
    type Err = BadId;

    /// Reads what [`Job::key`] writes.
    fn from_str(key: &str) -> Result<Self, BadId> {
        let (kind, detail) = key.split_once(':').ok_or(BadId)?;
        let count = || detail.parse().map_err(|_| BadId);
        Ok(match kind {
            "CreateRoom" if detail == "room" => Self::CreateRoom,
            "EndRoom" => Self::EndRoom { tried: count()? },
            "PollRoom" => Self::PollRoom { polled: count()? },
            "PollArtifacts" => Self::PollArtifacts { step: count()? },
            "FetchArtifact" => Self::FetchArtifact {
                artifact: detail.parse()?,
            },
            "RefreshCard" => Self::RefreshCard {
                version: detail.parse().map_err(|_| BadId)?,
            },
            "PostNotice" => Self::PostNotice {
                notice: [Notice::Start, Notice::End]
                    .into_iter()
                    .find(|notice| notice.as_str() == detail)
                    .ok_or(BadId)?,
            },
            "PostArtifact" => Self::PostArtifact {
                artifact: detail.parse()?,
            },
            "Answer" => Self::Answer {
                request: detail.parse()?,
            },
            "CheckRight" => Self::CheckRight {
                request: detail.parse()?,
            },
            "TidyPosts" => Self::TidyPosts {
                post: detail.parse()?,
            },
            _ => return Err(BadId),
        })
    }
}

/// `<meeting>:<kind>:<detail>:<round>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId {
    /// The meeting that owes the job.
    pub meeting: MeetingId,
    /// The effect.
    pub job: Job,
    /// The round of the meeting when the job was published. A job of an earlier round is obsolete.
    pub round: u32,
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.meeting, self.job.key(), self.round)
    }
}

impl FromStr for JobId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let (meeting, rest) = text.split_once(':').ok_or(BadId)?;
        let (key, round) = rest.rsplit_once(':').ok_or(BadId)?;
        Ok(Self {
            meeting: meeting.parse()?,
            job: key.parse()?,
            round: round.parse().map_err(|_| BadId)?,
        })
    }
}

/// A job that follows from the facts of a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// Which.
    pub job: Job,
    /// The job is not done before this time, on our clock.
    pub due: Timestamp,
    /// Since when it is owed, on our clock. Its age counts from here, in every round.
    pub since: Timestamp,
}
