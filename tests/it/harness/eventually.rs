//! Waiting: the one place where a test sleeps (architecture.rs holds it).

use std::time::{Duration, Instant};

use super::{PATIENCE, client};

/// The time between two calls of a probe.
const PAUSE: Duration = Duration::from_millis(20);

/// Calls `probe` until it gives something; panics with `what` when it gives nothing within [`PATIENCE`].
pub async fn eventually<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, probe).await
}

/// [`eventually`] with another bound.
pub async fn eventually_within<T>(
    bound: Duration,
    what: &str,
    probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    match within(bound, probe).await {
        Some(found) => found,
        None => panic!("waited {bound:?} in vain for {what}"),
    }
}

/// What `probe` gives within `bound`; for a caller with more to say than what it waited for.
pub async fn within<T>(bound: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let found = async {
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(bound, found).await.ok()
}

/// Waits `duration`, and panics with `what` as soon as `probe` is false. It is for what no later event proves, such as
/// a retry that does not come: the caller says why nothing would happen after `duration` that did not happen within.
pub async fn stays_true_for(duration: Duration, what: &str, mut probe: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while began.elapsed() < duration {
        assert!(probe().await, "no longer so: {what}");
        tokio::time::sleep(PAUSE).await;
    }
    assert!(probe().await, "no longer so: {what}");
}

/// The time that a fake peer, or a sender that is slow on purpose, takes: it is what the test is about, and nothing is
/// waited for.
pub async fn slow_peer_takes(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Waits until the page at `url` contains `words`, and gives its text.
pub async fn page_with(url: &str, words: &str) -> String {
    let http = client();
    eventually(&format!("{words:?} at {url}"), async || {
        let page = http.get(url).send().await.unwrap().text().await.unwrap();
        page.contains(words).then_some(page)
    })
    .await
}
