//! Which requests a meeting keeps.

use crate::domain::apply::Saying;
use crate::domain::meeting::{ENDS_MAX, RequestPurpose, STARTS_MAX};
use crate::domain::{Fact, State};

use super::bench::{Bench, at, end, keys, meeting, request, request_id};

const STARTS: u128 = STARTS_MAX as u128;

#[test]
fn s5_newest_start_and_the_newest_end_of_a_person_are_kept() {
    let mut bench = Bench::open();
    for number in 2..6 {
        bench.apply(&request(number, "bob", at(5)));
        bench.apply(&end(number + 10, "bob", at(6)));
    }
    let kept: Vec<_> = bench
        .meeting()
        .requests
        .iter()
        .map(|kept| kept.id)
        .collect();
    assert_eq!(kept, [request_id(1), request_id(5), request_id(15)]);
}

#[test]
fn s5_administrator_ends_a_meeting_that_is_full_of_starts() {
    let mut bench = Bench::open();
    for number in 2..=STARTS {
        bench.apply(&request(number, &format!("p{number}"), at(5)));
    }
    assert_eq!(bench.meeting().requests.len(), STARTS_MAX);
    bench.apply(&request(STARTS + 1, "late", at(6)));
    assert_eq!(
        bench.meetings.len(),
        2,
        "whom it has no room for is not offered it"
    );
    let asked = STARTS + 2;
    let applied = bench.apply(&end(asked, "admin", at(7)));
    let check = format!("CheckRight:{}", request_id(asked));
    assert!(
        keys(&applied.publish).contains(&check),
        "{:?}",
        applied.publish
    );
    let (meeting, request) = (meeting(1), request_id(asked));
    bench.learn(Fact::EndAllowed { meeting, request }, at(8));
    assert!(bench.owes().contains(&"EndRoom:0".to_owned()));
}

#[test]
fn s5_crowd_that_asks_for_the_end_keeps_out_nobody_whose_right_is_looked_up() {
    let mut bench = Bench::open();
    let ends = ENDS_MAX as u128;
    for number in 2..2 + ends {
        bench.apply(&end(number, &format!("p{number}"), at(5)));
    }
    // While nobody's right is known there is no room, and whoever comes is told so.
    let dropped = end(500, "admin", at(6));
    for _ in 0..2 {
        let tell = bench.apply(&dropped).tell.unwrap();
        assert_eq!(tell.saying, Saying::NoRoom);
    }
    assert!(bench.meeting().request(request_id(500)).is_none());
    // The starter needs none.
    assert!(bench.apply(&end(501, "ana", at(6))).tell.is_none());
    assert!(bench.view().is_ending && bench.state() == State::Open);
    // A refused one gives its place to the next.
    let (meeting, request) = (meeting(1), request_id(2));
    bench.learn(Fact::EndRefused { meeting, request }, at(7));
    assert!(bench.apply(&end(502, "admin", at(8))).tell.is_none());
    let purpose = bench
        .meeting()
        .request(request_id(502))
        .map(|kept| kept.purpose);
    assert_eq!(purpose, Some(RequestPurpose::EndAsked));
    assert!(bench.meeting().request(request_id(2)).is_none());
}
