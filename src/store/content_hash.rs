//! Decides whether two events of one dedup key have the same content.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::{Fact, MeetingId, TriggerSource};

/// The SHA-256 of the content of `fact`. The id that ingress assigned to the meeting is left out, because two webhooks
/// for one post get two ids and still have the same content. So do a webhook and the catch-up, whether the thread of
/// the post was read or not, and whatever the immediate answer said.
pub(super) fn content_hash(fact: &Fact) -> Result<[u8; 32], serde_json::Error> {
    let text = match fact {
        Fact::MeetingRequested { .. } => {
            let mut fact = fact.clone();
            if let Fact::MeetingRequested {
                meeting,
                place,
                via,
                told,
                ..
            } = &mut fact
            {
                *meeting = MeetingId::from_uuid(Uuid::nil());
                *told = None;
                if let TriggerSource::OutgoingWebhook {
                    caught_up, placed, ..
                } = via
                {
                    (*caught_up, *placed) = (false, false);
                    place.thread = None;
                }
            }
            serde_json::to_vec(&fact)?
        }
        Fact::EndRequested { .. } => {
            let mut fact = fact.clone();
            if let Fact::EndRequested { told, .. } = &mut fact {
                *told = None;
            }
            serde_json::to_vec(&fact)?
        }
        fact => serde_json::to_vec(fact)?,
    };
    Ok(Sha256::digest(text).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const REQUESTED: &str = r#"{"fact":"meeting_requested",
        "meeting":"01890a5d-ac96-774b-bcce-b302099a8057",
        "place":{"server":"default","team":null,"team_name":"","channel":"c","channel_name":"town",
                 "thread":null,"kind":"channel"},
        "by":{"user_id":"u","user_name":"ana"},
        "via":{"via":"outgoing_webhook","post":"p"},
        "rule":{"title":"Town","moderators":"everyone","worth":{"secs":900,"nanos":0}},
        "always_new":false}"#;

    fn hash(text: &str) -> [u8; 32] {
        content_hash(&serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn drawn_meeting_id_is_no_content() {
        let other = REQUESTED.replace("b302099a8057", "b302099a8058");
        assert_eq!(hash(REQUESTED), hash(&other));
    }

    #[test]
    fn how_a_post_became_known_is_no_content() {
        let other = REQUESTED.replace("\"post\":\"p\"", "\"post\":\"p\",\"caught_up\":true");
        assert_ne!(REQUESTED, other);
        assert_eq!(hash(REQUESTED), hash(&other));
        let read = other
            .replace("\"caught_up\"", "\"placed\":true,\"caught_up\"")
            .replace("\"thread\":null", "\"thread\":\"root\"");
        assert_ne!(read, other);
        assert_eq!(hash(REQUESTED), hash(&read), "nor is its thread");
    }

    #[test]
    fn everything_else_is_content() {
        for (one, other) in [
            ("\"ana\"", "\"ben\""),
            ("\"p\"", "\"q\""),
            ("false", "true"),
        ] {
            let other = REQUESTED.replace(one, other);
            assert_ne!(hash(REQUESTED), hash(&other));
        }
        let ordered = |meeting| format!(r#"{{"fact":"end_ordered","meeting":"{meeting}"}}"#);
        let one = ordered("01890a5d-ac96-774b-bcce-b302099a8057");
        let other = ordered("01890a5d-ac96-774b-bcce-b302099a8058");
        assert_ne!(
            hash(&one),
            hash(&other),
            "of other facts the meeting counts"
        );
    }

    #[test]
    fn hash_does_not_change_between_versions() {
        // Duplicates may arrive 30 days later, perhaps after an update.
        insta::assert_snapshot!(hex::encode(hash(REQUESTED)), @"8ababe9a6f721ec94cf6a3a940f46fe1f16146a8f59ce82569956f110a5c4ff3");
    }
}
