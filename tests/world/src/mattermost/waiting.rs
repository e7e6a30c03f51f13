//! Waiting for a state instead of sleeping.

use super::FakeMattermost;
use super::model::Model;
use std::time::Duration;

/// The state did not come about in time; says what was waited for and what the channels show instead.
#[derive(Clone, Debug)]
pub struct WaitedInVain {
    what: String,
    deadline: Duration,
    shown: String,
}

impl std::fmt::Display for WaitedInVain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "waited {:?} in vain for {}; the last posts:\n{}",
            self.deadline, self.what, self.shown
        )
    }
}

impl std::error::Error for WaitedInVain {}

impl FakeMattermost {
    /// Waits until `look` finds something; it is asked again after every change and every request.
    ///
    /// # Errors
    /// After `deadline`, with `what` and the last posts in the text.
    pub async fn wait_for<T>(
        &self,
        what: &str,
        deadline: Duration,
        mut look: impl FnMut(&Model) -> Option<T>,
    ) -> Result<T, WaitedInVain> {
        let mut version = self.core.version();
        let wait = async {
            loop {
                version.mark_unchanged();
                if let Some(found) = self.core.read(&mut look) {
                    return found;
                }
                // The sender lives in the core, which `self` holds.
                let _ = version.changed().await;
            }
        };
        match tokio::time::timeout(deadline, wait).await {
            Ok(found) => Ok(found),
            Err(_) => Err(WaitedInVain {
                what: what.to_owned(),
                deadline,
                shown: self.core.read(last_posts),
            }),
        }
    }

    /// Waits until at least `count` requests of an operation have arrived since the start.
    ///
    /// # Errors
    /// After `deadline`.
    pub async fn wait_for_calls(
        &self,
        operation: &str,
        count: u64,
        deadline: Duration,
    ) -> Result<(), WaitedInVain> {
        let what = format!("{count} calls of {operation}");
        let journal = &self.core.journal;
        self.wait_for(&what, deadline, |_| {
            (journal.calls(operation) >= count).then_some(())
        })
        .await
    }
}

fn last_posts(model: &Model) -> String {
    let mut posts: Vec<_> = model
        .posts
        .values()
        .filter(|post| !post.is_system())
        .collect();
    posts.sort_by_key(|post| post.create_at);
    let lines = posts.iter().rev().take(10).rev().map(|post| {
        let name = |id: &str| {
            model
                .user(id)
                .map_or("?", |user| user.username.as_str())
                .to_owned()
        };
        let channel = model
            .channels
            .get(&post.channel_id)
            .map_or("?", |channel| channel.name.as_str());
        let titles: Vec<_> = post
            .attachments()
            .iter()
            .map(|one| one["title"].to_string())
            .collect();
        let state = if post.is_deleted() { " (deleted)" } else { "" };
        format!(
            "  {channel} | {}: {:?} {}{state}",
            name(&post.user_id),
            post.message,
            titles.join(", ")
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}
