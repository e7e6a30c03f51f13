//! Whether a post asks for a meeting. Decided here for both ways in which posts come: told by an outgoing webhook, and
//! read later because Mattermost tells each only once (src/mattermost/README.md, "Delivery of integrations").

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
    /// Which.
    pub post: PostId,
    /// Where it stands; posts count as outside any thread.
    pub place: Conversation,
    /// Who wrote it.
    pub by: Person,
    /// What it says, as the person wrote it.
    pub text: &'t str,
    /// It was read, and not told.
    pub caught_up: bool,
}

/// What a post asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A meeting.
    For {
        /// The key by which the same post is known again, however it comes.
        origin: Origin,
        /// `MeetingRequested`.
        fact: Box<Fact>,
    },
    /// Nothing of us.
    Nothing(Idle),
    /// One more than a person may start in a minute.
    TooMuch,
}

/// Why a post asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// The relay wrote it.
    OwnPost,
    /// No rule of its place knows its words.
    NoRule,
}

/// Decides about posts.
#[derive(Debug, Clone)]
pub struct Triggers {
    /// The Mattermost server that the posts are of.
    pub server: ServerName,
    /// What starts meetings.
    pub rules: Arc<Rules>,
    /// Whose posts never do.
    pub own_user: OwnUser,
    /// How often a person may.
    pub starts: Arc<Starts>,
}

impl Triggers {
    /// What a post asks for that was written at `at`.
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

    /// Whether such a post of `user` could ask for a meeting, whatever the user is called.
    pub fn is_candidate(&self, place: &Conversation, user: &UserId, text: &str) -> bool {
        let nameless = Person {
            user_id: user.clone(),
            user_name: String::new(),
        };
        self.rule(place, &nameless, text).is_ok()
    }

    fn rule(&self, place: &Conversation, by: &Person, text: &str) -> Result<RuleChoice, Idle> {
        if self.own_user.is(&by.user_id) {
            return Err(Idle::OwnPost);
        }
        let chosen = self.rules.choose_by_text(place, &by.user_name, text);
        chosen.ok_or(Idle::NoRule)
    }
}
