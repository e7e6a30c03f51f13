//! Phrases: a post that begins with one starts a meeting. Mattermost compares only the first word, and its case counts.
//! So the relay matches the whole text and ignores the trigger word that Mattermost sends along.

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

/// Why a configured phrase is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// It is empty or only whitespace.
    #[error("a phrase must have at least one word")]
    Empty,
    /// It is longer than `PHRASE_CHARS_MAX`.
    #[error("a phrase may have at most {PHRASE_CHARS_MAX} characters, this one has {chars}")]
    TooLong {
        /// The length of the phrase, in characters.
        chars: usize,
    },
    /// It ends with punctuation, which could not be told apart from the separator before a title.
    #[error(
        "a phrase must end with a letter or digit, `{phrase}` does not: a title may follow it after `:` or `-`"
    )]
    NoWordAtEnd {
        /// The phrase.
        phrase: String,
    },
}

/// A phrase that a text begins with, and the title behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Match<'p> {
    /// The phrase that it begins with.
    pub phrase: &'p Phrase,
    /// The rest of the text as a title, without separators, invisible characters and emoji names; neither neutralised
    /// nor cut.
    pub title: Option<String>,
}

impl Phrase {
    /// Parses a phrase of the configuration; its case does not matter.
    ///
    /// # Errors
    /// It is empty, too long, or ends with punctuation.
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
            Some(last) if !last.ends_with(is_word_char) => Err(PhraseError::NoWordAtEnd {
                phrase: phrase.to_string(),
            }),
            Some(_) => Ok(phrase),
        }
    }

    /// The rest of `text` behind this phrase; `None` if `text` does not begin with it as whole words.
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
            Some('\'' | '’') => after.next().is_some_and(is_word_char),
            Some(next) => is_word_char(next),
            None => false,
        };
        (!goes_on).then_some(rest)
    }

    /// The ways to write its first word: in lower case, capitalised and in upper case, each alone and before a colon.
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

/// The longest of `phrases` with which `text` asks for a meeting.
///
/// A phrase of one word must be the whole text, or be followed by `:` and a title: "meet me at noon" is no request.
/// A phrase of several words may be followed by a title or by the rest of a sentence ("meet now, please" has no title),
/// but not by a question ("meet now?"). Invisible characters and emoji names are ignored.
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

/// The separators before the title of a one-word phrase; the second is the wide form of East Asian keyboards.
const COLONS: [char; 2] = [':', '：'];
/// Behind these follows the rest of a sentence, which is no title.
const COMMAS: [char; 7] = [',', ';', '，', '；', '、', '،', '؛'];
/// The same, but only directly behind the phrase: a title may begin with one of them ("meet now .NET").
const STOPS: [char; 6] = ['.', '!', '…', '。', '！', '।'];
/// Question marks.
const QUESTIONS: [char; 5] = ['?', '？', '؟', '⁇', '‽'];

/// Whether `c` separates a phrase from a title.
fn is_separator(c: char) -> bool {
    COLONS.contains(&c) || matches!(c, '-' | '–' | '—' | '|')
}

/// Whether the person asks other people a question, which is no request to the relay. A title behind a separator may be
/// a question.
fn is_question(rest: &str) -> bool {
    let follows = rest.trim_start();
    let has_mark = || {
        let mut marks = follows.match_indices(QUESTIONS);
        // A question mark within an address does not count.
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

/// The rest of `text` behind the word `folded`; `None` if `text` does not begin with it, whatever its case.
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

/// Case folding. Characters are converted to upper case first, because some have the same upper case, but not the same
/// lower case (ß and SS, ς and σ).
fn fold(c: char) -> impl Iterator<Item = char> {
    c.to_uppercase().flat_map(char::to_lowercase)
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
