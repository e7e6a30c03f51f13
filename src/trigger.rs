//! Decides whether a post asks for a meeting. The same decision serves both sources of posts: an outgoing webhook
//! reports them, and the relay reads them later because Mattermost sends each webhook only once
//! (src/mattermost/README.md, "Delivery of integrations").

mod missed_posts;
mod own_user;
mod starts;

use std::sync::Arc;

use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::rule::Rules;
use crate::domain::{
    Conversation, Fact, MeetingId, Origin, Person, PostId, RuleChoice, ServerName, TriggerSource,
    UserId,
};

pub use missed_posts::MissedPosts;
pub use own_user::OwnUser;
pub use starts::Starts;

/// A post that may ask for a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandidatePost<'t> {
    /// Its id in Mattermost; the dedup key of the request is made of it.
    pub post: PostId,
    /// The conversation that it was posted in. Its thread is not known yet, so that it counts as outside any thread.
    pub place: Conversation,
    /// The author.
    pub by: Person,
    /// The text as the person wrote it.
    pub text: &'t str,
    /// The relay read the post itself; no outgoing webhook reported it.
    pub caught_up: bool,
}

/// The result of the decision about a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The post asks for a meeting.
    For {
        /// The dedup key of the post. It is the same for a webhook and for a post that was read later.
        origin: Origin,
        /// A [`Fact::MeetingRequested`].
        fact: Box<Fact>,
    },
    /// The post asks for nothing.
    Nothing(Idle),
    /// The person has started as many meetings as are allowed within a minute (see [`Starts`]).
    TooMuch,
}

/// Why a post asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// The relay itself wrote the post.
    OwnPost,
    /// No rule of its conversation matches the text.
    NoRule,
}

/// Decides which posts ask for a meeting.
#[derive(Debug, Clone)]
pub struct Triggers {
    /// The Mattermost server of the posts.
    pub server: ServerName,
    /// The rules that map a phrase to a meeting.
    pub rules: Arc<Rules>,
    /// The relay's own user, whose posts never start a meeting.
    pub own_user: OwnUser,
    /// The limit of starts per person.
    pub starts: Arc<Starts>,
}

impl Triggers {
    /// Decides about a post that was written at `at`, and counts it as a start if it asks for a meeting.
    pub fn asked(&self, written: CandidatePost<'_>, at: Instant) -> Asked {
        let CandidatePost {
            post,
            place,
            by,
            text,
            caught_up,
        } = written;
        let rule = match self.rule(&place, &by, text) {
            Ok(rule) => rule,
            Err(idle) => return Asked::Nothing(idle),
        };
        let key = format!("post:{post}");
        if !self.starts.admit(&place.channel, &by.user_id, &key, at) {
            return Asked::TooMuch;
        }
        Asked::For {
            origin: Origin::mattermost(&self.server, key),
            fact: Box::new(Fact::MeetingRequested {
                meeting: MeetingId::from_uuid(Uuid::now_v7()),
                place,
                by,
                via: TriggerSource::OutgoingWebhook {
                    post,
                    caught_up,
                    placed: false,
                },
                rule,
                always_new: false,
                told: None,
            }),
        }
    }

    /// Whether such a post of `user` could ask for a meeting, without knowing the user's name.
    pub fn is_candidate(&self, place: &Conversation, user: &UserId, text: &str) -> bool {
        let unnamed = Person {
            user_id: user.clone(),
            user_name: String::new(),
        };
        self.rule(place, &unnamed, text).is_ok()
    }

    fn rule(&self, place: &Conversation, by: &Person, text: &str) -> Result<RuleChoice, Idle> {
        if self.own_user.is(&by.user_id) {
            return Err(Idle::OwnPost);
        }
        let chosen = self.rules.choose_by_text(place, &by.user_name, text);
        chosen.ok_or(Idle::NoRule)
    }
}
