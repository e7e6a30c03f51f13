//! The settings of catching up: whether and how missed posts are found.

use std::sync::Arc;

use crate::config::{Config, Essentials};
use crate::domain::rule::START_DEADLINE_DEFAULT;
use crate::ports::DeliveryMethod;
use crate::trigger::{MissedPosts, OwnUser};
use crate::worker::{CatchUpSettings, Deps, begin_catching_up};

use super::{StartError, public_routes};

/// `None` if catching up is switched off, if no account can read channels, or if no post starts a meeting because no
/// token of an outgoing webhook is configured.
///
/// # Errors
/// A rule is wrong although the configuration was accepted. The text names it.
pub(super) async fn settings(
    config: &Config,
    essentials: &Essentials,
    deps: &Deps,
    own_user: &OwnUser,
) -> Result<Option<CatchUpSettings>, StartError> {
    let mattermost = &config.mattermost;
    let is_wanted = mattermost.catch_up
        && essentials.mattermost.is_some()
        && deps.chat.kind() == DeliveryMethod::Posts
        && !mattermost.outgoing_tokens.is_empty();
    if !is_wanted {
        return Ok(None);
    }
    // If the store is unavailable now, the worker asks it again.
    if let Err(error) = begin_catching_up(deps.store.as_ref(), deps.clock.now()).await {
        tracing::warn!(%error, "the time from which missed posts are read could not be stored");
    }
    let rules =
        Arc::new(public_routes::rules(config).map_err(|why| StartError::Setting(why.into()))?);
    let trigger_words = match mattermost.trigger_words.as_slice() {
        [] => rules.first_words(),
        words => words.to_vec(),
    };
    let start_deadline = config.rules.iter().map(|rule| rule.start_deadline).max();
    Ok(Some(CatchUpSettings {
        rules,
        trigger_words,
        own_user: own_user.clone(),
        missed_posts: MissedPosts::default(),
        starts_per_minute: mattermost.starts_per_minute as usize,
        start_deadline_max: start_deadline.unwrap_or(START_DEADLINE_DEFAULT),
        every: mattermost.catch_up_every,
    }))
}
