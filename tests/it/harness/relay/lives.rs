//! A relay that dies at named places (src/crash_point.rs) and is started again.

use super::{PATIENCE, Relay};
use crate::harness::eventually_within;

impl Relay {
    /// From its next start on the process dies there.
    pub fn crash_at(&mut self, place: &str) {
        self.unset("MEETRELAY_CRASH_AT");
        let trap = ("MEETRELAY_CRASH_AT".to_owned(), place.to_owned());
        self.settings.push(trap);
    }

    /// From its next start on the process dies nowhere.
    pub fn crash_nowhere(&mut self) {
        self.unset("MEETRELAY_CRASH_AT");
    }

    fn unset(&mut self, name: &str) {
        self.settings.retain(|(known, _)| known != name);
    }

    /// Starts the process as often as it dies, until `seen` resolves; tells how often it died.
    pub async fn outlive(&mut self, deaths_max: u32, seen: impl Future<Output = ()>) -> u32 {
        tokio::pin!(seen);
        let mut deaths = 0;
        let mut is_seen = false;
        while !is_seen {
            if self.child.is_none() {
                self.spawn();
            }
            let child = self.child.as_mut().expect("it was started");
            let ended = tokio::select! {
                status = child.wait() => Some(status.unwrap()),
                () = &mut seen => None,
            };
            is_seen = ended.is_none();
            if let Some(status) = ended {
                self.child = None;
                deaths += 1;
                assert!(
                    deaths <= deaths_max,
                    "it died once too often ({status}):\n{}",
                    self.last_words()
                );
            }
        }
        deaths
    }

    /// Waits until the process has died by its trap.
    pub async fn died(&mut self, place: &str) {
        let mut child = self.child.take().expect("it runs");
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        let Ok(status) = ended else {
            panic!("it never came to {place}:\n{}", self.last_words());
        };
        assert!(!status.unwrap().success());
    }

    /// Resolves when the log holds `words`; for [`Relay::outlive`], which has the relay itself in hand.
    pub fn logs(&self, words: &'static str) -> impl Future<Output = ()> + use<> {
        let path = self.log.clone();
        async move {
            let what = format!("{words:?} in the log");
            // It dies and starts again meanwhile.
            eventually_within(4 * PATIENCE, &what, async || {
                let log = std::fs::read_to_string(&path).ok()?;
                log.contains(words).then_some(())
            })
            .await;
        }
    }
}
