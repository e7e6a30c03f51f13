//! Decides for which posts Mattermost calls a webhook. Outgoing webhooks compare the first word of a post, and case
//! matters (src/mattermost/README.md, "Trigger words"). A post that no webhook reports was not missed, so the catch-up
//! skips it.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info};

use crate::domain::TeamId;
use crate::ports::{Chat, ChatError, OwnChannel, RegisteredHook};

/// How long the server's answer about its webhooks is cached.
const HOOKS_LIFE: Duration = Duration::from_secs(600);
/// Most teams whose webhooks are cached.
const TEAMS_MAX: usize = 1000;

/// The configured trigger words, and the outgoing webhooks that the server lists.
pub(super) struct TriggerWords {
    configured: Vec<String>,
    by_team: HashMap<TeamId, CachedHooks>,
}

struct CachedHooks {
    /// Empty if the account may not see any webhook that calls a relay.
    hooks: Vec<RegisteredHook>,
    asked_at: Instant,
}

impl TriggerWords {
    pub(super) fn new(configured: Vec<String>) -> Self {
        Self {
            configured,
            by_team: HashMap::new(),
        }
    }

    /// Whether a webhook reports a post with this text in this channel.
    pub(super) async fn cover(
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

    /// The webhooks of a team. Only a refusal means that the account may not see them; any other failure is returned,
    /// so that the next call asks again.
    async fn hooks(
        &mut self,
        chat: &dyn Chat,
        team: &TeamId,
    ) -> Result<&[RegisteredHook], ChatError> {
        let is_fresh = self
            .by_team
            .get(team)
            .is_some_and(|cached| cached.asked_at.elapsed() < HOOKS_LIFE);
        if !is_fresh {
            let hooks = match chat.outgoing_hooks(team).await {
                Ok(hooks) => hooks,
                Err(
                    error @ (ChatError::Forbidden { .. }
                    | ChatError::NotFound { .. }
                    | ChatError::Refused { .. }),
                ) => {
                    debug!(%error, %team, "the outgoing webhooks cannot be read; mattermost.trigger_words is used");
                    Vec::new()
                }
                Err(error) => return Err(error),
            };
            if !hooks.is_empty() {
                info!(%team, hooks = hooks.len(), "trigger words read from Mattermost");
            }
            if self.by_team.len() >= TEAMS_MAX {
                self.by_team.clear();
            }
            let asked_at = Instant::now();
            self.by_team
                .insert(team.clone(), CachedHooks { hooks, asked_at });
        }
        Ok(self.by_team.get(team).map_or(&[], |cached| &cached.hooks))
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
