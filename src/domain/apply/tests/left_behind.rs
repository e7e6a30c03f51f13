//! What a meeting leaves behind: what is shown of it, and who is told.

use crate::domain::{ArtifactKind, Fact, Notify, PostKey, PostRow};

use super::bench::{Bench, at, meeting, session};
use super::owing::{artifact, card, given_up};

#[test]
fn f8_an_empty_summary_is_owed_no_reply_and_not_counted() {
    let mut bench = Bench::open();
    card(&mut bench, 9, None);
    bench.learn(artifact("sum", ArtifactKind::Summary), at(10));
    let read = |text: &str| Fact::SummaryRead {
        meeting: meeting(1),
        artifact: "sum".parse().unwrap(),
        text: text.to_owned(),
    };
    bench.learn(read(""), at(11));
    let owes = bench.owes();
    assert!(
        owes.iter().all(|key| !key.contains("Artifact:sum")),
        "{owes:?}"
    );
    assert_eq!(bench.view().summaries, 0);
}

#[test]
fn f27_the_first_post_alone_mentions_the_people_of_the_rule() {
    let mut bench = Bench::open();
    bench.learn(artifact("a", ArtifactKind::Recording), at(10));
    bench.learn(artifact("b", ArtifactKind::Recording), at(11));
    let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
    let ana = vec![bench.meeting().starter().unwrap().user_id.clone()];
    assert_eq!(bench.meeting().mentioned_by(&b), ana);
    // Posting b was begun: it mentions her, also when it is repeated, and a does not.
    let begun = |seconds| PostRow {
        first_tried_at: Some(at(seconds)),
        ..PostRow::default()
    };
    let posts = |bench: &mut Bench, id: &str, row| {
        let key = PostKey::Artifact(id.parse().unwrap());
        bench.meetings[0].posts.insert(key, row);
    };
    posts(&mut bench, "b", begun(20));
    assert_eq!(bench.meeting().mentioned_by(&b), ana);
    assert!(bench.meeting().mentioned_by(&a).is_empty());
    posts(&mut bench, "a", begun(21));
    assert_eq!(bench.meeting().mentioned_by(&b), ana);
    assert!(bench.meeting().mentioned_by(&a).is_empty());
    // What was given up stands nowhere, so that it mentioned nobody.
    bench.learn(given_up("PostArtifact:b"), at(30));
    assert_eq!(bench.meeting().mentioned_by(&a), ana);
    bench.meetings[0].rule.notify = Notify::Nobody;
    assert!(bench.meeting().mentioned_by(&a).is_empty());
}

#[test]
fn f27_participants_are_those_whom_mattermost_knows() {
    let mut bench = Bench::open();
    bench.meetings[0].rule.notify = Notify::Participants;
    bench.learn(artifact("a", ArtifactKind::Recording), at(10));
    let came = |identity: &str, participant: &str| Fact::PersonJoined {
        session: session("s1", at(5)),
        participant: participant.parse().unwrap(),
        identity: identity.parse().unwrap(),
        name: "x".to_owned(),
    };
    let known = "6taiyi7pxiyudgedj17rdifoge";
    bench.learn(came(known, "p1"), at(5));
    bench.learn(came(known, "p2"), at(6));
    bench.learn(came("g-abcdefghijklmnopqrst", "p3"), at(7));
    bench.learn(came("RECORDER_BOT", "p4"), at(8));
    let mentioned = bench.meeting().mentioned_by(&"a".parse().unwrap());
    assert_eq!(mentioned, [known.parse().unwrap()]);
    for number in 0..30 {
        let identity = format!("6taiyi7pxiyudgedj17rdif{number:03}");
        bench.learn(came(&identity, &format!("q{number}")), at(9));
    }
    assert_eq!(
        bench.meeting().mentioned_by(&"a".parse().unwrap()).len(),
        20
    );
}
