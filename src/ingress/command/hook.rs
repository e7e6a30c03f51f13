//! The use of a `response_url`: only its id is read.

use sha2::{Digest, Sha256};
use url::Url;

use crate::domain::{EventId, ResponseHook};

/// Longest trigger id that is put into a dedup key unhashed, in bytes; real ones have about 250.
const TRIGGER_ID_BYTES_MAX: usize = 512;

/// Whether a `response_url` can be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ResponseUrl {
    /// Late answers can be sent to it.
    Usable(ResponseHook),
    /// It does not have the format of Mattermost's.
    Unusable,
    /// The field is empty or missing.
    Absent,
}

/// Only the id after `/hooks/commands/` is used, and the call goes to `mattermost.url`. The URL itself is the server's
/// SiteURL, or in old versions the address that the person's program uses for the server, so it may lead anywhere
/// (src/mattermost/README.md, "Slash commands").
pub(super) fn hook(response_url: &str) -> ResponseUrl {
    if response_url.is_empty() {
        return ResponseUrl::Absent;
    }
    id_of(response_url).map_or(ResponseUrl::Unusable, ResponseUrl::Usable)
}

fn id_of(response_url: &str) -> Option<ResponseHook> {
    let (base, id) = response_url.rsplit_once("/hooks/commands/")?;
    let id = ResponseHook::parse(id)?;
    let url = Url::parse(base).ok()?;
    let is_address = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none();
    let climbs = base.split(['/', '\\']).any(|part| part == "..");
    (is_address && !climbs).then_some(id)
}

/// The key by which a duplicate of a command is recognized: it is unique to one execution.
pub(super) fn dedup_key(response_url: &str, trigger_id: &str, id: EventId) -> String {
    let key = match id_of(response_url) {
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

    #[test]
    fn f1_id_of_a_response_url_counts_whatever_the_server_is_called() {
        let good = ResponseHook::parse("h4yz9k1e7p").unwrap();
        for url in [
            "https://chat.example.org/hooks/commands/h4yz9k1e7p",
            "http://localhost:8065/hooks/commands/h4yz9k1e7p",
            "http://[::1]:8065/hooks/commands/h4yz9k1e7p",
            "https://example.org/chat/hooks/commands/h4yz9k1e7p",
            "https://example.org/hooks/commands/hooks/commands/h4yz9k1e7p",
        ] {
            assert_eq!(hook(url), ResponseUrl::Usable(good.clone()), "{url}");
        }
        assert_eq!(hook(""), ResponseUrl::Absent);
    }

    #[test]
    fn response_url_in_another_format_is_not_used() {
        for url in [
            "https://chat.example.org/hooks/h4yz9k1e7p",
            "https://chat.example.org/hooks/commands/../../api/v4/users",
            "https://chat.example.org/x/../hooks/commands/h4yz9k1e7p",
            "https://chat.example.org/hooks/commands/h4yz9k1e7p/x",
            "https://chat.example.org/hooks/commands/h4yz9k1e7p?x=1",
            "https://chat.example.org/?x=/hooks/commands/h4yz9k1e7p",
            "https://chat.example.org/#/hooks/commands/h4yz9k1e7p",
            "https://chat.example.org/hooks/commands/h4yz%2Fe7p",
            "https://chat.example.org/hooks/commands/",
            "/hooks/commands/h4yz9k1e7p",
            "//chat.example.org/hooks/commands/h4yz9k1e7p",
            "file:///hooks/commands/h4yz9k1e7p",
            "javascript:alert(1)",
            "nonsense",
        ] {
            assert_eq!(hook(url), ResponseUrl::Unusable, "{url}");
        }
    }

    #[test]
    fn dedup_key_is_the_hooks_id_else_the_trigger_id() {
        let id = EventId::from_uuid(uuid::Uuid::from_u128(7));
        let key = |url, trigger| dedup_key(url, trigger, id);
        assert_eq!(key("https://a/hooks/commands/h4yz", "t"), "command:h4yz");
        assert_eq!(key("https://b/hooks/commands/h4yz", "u"), "command:h4yz");
        assert_eq!(key("", "dGVzdA=="), "command:dGVzdA==");
        assert_eq!(key("https://a/", "dGVzdA=="), "command:dGVzdA==");
        // Something that is the same in every command is the key of none.
        assert_eq!(key("https://a/fixed", "dGVzdA=="), "command:dGVzdA==");
        assert_eq!(key("", ""), format!("command:{id}"));
        assert!(key("", &"t".repeat(9999)).len() < 100);
    }
}
