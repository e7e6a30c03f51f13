//! Property tests with words, response URLs and trigger ids that no person types and no server sends.

use proptest::prelude::*;
use url::Url;

use super::super::hook::{ResponseUrl, dedup_key, hook};
use super::super::words::{self, SubCommand};
use crate::domain::EventId;

proptest! {
    #[test]
    fn any_text_asks_for_something_bounded(text in "((start|END|list|help|--new|--|—x|[ \\t\\n\u{202e}\u{3000}]|\\PC){0,4} ){0,12}") {
        let words = words::read(&text);
        prop_assert!(words.ignored.len() <= 5);
        prop_assert!(words.ignored.iter().all(|word| word.chars().count() <= 32));
        match words.sub_command {
            SubCommand::Start { title: Some(title), .. } => {
                prop_assert!(text.contains(&title) && !title.is_empty());
            }
            SubCommand::Help { unknown: Some(word) } => prop_assert!(word.chars().count() <= 32),
            _ => {}
        }
    }

    #[test]
    fn any_response_url_is_unusable_or_ends_in_an_id(
        before in "(https?|file|javascript)?(://|:|//)?(chat\\.example\\.org|127\\.0\\.0\\.1|\\[::1\\]|169\\.254\\.169\\.254|[a-z@:.%0-9]{0,20})",
        after in "(/hooks|/commands|/\\.\\.|/[a-z0-9%.]{0,30}|\\?[a-z=]{0,9}|#|\\\\){0,5}",
    ) {
        let url = format!("{before}{after}");
        if let ResponseUrl::Usable(id) = hook(&url) {
            let id = id.expose();
            prop_assert!(id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
            let parsed = Url::parse(&url).unwrap();
            let end = format!("/hooks/commands/{id}");
            prop_assert!(parsed.path().ends_with(&end) && url.ends_with(&end));
        }
    }

    #[test]
    fn any_dedup_key_is_bounded_and_the_same_each_time(url in any::<String>(), trigger in "\\PC{0,40}|[A-Za-z0-9+/=]{500,600}") {
        let id = EventId::from_uuid(uuid::Uuid::from_u128(7));
        let key = dedup_key(&url, &trigger, id);
        prop_assert!(key.len() <= 600 && key.starts_with("command:"));
        prop_assert_eq!(dedup_key(&url, &trigger, id), key);
    }
}
