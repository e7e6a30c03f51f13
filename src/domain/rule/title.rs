//! Titles of meetings: made by a rule's template, or written by a person.

use minijinja::{Environment, UndefinedBehavior, context};
use serde::{Deserialize, Serialize};

use crate::domain::text::clean_title;

/// Longest title, in characters. plugNmeet accepts 255, but a card's heading should be shorter.
pub const TITLE_CHARS_MAX: usize = 128;
/// The template of a rule that does not set one.
pub const TITLE_DEFAULT: &str = "{{ channel }} meeting";
/// The variables of a template: `channel` (its name in addresses, empty in a direct message), `team` (likewise), `user`
/// (the user name of the person who asks, without @), `title` (what they wrote, or empty).
pub const TITLE_VARIABLES: [&str; 4] = ["channel", "team", "user", "title"];

/// The title if the template and the person's text result in an empty one.
const TITLE_LAST: &str = "Meeting";
/// Longest template, in bytes.
const TEMPLATE_BYTES_MAX: usize = 4096;
/// Most steps of one rendering, as minijinja counts them: some hundred times what a title needs.
const FUEL: u64 = 10_000;

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TitleError {
    /// It cannot be parsed, or rendering an example fails.
    #[error("`{template}`: {why}")]
    Bad {
        /// The template.
        template: String,
        /// The error of minijinja.
        why: String,
    },
    /// It uses a variable that does not exist.
    #[error("`{template}`: unknown variable `{name}`; use {}", TITLE_VARIABLES.join(", "))]
    UnknownName {
        /// The template.
        template: String,
        /// The variable's name.
        name: String,
    },
    /// It is longer than `TEMPLATE_BYTES_MAX`.
    #[error("a title template may have at most {TEMPLATE_BYTES_MAX} bytes, this one has {bytes}")]
    TooLong {
        /// Its length, in bytes.
        bytes: usize,
    },
}

/// A template that was checked by rendering examples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TitleTemplate {
    /// `None`: the default template.
    source: Option<String>,
    /// The template uses the title that a person wrote, which would replace the template's otherwise.
    uses_title: bool,
    /// The template uses a channel or user name, for which the chat server has a display name.
    uses_names: bool,
}

/// The values of a template's variables.
#[derive(Debug, Clone, Copy)]
pub(super) struct TitleVariables<'a> {
    pub(super) channel: &'a str,
    pub(super) team: &'a str,
    pub(super) user: &'a str,
    pub(super) title: &'a str,
}

impl TitleTemplate {
    /// Compiles `source` and checks it by rendering examples.
    pub(super) fn new(source: Option<String>) -> Result<Self, TitleError> {
        let Some(source) = source else {
            return Ok(Self::default());
        };
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(TitleError::TooLong {
                bytes: source.len(),
            });
        }
        let bad = |error: minijinja::Error| TitleError::Bad {
            template: source.clone(),
            why: error.to_string(),
        };
        let environment = environment();
        let template = environment.template_from_str(&source).map_err(bad)?;
        let mut names: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        names.sort_unstable();
        let is_known = |name: &String| {
            TITLE_VARIABLES.contains(&name.as_str())
                || environment.globals().any(|(global, _)| global == name)
        };
        if let Some(name) = names.iter().find(|name| !is_known(name)) {
            return Err(TitleError::UnknownName {
                template: source.clone(),
                name: name.clone(),
            });
        }
        let example = TitleVariables {
            channel: "town-square",
            team: "team",
            user: "ana",
            title: "",
        };
        // With and without a title, so that a branch on the title is checked too.
        for title in ["", "Weekly sync"] {
            render(&source, &TitleVariables { title, ..example }).map_err(bad)?;
        }
        let uses_title = names.iter().any(|name| name == "title");
        let uses_names = names.iter().any(|name| name == "channel" || name == "user");
        Ok(Self {
            source: Some(source),
            uses_title,
            uses_names,
        })
    }

    /// Makes the title: never empty, clean, at most [`TITLE_CHARS_MAX`] characters. The source is returned as well if a
    /// template with names made it. What a person wrote wins, unless the template uses it.
    pub(super) fn render(&self, variables: &TitleVariables<'_>) -> (String, Option<TitleSource>) {
        let written = written(variables.title);
        if !self.uses_title && !written.is_empty() {
            return (written, None);
        }
        let template = match &self.source {
            Some(source) => source.as_str(),
            None if variables.channel.is_empty() => TITLE_LAST,
            None => TITLE_DEFAULT,
        };
        let source = TitleSource {
            template: template.to_owned(),
            written,
        };
        let title = source.title(variables.channel, variables.team, variables.user);
        let has_names = self.source.is_none() || self.uses_names;
        let source = (has_names && template != TITLE_LAST).then_some(source);
        (title, source)
    }
}

/// The source of a title. The title is made of it again when the chat server has returned the display names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TitleSource {
    /// The template, at most [`TEMPLATE_BYTES_MAX`] bytes.
    template: String,
    /// The title that the person wrote, clean; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    written: String,
}

impl TitleSource {
    /// Makes the title with these names: never empty, clean, at most [`TITLE_CHARS_MAX`] characters.
    pub fn title(&self, channel: &str, team: &str, user: &str) -> String {
        let variables = TitleVariables {
            channel,
            team,
            user,
            title: &self.written,
        };
        // The template was checked. If it fails for these values all the same, the person still gets a meeting.
        let rendered = render(&self.template, &variables).unwrap_or_default();
        let candidates = [
            clean_title(&rendered, TITLE_CHARS_MAX),
            self.written.clone(),
        ];
        candidates
            .into_iter()
            .find(|title| !title.is_empty())
            .unwrap_or_else(|| TITLE_LAST.to_owned())
    }
}

/// The title that a person wrote, clean; empty if it consists only of punctuation and mentions.
fn written(title: &str) -> String {
    let title = clean_title(title, TITLE_CHARS_MAX);
    // The last four replace Markdown characters in a clean title.
    let is_punctuation = |c: char| {
        c.is_ascii_punctuation() || matches!(c, '…' | '！' | '？' | '。' | '‹' | '›' | '∗' | '∖')
    };
    let has_words = title
        .split(' ')
        .filter(|word| {
            !word
                .trim_start_matches(['(', '['])
                .starts_with(['@', '＠', '~'])
        })
        .any(|word| !word.chars().all(is_punctuation));
    if has_words { title } else { String::new() }
}

fn render(source: &str, variables: &TitleVariables<'_>) -> Result<String, minijinja::Error> {
    let TitleVariables {
        channel,
        team,
        user,
        title,
    } = *variables;
    environment().render_str(source, context! { channel, team, user, title })
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment
}
