//! The few things that a `response_url` is used for (design 5).

use sha2::{Digest, Sha256};
use url::Url;

use crate::domain::{EventId, ResponseHook};

/// Longest trigger id that stands in a dedup key as it is, in bytes; real ones have about 250.
const TRIGGER_ID_BYTES_MAX: usize = 512;

/// What a `response_url` is good for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// Late answers can go there.
    Ours(ResponseHook),
    /// It leads elsewhere than to the configured server.
    Foreign,
    /// There is none.
    Absent,
}

/// Only the id behind `/hooks/commands/` is ever used, and only if the URL leads to `mattermost`.
pub(super) fn hook(response_url: &str, mattermost: Option<&Url>) -> Hook {
    if response_url.is_empty() {
        return Hook::Absent;
    }
    let ours = mattermost
        .zip(Url::parse(response_url).ok())
        .filter(|(mattermost, url)| mattermost.origin() == url.origin())
        .and_then(|(mattermost, url)| {
            let base = mattermost.path().trim_end_matches('/');
            let path = url.path().strip_prefix(base)?;
            ResponseHook::parse(path.strip_prefix("/hooks/commands/")?)
        });
    ours.map_or(Hook::Foreign, Hook::Ours)
}

/// The key by which a double of a command is known: it is unique to one execution (mattermost.md 2.1).
pub(super) fn dedup_key(response_url: &str, trigger_id: &str, id: EventId) -> String {
    let segment = Url::parse(response_url)
        .ok()
        .and_then(|url| ResponseHook::parse(url.path().rsplit('/').next()?));
    let key = match segment {
        Some(hook) => hook.expose().to_owned(),
        None if trigger_id.is_empty() => id.to_string(),
        None if trigger_id.len() > TRIGGER_ID_BYTES_MAX => {
            format!("sha256-{}", hex::encode(Sha256::digest(trigger_id)))
        }
        None => trigger_id.to_owned(),
    };
    format!("command:{key}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn seen(url: &str) -> Hook {
        let mattermost = Url::parse("https://chat.example.org").unwrap();
        hook(url, Some(&mattermost))
    }

    #[test]
    fn hook_of_the_configured_server_alone_is_used() {
        let good = ResponseHook::parse("h4yz9k1e7p").unwrap();
        for url in [
            "https://chat.example.org/hooks/commands/h4yz9k1e7p",
            "https://CHAT.example.org:443/hooks/commands/h4yz9k1e7p",
        ] {
            assert_eq!(seen(url), Hook::Ours(good.clone()), "{url}");
        }
        for url in [
            "http://chat.example.org/hooks/commands/h4yz9k1e7p",
            "https://chat.example.org:8443/hooks/commands/h4yz9k1e7p",
            "https://chat.example.org.evil.example/hooks/commands/h4yz9k1e7p",
            "https://chat.example.org@evil.example/hooks/commands/h4yz9k1e7p",
            "https://evil.example/hooks/commands/h4yz9k1e7p",
            "https://chat.example.org/hooks/h4yz9k1e7p",
            "https://chat.example.org/hooks/commands/../../api/v4/users",
            "https://chat.example.org/hooks/commands/h4yz9k1e7p/x",
            "https://chat.example.org/hooks/commands/",
            "//chat.example.org/hooks/commands/h4yz9k1e7p",
            "javascript:alert(1)",
            "nonsense",
        ] {
            assert_eq!(seen(url), Hook::Foreign, "{url}");
        }
        assert_eq!(seen(""), Hook::Absent);
        let sub_path = Url::parse("https://example.org/chat/").unwrap();
        let url = "https://example.org/chat/hooks/commands/h4yz9k1e7p";
        assert_eq!(hook(url, Some(&sub_path)), Hook::Ours(good));
        assert_eq!(hook(url, None), Hook::Foreign);
    }

    #[test]
    fn dedup_key_is_the_hooks_id_else_the_trigger_id() {
        let id = EventId::from_uuid(uuid::Uuid::from_u128(7));
        let key = |url, trigger| dedup_key(url, trigger, id);
        assert_eq!(key("https://a/hooks/commands/h4yz", "t"), "command:h4yz");
        assert_eq!(key("https://b/hooks/commands/h4yz", "u"), "command:h4yz");
        assert_eq!(key("", "dGVzdA=="), "command:dGVzdA==");
        assert_eq!(key("https://a/", "dGVzdA=="), "command:dGVzdA==");
        assert_eq!(key("", ""), format!("command:{id}"));
        assert!(key("", &"t".repeat(9999)).len() < 100);
    }
}
