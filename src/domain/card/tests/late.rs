//! The reason for a late card.

use super::*;

#[test]
fn f23_late_card_gives_its_true_reason() {
    let view = with_people(State::Live, &["Ana"], 1, 1);
    for (why, reason) in [
        (WhyLate::FoundLate, "I found it later"),
        (
            WhyLate::BotOutside,
            "I could not post in this channel before",
        ),
        (WhyLate::NotTaken, "Mattermost did not take it"),
        (WhyLate::Unknown, "could not be posted here earlier"),
    ] {
        let by = MINUTE * 12;
        let frame = CardFrame {
            late: Some(Late { by, why }),
            ..frame()
        };
        for shown in [render(&view, &frame), notice(&view, &frame)] {
            let text = shown.attachment.unwrap().text;
            assert!(text.contains(reason), "{text}");
        }
    }
}
