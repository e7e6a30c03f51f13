//! Phrases: what starts a meeting when it is written in a channel. Mattermost compares first words only, and
//! with their case, so what counts is the whole text, never the trigger word that it sends along.

#[cfg(test)]
mod tests;

use std::fmt;

use super::text::{visible, without_emoji_names};

/// Longest phrase, in characters.
pub(crate) const PHRASE_CHARS_MAX: usize = 64;

/// One or more words that start a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Phrase {
    words: Vec<String>,
}

/// A phrase that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// Nothing but space.
    #[error("a phrase must have at least one word")]
    Empty,
    /// Too long.
    #[error("a phrase may have at most {PHRASE_CHARS_MAX} characters, this one has {chars}")]
    TooLong {
        /// Its length.
        chars: usize,
    },
    /// It ends with a sign, which would be taken for the one that separates the title.
    #[error(
        "a phrase must end with a letter or digit, `{phrase}` does not: a title may follow it after `:` or `-`"
    )]
    NoWordAtEnd {
        /// The phrase.
        phrase: String,
    },
}

/// What a text asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Match<'p> {
    /// The phrase that it begins with.
    pub phrase: &'p Phrase,
    /// What follows as a title, without separators, invisible characters and names of emoji; neither neutralised nor cut.
    pub title: Option<String>,
}

impl Phrase {
    /// Takes a phrase as it stands in the configuration; its case does not matter.
    ///
    /// # Errors
    /// It is empty, too long, or ends with a sign.
    pub(crate) fn parse(text: &str) -> Result<Self, PhraseError> {
        let chars = text.chars().count();
        if chars > PHRASE_CHARS_MAX {
            return Err(PhraseError::TooLong { chars });
        }
        let words: Vec<String> = text
            .split_whitespace()
            .map(|word| word.chars().flat_map(fold).collect())
            .collect();
        let phrase = Self { words };
        match phrase.words.last() {
            None => Err(PhraseError::Empty),
            Some(last) if !last.ends_with(is_word) => Err(PhraseError::NoWordAtEnd {
                phrase: phrase.to_string(),
            }),
            Some(_) => Ok(phrase),
        }
    }

    /// What follows this phrase in `text`; `None` if `text` does not begin with it as whole words.
    fn strip<'t>(&self, text: &'t str) -> Option<&'t str> {
        let mut rest = text.trim_start();
        for (index, word) in self.words.iter().enumerate() {
            if index > 0 {
                let trimmed = rest.trim_start();
                if trimmed.len() == rest.len() {
                    return None;
                }
                rest = trimmed;
            }
            rest = strip_word(rest, word)?;
        }
        let mut after = rest.chars();
        let goes_on = match after.next() {
            Some('\'' | '’') => after.next().is_some_and(is_word),
            Some(next) => is_word(next),
            None => false,
        };
        (!goes_on).then_some(rest)
    }

    /// How its first word may be written: in lower case, with a capital, in capitals, each alone and before a colon.
    pub(crate) fn first_words(&self) -> Vec<String> {
        let Some(word) = self.words.first() else {
            return Vec::new();
        };
        let mut letters = word.chars();
        let capital = letters.next().into_iter().flat_map(char::to_uppercase);
        let with_capital: String = capital.chain(letters).collect();
        [word.clone(), with_capital, word.to_uppercase()]
            .into_iter()
            .flat_map(|word| [format!("{word}:"), word])
            .collect()
    }

    fn chars(&self) -> usize {
        self.words.iter().map(|word| word.chars().count() + 1).sum()
    }
}

impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

/// The longest of `phrases` that `text` asks for.
///
/// A phrase of one word must be the whole text, or be followed by `:` and a title: "meet me at noon" is no request.
/// One of several words may be followed by a title, by the rest of a sentence ("meet now, please": no title), but by
/// no question ("meet now?"). Invisible characters and names of emoji count for nothing.
pub(crate) fn match_phrase<'p>(phrases: &'p [Phrase], text: &str) -> Option<Match<'p>> {
    let text = without_emoji_names(&visible(text));
    let mut by_length: Vec<&Phrase> = phrases.iter().collect();
    by_length.sort_by_key(|phrase| std::cmp::Reverse(phrase.chars()));
    by_length.into_iter().find_map(|phrase| {
        let rest = phrase.strip(&text)?;
        let is_asked = phrase.words.len() > 1
            || rest.trim().is_empty()
            || rest.trim_start().starts_with(COLONS);
        (is_asked && !is_question(rest)).then(|| Match {
            phrase,
            title: title(rest).map(str::to_owned),
        })
    })
}

/// What may stand before a title of a one-word phrase; the second one is the wide form of East Asian keyboards.
const COLONS: [char; 2] = [':', '：'];
/// Behind these the rest of the sentence follows, and no title.
const COMMAS: [char; 7] = [',', ';', '，', '；', '、', '،', '؛'];
/// The same where they touch the phrase: a title may begin with them ("meet now .NET").
const STOPS: [char; 6] = ['.', '!', '…', '。', '！', '।'];
const QUESTIONS: [char; 5] = ['?', '？', '؟', '⁇', '‽'];

/// What stands between a phrase and a title.
fn is_separator(c: char) -> bool {
    COLONS.contains(&c) || matches!(c, '-' | '–' | '—' | '|')
}

/// Whether the person asks the others and not us. A title behind a separator may be a question.
fn is_question(rest: &str) -> bool {
    let follows = rest.trim_start();
    let has_mark = || {
        let mut marks = follows.match_indices(QUESTIONS);
        // Not within an address.
        marks.any(|(at, mark)| {
            let next = follows[at + mark.len()..].chars().next();
            next.is_none_or(|next| {
                next.is_whitespace() || STOPS.contains(&next) || QUESTIONS.contains(&next)
            })
        })
    };
    follows.starts_with(QUESTIONS) || (!follows.starts_with(is_separator) && has_mark())
}

fn title(rest: &str) -> Option<&str> {
    if rest.trim_start().starts_with(COMMAS) || rest.starts_with(STOPS) {
        return None;
    }
    let is_outside = |c: char| c.is_whitespace() || is_separator(c) || COMMAS.contains(&c);
    Some(rest.trim_matches(is_outside)).filter(|title| !title.is_empty())
}

fn strip_word<'t>(text: &'t str, folded: &str) -> Option<&'t str> {
    let mut wanted = folded.chars();
    let mut rest = text.chars();
    while !wanted.as_str().is_empty() {
        for c in fold(rest.next()?) {
            if wanted.next() != Some(c) {
                return None;
            }
        }
    }
    Some(rest.as_str())
}

/// Case folding: upper case first joins what lower case keeps apart (ß and SS, ς and σ).
fn fold(c: char) -> impl Iterator<Item = char> {
    c.to_uppercase().flat_map(char::to_lowercase)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
