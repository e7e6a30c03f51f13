//! Titles: a template, or what a person wrote.

use minijinja::{Environment, UndefinedBehavior, context};

use crate::domain::text::neutralise_line;

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
        Ok(Self {
            source: Some(source),
            uses_title,
        })
    }

    /// The title: never empty, neutralised, at most [`TITLE_CHARS_MAX`] characters. What a person wrote wins,
    /// unless the template uses it.
    pub(super) fn render(&self, titled: &Titled<'_>) -> String {
        let written = neutralise_line(titled.title, TITLE_CHARS_MAX);
        if !self.uses_title && !written.is_empty() {
            return written;
        }
        let source = match &self.source {
            Some(source) => source.as_str(),
            None if titled.channel.is_empty() => TITLE_LAST,
            None => TITLE_DEFAULT,
        };
        // It was tried out; should it fail for these values, the person gets a meeting all the same.
        let rendered = render(source, titled).unwrap_or_default();
        let candidates = [neutralise_line(&rendered, TITLE_CHARS_MAX), written];
        candidates
            .into_iter()
            .find(|title| !title.is_empty())
            .unwrap_or_else(|| TITLE_LAST.to_owned())
    }
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
