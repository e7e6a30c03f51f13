//! Rules: which phrases start a meeting in which conversation, and with what options. The first rule that matches wins.

#[cfg(test)]
mod tests;
mod title;

use std::time::Duration;

use super::phrase::{Phrase, PhraseError, match_phrase};
use super::{Conversation, ConversationKind, Moderators, Notify, RuleChoice};

pub use title::{TITLE_CHARS_MAX, TITLE_DEFAULT, TITLE_VARIABLES, TitleError, TitleSource};
use title::{TitleTemplate, TitleVariables};

/// How long after a request a room may still be created, unless a rule sets its own `start_deadline`.
pub const START_DEADLINE_DEFAULT: Duration = Duration::from_secs(15 * 60);
/// Longest `start_deadline`: nobody waits longer for a meeting that was meant to start at once.
pub const START_DEADLINE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A rule as the configuration has it, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSpec {
    /// The phrases that start a meeting. Without one, the rule applies only to slash commands.
    pub phrases: Vec<String>,
    /// Ids or names of the teams that the rule applies to; empty: every team.
    pub teams: Vec<String>,
    /// Ids or names of the channels that the rule applies to; empty: every channel.
    pub channels: Vec<String>,
    /// A minijinja template for titles ([`TITLE_VARIABLES`]); `None` for [`TITLE_DEFAULT`], and "Meeting" in a
    /// direct message.
    pub title: Option<String>,
    /// Who joins as moderator.
    pub moderators: Moderators,
    /// How long after the request a room may still be created.
    pub start_deadline: Duration,
    /// Whom the post about the first artifact of a meeting mentions.
    pub notify: Notify,
}

impl Default for RuleSpec {
    fn default() -> Self {
        Self {
            phrases: vec!["meet now".to_owned(), "meet".to_owned()],
            teams: Vec::new(),
            channels: Vec::new(),
            title: None,
            moderators: Moderators::default(),
            start_deadline: START_DEADLINE_DEFAULT,
            notify: Notify::default(),
        }
    }
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// One of its phrases is not valid.
    #[error("phrases: {0}")]
    Phrase(#[from] PhraseError),
    /// Its title template is not valid.
    #[error("title: {0}")]
    Title(#[from] TitleError),
    /// Its `start_deadline` is zero or longer than [`START_DEADLINE_MAX`].
    #[error("start_deadline: must be more than 0 s and at most {} h", START_DEADLINE_MAX.as_secs() / 3600)]
    StartDeadline,
}

/// One rule that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    phrases: Vec<Phrase>,
    teams: Vec<String>,
    channels: Vec<String>,
    title: TitleTemplate,
    moderators: Moderators,
    start_deadline: Duration,
    notify: Notify,
}

impl Rule {
    /// Checks a rule. Its title template is compiled and rendered with examples.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn new(spec: RuleSpec) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut phrases = Vec::with_capacity(spec.phrases.len());
        for phrase in &spec.phrases {
            match Phrase::parse(phrase) {
                Ok(phrase) => phrases.push(phrase),
                Err(error) => errors.push(error.into()),
            }
        }
        if spec.start_deadline.is_zero() || spec.start_deadline > START_DEADLINE_MAX {
            errors.push(RuleError::StartDeadline);
        }
        let title = match TitleTemplate::new(spec.title) {
            Ok(title) => title,
            Err(error) => {
                errors.push(error.into());
                return Err(errors);
            }
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            phrases,
            teams: spec.teams,
            channels: spec.channels,
            title,
            moderators: spec.moderators,
            start_deadline: spec.start_deadline,
            notify: spec.notify,
        })
    }

    fn applies_to(&self, place: &Conversation) -> bool {
        let team = place.team.as_ref().map_or("", |team| team.as_str());
        is_listed(&self.teams, team, &place.team_name)
            && is_listed(&self.channels, place.channel.as_str(), &place.channel_name)
    }

    fn choose(&self, place: &Conversation, user_name: &str, written: Option<&str>) -> RuleChoice {
        let is_direct = place.kind == ConversationKind::Direct;
        let (title, title_source) = self.title.render(&TitleVariables {
            // The channel name of a direct message consists of two user ids.
            channel: if is_direct { "" } else { &place.channel_name },
            team: &place.team_name,
            user: user_name,
            title: written.unwrap_or_default(),
        });
        RuleChoice {
            title,
            title_source,
            moderators: self.moderators,
            start_deadline: self.start_deadline,
            notify: self.notify,
        }
    }
}

/// All rules, in the order of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
    built_in: Rule,
}

impl Rules {
    /// Takes these rules; if there are none, the built-in one.
    pub fn new(rules: Vec<Rule>) -> Self {
        let built_in = Rule {
            phrases: Vec::new(),
            teams: Vec::new(),
            channels: Vec::new(),
            title: TitleTemplate::default(),
            moderators: Moderators::default(),
            start_deadline: START_DEADLINE_DEFAULT,
            notify: Notify::default(),
        };
        let rules = match (rules.is_empty(), Rule::new(RuleSpec::default())) {
            (true, Ok(rule)) => vec![rule],
            _ => rules,
        };
        Self { rules, built_in }
    }

    /// The rule that applies if the configuration has no `[[rule]]`: "meet now" and "meet", in every channel.
    pub fn built_in() -> Self {
        Self::new(Vec::new())
    }

    /// The options of the meeting that a post asks for, by the first rule whose conversation and phrase match; `None`
    /// if it asks for none.
    pub fn choose_by_text(
        &self,
        place: &Conversation,
        user_name: &str,
        text: &str,
    ) -> Option<RuleChoice> {
        self.rules
            .iter()
            .filter(|rule| rule.applies_to(place))
            .find_map(|rule| {
                let matched = match_phrase(&rule.phrases, text)?;
                Some(rule.choose(place, user_name, matched.title.as_deref()))
            })
    }

    /// The first words of all phrases in the ways that people write them: in lower case, capitalised and in upper case,
    /// each alone and before a colon. All are needed as trigger words, because outgoing webhooks compare them exactly.
    pub fn first_words(&self) -> Vec<String> {
        let phrases = self.rules.iter().flat_map(|rule| &rule.phrases);
        let mut words: Vec<String> = phrases.flat_map(Phrase::first_words).collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    /// The options of the meeting that a slash command asks for, by the first rule whose conversation matches, else by
    /// the built-in one.
    pub fn choose_by_command(
        &self,
        place: &Conversation,
        user_name: &str,
        title: Option<&str>,
    ) -> RuleChoice {
        self.rules
            .iter()
            .find(|rule| rule.applies_to(place))
            .unwrap_or(&self.built_in)
            .choose(place, user_name, title)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::built_in()
    }
}

/// Whether `list` is empty or contains the id or the name. Mattermost's names are lower case, but people may write them
/// differently in the configuration.
fn is_listed(list: &[String], id: &str, name: &str) -> bool {
    let is_meant = |entry: &String| {
        (!id.is_empty() && entry == id) || (!name.is_empty() && entry.eq_ignore_ascii_case(name))
    };
    list.is_empty() || list.iter().any(is_meant)
}
