//! Titles: a template, or what a person wrote.

use minijinja::{Environment, UndefinedBehavior, context};
use serde::{Deserialize, Serialize};

use crate::domain::text::clean_title;

/// Longest title, in characters (plugNmeet takes 255, a card's heading wants less).
pub const TITLE_CHARS_MAX: usize = 128;
/// The template of a rule without one.
pub const TITLE_DEFAULT: &str = "{{ channel }} meeting";
/// What a template may use: `channel` (its name in addresses, empty in a direct message), `team` (likewise),
/// `user` (who asks, without @), `title` (what they wrote, empty if nothing).
pub const TITLE_VARIABLES: [&str; 4] = ["channel", "team", "user", "title"];

/// When nothing else is left.
const TITLE_LAST: &str = "Meeting";
/// Longest template, in bytes.
const TEMPLATE_BYTES_MAX: usize = 4096;
/// Steps that one rendering may take: some hundred times what a title needs.
const FUEL: u64 = 10_000;

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TitleError {
    /// It cannot be read, or fails when it is tried out.
    #[error("`{template}`: {why}")]
    Bad {
        /// The template.
        template: String,
        /// What minijinja says.
        why: String,
    },
    /// It uses a name that does not exist.
    #[error("`{template}`: there is no `{name}`; known are {}", TITLE_VARIABLES.join(", "))]
    UnknownName {
        /// The template.
        template: String,
        /// The name.
        name: String,
    },
    /// It is too long.
    #[error("a title template may have at most {TEMPLATE_BYTES_MAX} bytes, this one has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

/// A template that was tried out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TitleTemplate {
    /// `None`: the default.
    source: Option<String>,
    /// It decides itself what becomes of the title that a person wrote.
    uses_title: bool,
    /// It shows a name that the chat server can show better.
    uses_names: bool,
}

/// What a template is rendered with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Titled<'a> {
    pub(super) channel: &'a str,
    pub(super) team: &'a str,
    pub(super) user: &'a str,
    pub(super) title: &'a str,
}

impl TitleTemplate {
    /// Compiles `source` and tries it out.
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
        let tried = Titled {
            channel: "town-square",
            team: "team",
            user: "ana",
            title: "",
        };
        // Both ways, so that a branch on the title is tried out too.
        for title in ["", "Weekly sync"] {
            render(&source, &Titled { title, ..tried }).map_err(bad)?;
        }
        let uses_title = names.iter().any(|name| name == "title");
        let uses_names = names.iter().any(|name| name == "channel" || name == "user");
        Ok(Self {
            source: Some(source),
            uses_title,
            uses_names,
        })
    }

    /// The title: never empty, clean, at most [`TITLE_CHARS_MAX`] characters, and how it came to be if a template
    /// with names made it. What a person wrote wins, unless the template uses it.
    pub(super) fn render(&self, titled: &Titled<'_>) -> (String, Option<TitleSource>) {
        let written = written(titled.title);
        if !self.uses_title && !written.is_empty() {
            return (written, None);
        }
        let template = match &self.source {
            Some(source) => source.as_str(),
            None if titled.channel.is_empty() => TITLE_LAST,
            None => TITLE_DEFAULT,
        };
        let source = TitleSource {
            template: template.to_owned(),
            written,
        };
        let title = source.title(titled.channel, titled.team, titled.user);
        let has_names = self.source.is_none() || self.uses_names;
        let source = (has_names && template != TITLE_LAST).then_some(source);
        (title, source)
    }
}

/// How a title came to be: by it the title is made once more when the chat server has told the names that it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TitleSource {
    /// The template, at most [`TEMPLATE_BYTES_MAX`] bytes.
    template: String,
    /// What the person wrote, clean; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    written: String,
}

impl TitleSource {
    /// The title with these names: never empty, clean, at most [`TITLE_CHARS_MAX`] characters.
    pub fn title(&self, channel: &str, team: &str, user: &str) -> String {
        let titled = Titled {
            channel,
            team,
            user,
            title: &self.written,
        };
        // It was tried out; should it fail for these values, the person gets a meeting all the same.
        let rendered = render(&self.template, &titled).unwrap_or_default();
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

/// What a person wrote as a title, clean; empty if it says nothing: nothing but signs and mentions.
fn written(title: &str) -> String {
    let title = clean_title(title, TITLE_CHARS_MAX);
    // The last four stand for signs of Markdown in a clean title.
    let is_sign = |c: char| {
        c.is_ascii_punctuation() || matches!(c, '…' | '！' | '？' | '。' | '‹' | '›' | '∗' | '∖')
    };
    let says_something = title
        .split(' ')
        .filter(|word| {
            !word
                .trim_start_matches(['(', '['])
                .starts_with(['@', '＠', '~'])
        })
        .any(|word| !word.chars().all(is_sign));
    if says_something { title } else { String::new() }
}

fn render(source: &str, titled: &Titled<'_>) -> Result<String, minijinja::Error> {
    let Titled {
        channel,
        team,
        user,
        title,
    } = *titled;
    environment().render_str(source, context! { channel, team, user, title })
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment
}
