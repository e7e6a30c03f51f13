//! Keys that take one of a few words.

use crate::domain::{Moderators, Notify};

use super::{Mismatch, Raw, Setting, quoted};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, else JSON.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The least severity that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what a person must look at.
    Error,
    /// And what went wrong and was survived.
    Warn,
    /// And one line for what people want to know of a meeting: asked for, room, card, joined, ended, posted.
    Info,
    /// And each step of each event and job.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The word for it in the configuration and in filters.
    pub fn as_str(self) -> &'static str {
        word_of(self)
    }
}

/// Who makes the broker's exchanges and queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclareSetting {
    /// The relay, whenever it connects.
    Create,
    /// Somebody else; the relay only looks whether all are there.
    Verify,
}

/// For whom the JSON of a notice is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeFormatSetting {
    /// Mattermost, with all it can show.
    Mattermost,
    /// What every server that understands Slack's incoming webhooks can show.
    Slack,
}

/// A type whose values have one word each.
trait ConfigWord: Copy + PartialEq + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

impl ConfigWord for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("human", Self::Human),
        ("json", Self::Json),
    ];
}

impl ConfigWord for LogLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

impl ConfigWord for Moderators {
    const WORDS: &'static [(&'static str, Self)] =
        &[("everyone", Self::Everyone), ("starter", Self::Starter)];
}

impl ConfigWord for Notify {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("starter", Self::Starter),
        ("participants", Self::Participants),
        ("nobody", Self::Nobody),
    ];
}

impl ConfigWord for DeclareSetting {
    const WORDS: &'static [(&'static str, Self)] =
        &[("create", Self::Create), ("verify", Self::Verify)];
}

impl ConfigWord for NoticeFormatSetting {
    const WORDS: &'static [(&'static str, Self)] =
        &[("mattermost", Self::Mattermost), ("slack", Self::Slack)];
}

fn word_of<T: ConfigWord>(value: T) -> &'static str {
    T::WORDS
        .iter()
        .find(|(_, candidate)| *candidate == value)
        .map_or("", |(word, _)| word)
}

fn one_of<T: ConfigWord>() -> String {
    let words: Vec<String> = T::WORDS.iter().map(|(word, _)| quoted(word)).collect();
    words.join(", ")
}

fn read_word<T: ConfigWord>(raw: &Raw) -> Result<T, Mismatch> {
    let instead = || format!("one of {}", one_of::<T>());
    let text = raw.text().ok_or_else(|| Mismatch::kind(raw, &instead()))?;
    T::WORDS
        .iter()
        .find(|(word, _)| *word == text.trim())
        .map(|(_, value)| *value)
        .ok_or_else(|| Mismatch::text(text, "is not known here", format!("write {}", instead())))
}

macro_rules! words {
    ($($type:ty),+) => {$(
        impl Setting for $type {
            fn type_name() -> String {
                format!("one of {}", one_of::<Self>())
            }

            fn read(raw: &Raw) -> Result<Self, Mismatch> {
                read_word(raw)
            }

            fn show(&self) -> Option<String> {
                Some(quoted(word_of(*self)))
            }
        }
    )+};
}

words!(
    LogFormat,
    LogLevel,
    Moderators,
    Notify,
    DeclareSetting,
    NoticeFormatSetting
);
