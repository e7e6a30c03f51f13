//! Caches shown names for a while, because a card needs the same two names whenever it changes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ports::ChatError;

/// Most names of one kind that are cached.
const NAMES_MAX: usize = 1000;
/// How long a name is valid in the cache.
const NAME_LIFE: Duration = Duration::from_secs(600);
/// How long the cache remembers that the account may not see a name.
const REFUSED_LIFE: Duration = Duration::from_secs(30);
/// After a failure, how long the server is not asked for the same name.
const FAILED_LIFE: Duration = Duration::from_secs(2);
/// Longest that a caller waits for a name.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// The cached names of one kind.
pub(super) struct Names<K>(Mutex<HashMap<K, KnownName>>);

struct KnownName {
    /// The last name that the server returned.
    name: Option<String>,
    until: Instant,
}

impl<K> Default for Names<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash> Names<K> {
    /// The name of `key`. `ask` is awaited only if the cache has no valid name. While the server does not answer, an
    /// expired name is still returned.
    pub(super) async fn get(
        &self,
        key: &K,
        ask: impl Future<Output = Result<String, ChatError>>,
    ) -> Option<String> {
        if let Some(known) = self.lock().get(key)
            && Instant::now() < known.until
        {
            return known.name.clone();
        }
        let (name, life) = match tokio::time::timeout(ANSWER_WITHIN, ask).await {
            Ok(Ok(name)) => (Some(name), NAME_LIFE),
            Ok(Err(
                ChatError::Forbidden { .. }
                | ChatError::NotFound { .. }
                | ChatError::Refused { .. },
            )) => (None, REFUSED_LIFE),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the server did not return a name");
                (None, FAILED_LIFE)
            }
            Err(_) => {
                tracing::debug!("the server did not return a name in time");
                (None, FAILED_LIFE)
            }
        };
        self.keep(key, name, life)
    }

    fn keep(&self, key: &K, name: Option<String>, life: Duration) -> Option<String> {
        let now = Instant::now();
        let mut known = self.lock();
        let name = name.or_else(|| known.get(key).and_then(|known| known.name.clone()));
        if known.len() >= NAMES_MAX && !known.contains_key(key) {
            known.retain(|_, known| now < known.until);
            if known.len() >= NAMES_MAX {
                known.clear();
            }
        }
        let entry = KnownName {
            name: name.clone(),
            until: now + life,
        };
        known.insert(key.clone(), entry);
        name
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, KnownName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask_name(names: &Names<u32>, key: u32, name: &str) -> Option<String> {
        names.get(&key, async { Ok(name.to_owned()) }).await
    }

    #[tokio::test]
    async fn name_is_asked_for_once_and_memory_is_bounded() {
        let names = Names::default();
        assert_eq!(ask_name(&names, 1, "Ana").await.as_deref(), Some("Ana"));
        assert_eq!(ask_name(&names, 1, "Other").await.as_deref(), Some("Ana"));
        for key in 2..3000 {
            ask_name(&names, key, "x").await;
        }
        assert!(names.lock().len() <= NAMES_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn server_that_does_not_answer_leaves_the_name_that_was_known() {
        let names = Names::default();
        assert_eq!(names.get(&1, std::future::pending()).await, None);
        ask_name(&names, 2, "Ana").await;
        names.keep(&2, Some("Ana".to_owned()), Duration::ZERO);
        assert_eq!(
            names.get(&2, std::future::pending()).await.as_deref(),
            Some("Ana")
        );
    }
}
