//! The call that mints a join token, and the address to join at (src/plugnmeet/README.md, "Join tokens" and "Joining").

use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use crate::domain::RoomId;
use crate::ports::{ConferenceError, Joiner};

/// Longest name that is sent to plugNmeet, in characters.
const NAME_CHARS_MAX: usize = 100;

/// The name of a person whose own name has no visible character.
const NAMELESS: &str = "Guest";

/// Names and user ids that plugNmeet reserves. It does not refuse all of them.
const RESERVED_NAME: &str = "PLUGNMEET_RECORDER_AUTH";
const RESERVED_IDS: [&str; 2] = ["RECORDER_BOT", "RTMP_BOT"];
const RESERVED_PREFIXES: [&str; 5] = ["user_", "ingres_", "pnm_agent-", "pnm_tts_agent-", "sip_"];

/// The body of the call. A reserved or invalid user id is refused here, because plugNmeet would report it as a passing
/// failure or accept it.
pub(super) fn body(room: &RoomId, joiner: &Joiner) -> Result<Value, ConferenceError> {
    let id = joiner.identity.as_str();
    let is_fit = id
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && id.len() <= 64
        && !id.contains("-FIELD_")
        && !id.ends_with("-native")
        && !RESERVED_IDS.contains(&id)
        && !RESERVED_PREFIXES
            .iter()
            .any(|prefix| id.starts_with(prefix));
    if !is_fit {
        return Err(ConferenceError::Refused {
            why: "plugNmeet does not accept this user id".to_owned(),
        });
    }
    Ok(json!({
        "room_id": room,
        "user_info": {
            "name": name(&joiner.name),
            "user_id": id,
            "is_admin": joiner.is_moderator,
        },
    }))
}

/// A name that plugNmeet accepts: on one line, not empty, not too long and not reserved.
fn name(wanted: &str) -> String {
    let words: Vec<&str> = wanted
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let name: String = words.join(" ").chars().take(NAME_CHARS_MAX).collect();
    if name.is_empty() || name == RESERVED_NAME {
        NAMELESS.to_owned()
    } else {
        name
    }
}

/// The address at which a browser joins with a token. It may be below a path.
pub(super) fn address(external: &Url, token: &str) -> SecretString {
    let mut url = external.clone();
    url.set_fragment(None);
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push("");
    }
    url.query_pairs_mut().append_pair("access_token", token);
    SecretString::from(String::from(url))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use secrecy::ExposeSecret;

    use super::*;

    fn joining(identity: &str, name: &str) -> Result<Value, ConferenceError> {
        let joiner = Joiner {
            identity: identity.parse().unwrap(),
            name: name.to_owned(),
            is_moderator: false,
        };
        body(&"mm-1".parse().unwrap(), &joiner)
    }

    #[test]
    fn user_ids_that_plugnmeet_keeps_for_itself_are_refused_before_asking() {
        for taken in [
            "user_1",
            "ingres_1",
            "sip_1",
            "pnm_agent-x",
            "pnm_tts_agent-x",
            "a-native",
            "RECORDER_BOT",
            "RTMP_BOT",
            "a-FIELD_b",
            "a.b",
            "a:b",
        ] {
            let refused = joining(taken, "Ana");
            assert!(
                matches!(refused, Err(ConferenceError::Refused { .. })),
                "{taken}"
            );
        }
        for free in [
            "fy79m36rwf8a5jnquphm6j7ify",
            "g-abcdefghij234567abcd",
            "RECORDER_BOT2",
        ] {
            assert!(joining(free, "Ana").is_ok(), "{free}");
        }
    }

    #[test]
    fn names_are_made_fit() {
        let named = |name: &str| joining("u1", name).unwrap()["user_info"]["name"].clone();
        assert_eq!(named(" Ana\u{0}\n  Müller "), "Ana Müller");
        assert_eq!(named("  "), "Guest");
        assert_eq!(named("PLUGNMEET_RECORDER_AUTH"), "Guest");
        assert_eq!(named(&"é".repeat(300)), "é".repeat(100));
    }

    #[test]
    fn the_address_is_below_the_external_path() {
        for (external, expected) in [
            (
                "https://meet.example.org",
                "https://meet.example.org/?access_token=a.b-c_d",
            ),
            (
                "https://h.example.org/meet",
                "https://h.example.org/meet/?access_token=a.b-c_d",
            ),
            (
                "https://h.example.org/meet/",
                "https://h.example.org/meet/?access_token=a.b-c_d",
            ),
            (
                "https://h.example.org/?x=1#y",
                "https://h.example.org/?x=1&access_token=a.b-c_d",
            ),
        ] {
            let address = address(&external.parse().unwrap(), "a.b-c_d");
            assert_eq!(address.expose_secret(), expected);
        }
    }
}
