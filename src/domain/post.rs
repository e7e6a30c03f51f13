//! Posts: what the relay shows, and what the chat workers keep of each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text::beginning;
use super::{ArtifactId, BadId, PostId, RequestId, Timestamp};

/// What a post shows, platform-neutral but for its Markdown. Every text in it is already neutralised and cut.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// The post's own text; never empty, so that an edit mark stands behind it.
    pub message: String,
    /// At most one framed block.
    pub attachment: Option<Attachment>,
    /// Stands below a text that had to be cut: where the whole of it is.
    pub continued: String,
}

impl Rendered {
    /// The length of its own text in characters.
    pub fn chars(&self) -> usize {
        self.message.chars().count()
    }

    /// The same with texts of at most `chars_max` characters: a longer one becomes its beginning, and where the whole
    /// of it is.
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
    /// A whole sentence, for notifications and old clients.
    pub fallback: String,
    /// `#rrggbb`: the state.
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

/// Which post of a meeting. Its text form is part of the relay's property on the post.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PostKey {
    /// The card, or the notice that the meeting starts.
    Card,
    /// How the meeting ended: a notice, or the reply under a card that can no longer be changed.
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

/// Why a post is never touched again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frozen {
    /// A person deleted it: nothing more is posted for this meeting.
    Deleted,
    /// It can no longer be edited: the final state went to a reply.
    NotEditable,
    /// It was never made, and cannot be any more: the response URL that led there has run out.
    Lapsed,
}

/// What is kept of one post. Written by chat workers only; loaded with its meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct PostRow {
    /// When the first POST was about to be made, on our clock; committed before it.
    pub first_tried_at: Option<Timestamp>,
    /// The post, once it is known.
    pub post: Option<PostId>,
    /// When it became known, on our clock; of a notice, when it was posted.
    pub posted_at: Option<Timestamp>,
    /// The root of the thread that it stands in.
    pub root: Option<PostId>,
    /// The version of the card that it shows; 0 before the first. Of an answer: the version of the meeting whose failed
    /// end it told; 0 if it told another thing.
    pub rendered: u64,
    /// An answer was given (an answer through a response URL has no post).
    pub answered: bool,
    /// Never touched again, and why.
    pub frozen: Option<Frozen>,
    /// Look for doubles at this time: the answer to a POST never came.
    pub tidy_at: Option<Timestamp>,
    /// The channel takes nothing of the bot since then: it is outside, may not post, or the channel is archived.
    pub outside_since: Option<Timestamp>,
    /// POSTs of a notice that were, or may have been, carried out; counted and committed before each.
    #[serde(default)]
    pub sent: u32,
    /// What became of the last POST of a notice is not known: at this time it is made once more, or counts as made.
    #[serde(default)]
    pub again_at: Option<Timestamp>,
}

impl PostRow {
    /// It stands there; of a notice no id is known.
    pub fn is_posted(&self) -> bool {
        self.post.is_some() || self.posted_at.is_some()
    }

    /// There is nothing more to be posted: it stands there, or never will.
    pub fn is_settled(&self) -> bool {
        self.is_posted() || self.frozen.is_some()
    }
}
