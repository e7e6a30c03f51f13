//! Closed sets as the words that stand in columns.

use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer};

use crate::domain::State;
use crate::domain::apply::Effect;
use crate::ports::{DeadKind, Ending, QueueName};

/// The state that `State::as_str` writes so.
pub(super) fn state(word: &str) -> Option<State> {
    State::deserialize(StrDeserializer::<Error>::new(word)).ok()
}

/// What `DeadKind::as_str` writes so.
pub(super) fn dead_kind(word: &str) -> Option<DeadKind> {
    [DeadKind::Event, DeadKind::Job, DeadKind::Unreadable]
        .into_iter()
        .find(|kind| kind.as_str() == word)
}

const EFFECTS: [Effect; 4] = [
    Effect::Applied,
    Effect::Duplicate,
    Effect::Conflict,
    Effect::Foreign,
];

/// What `Effect::as_str` writes so.
pub(super) fn effect(word: &str) -> Option<Effect> {
    EFFECTS.into_iter().find(|effect| effect.as_str() == word)
}

/// What `Ending::as_str` writes so.
pub(super) fn ending(word: &str) -> Option<Ending> {
    Ending::ALL
        .into_iter()
        .find(|ending| ending.as_str() == word)
}

/// What `QueueName::as_str` writes so.
pub(super) fn queue(word: &str) -> Option<QueueName> {
    QueueName::ALL
        .into_iter()
        .find(|queue| queue.as_str() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_what_wrote_it() {
        for known in [
            State::Creating,
            State::Open,
            State::Live,
            State::Ended,
            State::Missed,
            State::Cancelled,
            State::Failed,
        ] {
            assert_eq!(state(known.as_str()), Some(known));
        }
        for known in [DeadKind::Event, DeadKind::Job, DeadKind::Unreadable] {
            assert_eq!(dead_kind(known.as_str()), Some(known));
        }
        for known in EFFECTS {
            assert_eq!(effect(known.as_str()), Some(known));
        }
        for known in Ending::ALL {
            assert_eq!(ending(known.as_str()), Some(known));
        }
        for known in QueueName::ALL {
            assert_eq!(queue(known.as_str()), Some(known));
        }
        assert_eq!(effect("gone"), None);
        assert_eq!(ending("gone"), None);
        assert_eq!(queue("gone"), None);
        assert_eq!(state("gone"), None);
        assert_eq!(dead_kind("gone"), None);
    }
}
