//! Which posts Mattermost tells: its outgoing webhooks compare the first word of a post, with its case
//! (src/mattermost/README.md, "Trigger words"). What none of them would have told was not lost, and is nothing to catch
//! up with.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info};

use crate::domain::TeamId;
use crate::ports::{Chat, ChatError, OwnChannel, RegisteredHook};

/// How long the server's answer about its webhooks is believed.
const HOOKS_LIFE: Duration = Duration::from_secs(600);
/// Most teams whose webhooks are remembered.
const TEAMS_MAX: usize = 1000;

/// The words that are configured, and what the server tells of its webhooks.
pub(super) struct TriggerWords {
    configured: Vec<String>,
    known: HashMap<TeamId, KnownHooks>,
}

struct KnownHooks {
    /// Empty: the account may see none that calls a relay.
    hooks: Vec<RegisteredHook>,
    asked_at: Instant,
}

impl TriggerWords {
    pub(super) fn new(configured: Vec<String>) -> Self {
        Self {
            configured,
            known: HashMap::new(),
        }
    }

    /// Whether a webhook should have told of this text in this channel.
    pub(super) async fn are_told(
        &mut self,
        chat: &dyn Chat,
        channel: &OwnChannel,
        text: &str,
    ) -> Result<bool, ChatError> {
        let first_word = text.split_whitespace().next().unwrap_or_default();
        let hooks = self.hooks(chat, &channel.team).await?;
        if hooks.is_empty() {
            return Ok(self.configured.iter().any(|word| word == first_word));
        }
        Ok(hooks
            .iter()
            .filter(|hook| hook.channel.as_ref().is_none_or(|id| *id == channel.id))
            .any(|hook| calls(hook, first_word)))
    }

    /// Only a refusal means that the account may not see them; after any other failure they are asked for again.
    async fn hooks(
        &mut self,
        chat: &dyn Chat,
        team: &TeamId,
    ) -> Result<&[RegisteredHook], ChatError> {
        let is_fresh = self
            .known
            .get(team)
            .is_some_and(|known| known.asked_at.elapsed() < HOOKS_LIFE);
        if !is_fresh {
            let hooks = match chat.outgoing_hooks(team).await {
                Ok(hooks) => hooks,
                Err(
                    error @ (ChatError::Forbidden { .. }
                    | ChatError::NotFound { .. }
                    | ChatError::Refused { .. }),
                ) => {
                    debug!(%error, %team, "the outgoing webhooks are not known: mattermost.trigger_words counts");
                    Vec::new()
                }
                Err(error) => return Err(error),
            };
            if !hooks.is_empty() {
                info!(%team, hooks = hooks.len(), "trigger words read from Mattermost");
            }
            if self.known.len() >= TEAMS_MAX {
                self.known.clear();
            }
            let asked_at = Instant::now();
            self.known
                .insert(team.clone(), KnownHooks { hooks, asked_at });
        }
        Ok(self.known.get(team).map_or(&[], |known| &known.hooks))
    }
}

fn calls(hook: &RegisteredHook, first_word: &str) -> bool {
    if hook.words.is_empty() {
        return hook.channel.is_some();
    }
    hook.words.iter().any(|word| {
        if hook.is_prefix {
            first_word.starts_with(word.as_str())
        } else {
            first_word == word
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn hook(channel: Option<&str>, words: &[&str], is_prefix: bool) -> RegisteredHook {
        RegisteredHook {
            channel: channel.map(|id| id.parse().unwrap()),
            words: words.iter().map(|&word| word.to_owned()).collect(),
            is_prefix,
        }
    }

    #[test]
    fn f23_first_word_is_compared_as_mattermost_does() {
        let exact = hook(None, &["meet", "Meet:"], false);
        assert!(calls(&exact, "meet") && calls(&exact, "Meet:"));
        for other in ["MeEt", "meet:", "meeting", "meet,", ""] {
            assert!(!calls(&exact, other), "{other}");
        }
        let prefix = hook(None, &["meet"], true);
        assert!(calls(&prefix, "meeting") && !calls(&prefix, "Meet") && !calls(&prefix, ""));
        assert!(calls(&hook(Some("c1"), &[], false), "anything"));
        assert!(!calls(&hook(None, &["meet now"], false), "meet"));
    }
}
