//! Property tests with bodies that no honest caller sends.

use proptest::prelude::*;

use super::KNOWN;
use crate::any::{assert_harmless, bytes, damaged, json};
use crate::ingress::fields::Fields;
use crate::ingress::tests::{recorded, vectors_in};

fn read(body: &[u8]) {
    for read in [Fields::from_form, Fields::from_json] {
        match read(body, &KNOWN) {
            Ok(fields) => {
                let held: usize = KNOWN.iter().map(|name| fields.text(name).len()).sum();
                // A number is formatted again, in the longest case as 1.2345678901234567e-300.
                assert!(held <= body.len() + 3 * 32, "{held} of {}", body.len());
                let _ = fields.id::<crate::domain::ChannelId>("channel_id");
                let _ = fields.optional_number("text");
                assert!(fields.name("text", 10).chars().count() <= 10);
            }
            Err(error) => assert_harmless(&error.to_string()),
        }
    }
}

fn recordings() -> Vec<Vec<u8>> {
    ["outgoing", "command"]
        .iter()
        .flat_map(|kind| vectors_in("mattermost-11", kind))
        .map(|name| recorded(&name).3.to_vec())
        .collect()
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in bytes()) {
        read(&body);
    }

    #[test]
    fn any_form_is_read_or_refused(pairs in prop::collection::vec("(token|text|channel_id|x)?=?(CANARY|%[0-9a-fA-F]{0,2}|%[fFcC][0-9fF]|[+=]|[ -~]){0,6}", 0..12)) {
        read(pairs.join("&").as_bytes());
    }

    #[test]
    fn any_json_is_read_or_refused(body in json(&KNOWN)) {
        read(body.as_bytes());
    }

    #[test]
    fn any_damaged_recording_is_read_or_refused(body in damaged(recordings())) {
        read(&body);
    }
}
