//! The filter that selects dead letters.

use clap::{Args, ValueEnum};

use crate::cli::admin_client::path_part;
use crate::cli::outcome::Failure;

/// The kind of messages that are not an envelope, or not signed with the relay's key.
pub(super) const UNREADABLE: &str = "unreadable";

/// Selects dead letters. All given conditions must hold.
#[derive(Debug, Clone, Args, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Only from this queue: events, conference, chat, chat.later
    #[arg(long)]
    queue: Option<String>,
    /// Only of this kind
    #[arg(long, value_enum)]
    kind: Option<KindFilter>,
    /// Only of this meeting: any REF of `why`
    #[arg(long, value_name = "REF")]
    meeting: Option<String>,
    /// Only those whose reason contains this text
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only those given up since then: 2h ago, or since 2026-01-31T08:00:00Z
    #[arg(long, value_name = "AGE|TIME")]
    since: Option<String>,
    /// Only those given up before then
    #[arg(long, value_name = "AGE|TIME")]
    before: Option<String>,
}

/// The kind of message in a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KindFilter {
    Event,
    Job,
    Unreadable,
}

impl Filter {
    /// Whether no condition is given.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a kind was chosen.
    pub(super) fn has_kind(&self) -> bool {
        self.kind.is_some()
    }

    /// The conditions as the end of the listing's query.
    ///
    /// # Errors
    /// `--since` or `--before` is neither an age nor a time.
    pub(super) fn query(&self) -> Result<String, Failure> {
        for (option, text) in [("--since", &self.since), ("--before", &self.before)] {
            check_moment(option, text.as_deref())?;
        }
        let kind = self.kind.map(|kind| kind.word().to_owned());
        let parts = [
            ("queue", &self.queue),
            ("kind", &kind),
            ("meeting", &self.meeting),
            ("reason", &self.reason),
            ("since", &self.since),
            ("before", &self.before),
        ];
        let given = parts
            .iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)));
        Ok(given
            .map(|(name, value)| format!("&{name}={}", path_part(value)))
            .collect())
    }

    /// The same, but for what was buried before this time.
    pub(super) fn before(&self, at: jiff::Timestamp) -> Self {
        Self {
            before: Some(at.to_string()),
            ..self.clone()
        }
    }
}

impl KindFilter {
    const fn word(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Job => "job",
            Self::Unreadable => UNREADABLE,
        }
    }
}

/// Checks a time or an age, so that a mistake is reported as wrong usage. The relay itself computes ages, on its clock.
fn check_moment(option: &str, text: Option<&str>) -> Result<(), Failure> {
    let is_moment = |text: &str| {
        text.parse::<jiff::Timestamp>().is_ok() || humantime::parse_duration(text).is_ok()
    };
    match text {
        Some(text) if !is_moment(text) => Err(Failure::usage(format!(
            "{option} {text:?} is neither an age like 90s, 2h or 3d nor a time like 2026-01-31T08:00:00Z"
        ))),
        _ => Ok(()),
    }
}
