//! Posts: what they show, and what the chat workers store about each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text::beginning;
use super::{ArtifactId, BadId, PostId, RequestId, Timestamp};

/// What a post shows. It depends on no platform except for its Markdown. Every text in it is neutralised and cut
/// already.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// The post's own text. Never empty, so that Mattermost can show its mark of an edit behind it.
    pub message: String,
    /// At most one framed block.
    pub attachment: Option<Attachment>,
    /// Follows a text that had to be cut, and says where the whole text is.
    pub continued: String,
}

impl Rendered {
    /// The length of its own text in characters.
    pub fn chars(&self) -> usize {
        self.message.chars().count()
    }

    /// The same with texts of at most `chars_max` characters. A longer text is cut, and the note where the whole text
    /// is follows.
    #[must_use]
    pub fn shortened(&self, chars_max: usize) -> Self {
        let mut short = self.clone();
        short.message = beginning(&self.message, chars_max, &self.continued);
        if let Some(attachment) = &mut short.attachment {
            attachment.text = beginning(&attachment.text, chars_max, &self.continued);
        }
        short
    }
}

/// A framed block below a post's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The content as a sentence, for notifications and old clients.
    pub fallback: String,
    /// The colour of the state, as `#rrggbb`.
    pub color: &'static str,
    /// The heading.
    pub title: String,
    /// Where the heading leads.
    pub title_link: Option<String>,
    /// Markdown under the heading.
    pub text: String,
    /// Two columns under the text.
    pub fields: Vec<Field>,
    /// Small and grey, last.
    pub footer: String,
}

/// One short field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its heading.
    pub title: String,
    /// Its value.
    pub value: String,
}

/// Names a post of a meeting. Its text form is part of the relay's property on the post.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PostKey {
    /// The card, or the notice that the meeting starts.
    Card,
    /// The report of the end: a notice, or the reply under a card that can no longer be changed.
    Final,
    /// The reply or notice about one artifact.
    Artifact(ArtifactId),
    /// The answer to one request.
    Answer(RequestId),
    /// "Invite the bot", to the person whose card cannot be posted.
    Invite,
}

impl fmt::Display for PostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Card => f.write_str("card"),
            Self::Final => f.write_str("final"),
            Self::Artifact(id) => write!(f, "artifact:{id}"),
            Self::Answer(id) => write!(f, "answer:{id}"),
            Self::Invite => f.write_str("invite"),
        }
    }
}

impl FromStr for PostKey {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        match text.split_once(':') {
            None if text == "card" => Ok(Self::Card),
            None if text == "final" => Ok(Self::Final),
            None if text == "invite" => Ok(Self::Invite),
            Some(("artifact", id)) => id.parse().map(Self::Artifact),
            Some(("answer", id)) => id.parse().map(Self::Answer),
            _ => Err(BadId),
        }
    }
}

impl TryFrom<String> for PostKey {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<PostKey> for String {
    fn from(key: PostKey) -> Self {
        key.to_string()
    }
}

/// Why a post is never changed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frozen {
    /// A person deleted it. Nothing more is posted for this meeting.
    Deleted,
    /// It can no longer be edited. A reply shows the final state.
    NotEditable,
    /// It was never posted and cannot be posted any more, because its response URL has expired.
    Lapsed,
}

/// What is stored about one post. Only chat workers write it. It is loaded with its meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct PostRow {
    /// When the first POST was about to be sent, on our clock. It is committed before the POST.
    pub first_tried_at: Option<Timestamp>,
    /// The id of the post, once it is known.
    pub post: Option<PostId>,
    /// When the id became known, on our clock. For a notice: when it was posted.
    pub posted_at: Option<Timestamp>,
    /// The root of its thread.
    pub root: Option<PostId>,
    /// The version of the card that the post shows; 0 before the first. For an answer: the version of the meeting whose
    /// failed end it reported; 0 if it reported something else.
    pub rendered: u64,
    /// The answer was sent. An answer through a response URL has no post.
    pub answered: bool,
    /// Why the post is never changed again, if that is so.
    pub frozen: Option<Frozen>,
    /// When duplicates are looked for, because the answer to a POST was lost.
    pub tidy_at: Option<Timestamp>,
    /// Since when the bot cannot post in the channel: it is not a member, may not post, or the channel is archived.
    pub outside_since: Option<Timestamp>,
    /// The number of POSTs of a notice that were, or may have been, carried out. It is committed before each POST.
    #[serde(default)]
    pub sent: u32,
    /// Set while the outcome of the last POST of a notice is unknown. At this time it is sent once more, or counts as
    /// posted.
    #[serde(default)]
    pub again_at: Option<Timestamp>,
}

impl PostRow {
    /// Whether it was posted. The id of a notice is never known.
    pub fn is_posted(&self) -> bool {
        self.post.is_some() || self.posted_at.is_some()
    }

    /// Whether nothing more is to be posted: it was posted, or never can be.
    pub fn is_settled(&self) -> bool {
        self.is_posted() || self.frozen.is_some()
    }
}
