//! Reads the words in columns as enums.

use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer};

use crate::domain::State;
use crate::domain::apply::Effect;
use crate::ports::{DeadKind, Ending, QueueName};

/// The state with this word in `State::as_str`.
pub(super) fn state(word: &str) -> Option<State> {
    State::deserialize(StrDeserializer::<Error>::new(word)).ok()
}

/// The kind with this word in `DeadKind::as_str`.
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

/// The effect with this word in `Effect::as_str`.
pub(super) fn effect(word: &str) -> Option<Effect> {
    EFFECTS.into_iter().find(|effect| effect.as_str() == word)
}

/// The ending with this word in `Ending::as_str`.
pub(super) fn ending(word: &str) -> Option<Ending> {
    Ending::ALL
        .into_iter()
        .find(|ending| ending.as_str() == word)
}

/// The queue with this word in `QueueName::as_str`.
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
