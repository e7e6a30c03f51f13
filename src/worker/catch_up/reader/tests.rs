#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn channel(number: usize, last_post_at: i64) -> OwnChannel {
    OwnChannel {
        id: format!("c{number}").parse().unwrap(),
        name: format!("c{number}"),
        team: "t".parse().unwrap(),
        team_name: "eng".to_owned(),
        last_post_at: Timestamp::from_millis(last_post_at),
    }
}

#[test]
fn channels_without_new_posts_are_skipped_and_of_the_others_the_newest_are_read() {
    let all: Vec<OwnChannel> = (0..2 * CHANNELS_MAX)
        .map(|number| channel(number, i64::try_from(number).unwrap()))
        .collect();
    let read = with_new_posts(all.clone(), Timestamp::from_millis(10));
    assert_eq!(read.len(), CHANNELS_MAX);
    assert_eq!(read[0].name, format!("c{}", 2 * CHANNELS_MAX - 1));
    let few = with_new_posts(all[..20].to_vec(), Timestamp::from_millis(10));
    assert_eq!(few.len(), 9, "11 to 19");
}

#[test]
fn first_cursor_is_converted_to_the_servers_clock() {
    let at = |text: &str| {
        let (now, our_now) = (
            Timestamp::from_millis(100_000),
            Timestamp::from_millis(7_000),
        );
        Cursor::parse(text, now, our_now).map(|cursor| cursor.at.millis())
    };
    assert_eq!(at("ours:5000"), Some(98_000));
    assert_eq!(at("99000"), Some(99_000));
    assert_eq!(at("200000"), Some(100_000), "a clock that was set back");
    assert_eq!(at("yesterday"), None);
}
