//! Response URLs are forgotten when nobody needs them any more.

use crate::domain::{Fact, PostKey, Refusal, TriggerSource};

use super::bench::{Bench, at, created, meeting, polled, refused, request};
use super::owing::{card, woken};

const HALF_AN_HOUR: i64 = 30 * 60;

/// Whose response URLs are still stored, by number of the request.
fn hooks(bench: &Bench) -> Vec<bool> {
    let requests = bench.meeting().requests.iter();
    let has_hook =
        |via: &TriggerSource| matches!(via, TriggerSource::SlashCommand { hook: Some(_) });
    requests.map(|request| has_hook(&request.via)).collect()
}

fn poll_of_s1() -> Fact {
    polled(&"s1".parse().unwrap(), false)
}

/// The request's person was answered.
fn answered(bench: &mut Bench, number: usize) {
    let key = PostKey::Answer(bench.meeting().requests[number].id);
    let id = bench.meeting().id;
    let meeting = bench.meetings.iter_mut().find(|known| known.id == id);
    meeting.unwrap().posts.entry(key).or_default().answered = true;
}

#[test]
fn response_url_that_has_run_out_is_forgotten_at_the_next_event() {
    let mut bench = Bench::requested();
    bench.learn(created("s1", at(2)), at(2));
    bench.learn(poll_of_s1(), at(HALF_AN_HOUR - 1));
    assert_eq!(hooks(&bench), [true]);
    bench.learn(poll_of_s1(), at(HALF_AN_HOUR));
    assert_eq!(hooks(&bench), [false]);
}

#[test]
fn response_url_stays_while_its_answer_is_owed_and_the_loss_can_be_counted() {
    let mut bench = Bench::requested();
    bench.learn(created("s1", at(2)), at(2));
    bench.apply(&request(2, "bob", at(3)));
    bench.learn(poll_of_s1(), at(HALF_AN_HOUR + 10));
    assert_eq!(hooks(&bench), [false, true], "bob was not answered yet");
    answered(&mut bench, 1);
    bench.learn(poll_of_s1(), at(HALF_AN_HOUR + 20));
    assert_eq!(hooks(&bench), [false, false]);
}

#[test]
fn meeting_that_is_over_and_owes_nothing_keeps_no_response_url() {
    let mut bench = Bench::requested();
    bench.learn(refused(meeting(1), Refusal::Refused), at(1));
    assert_eq!(hooks(&bench), [true]);
    let version = bench.meeting().version;
    card(&mut bench, version, None);
    bench.learn(woken(0), at(60));
    assert!(bench.owes().is_empty());
    assert_eq!(hooks(&bench), [false]);
}
