use world::reconcile::Reconciliation;

use super::*;

fn asked(number: u32, what: What, response: String, event: Option<String>, fate: Fate) -> Asked {
    let channel = format!("channel-{number}");
    Asked {
        is_post: response.is_empty(),
        number,
        what,
        channel,
        response,
        event,
        fate,
        is_told: false,
    }
}

/// One meeting that went as it should: asked for by post, again by command, ended, recorded.
fn run() -> (Notes, Seen) {
    let mut notes = Notes::default();
    let post = asked(
        1,
        What::Start,
        String::new(),
        Some("event-1".to_owned()),
        Fate::Accepted,
    );
    let again = asked(
        1,
        What::Again,
        "hook".to_owned(),
        Some("event-2".to_owned()),
        Fate::Accepted,
    );
    notes.asked = vec![post, again];
    let people = BTreeSet::from(["Person 0".to_owned()]);
    notes.told.insert(
        "sid".to_owned(),
        Told {
            accepted: 4,
            lost: 1,
            people,
        },
    );
    notes
        .made
        .insert("sid".to_owned(), vec!["record".to_owned()]);
    let meeting = Meeting {
        id: "meeting".to_owned(),
        state: "ended".to_owned(),
        requests: vec![
            ("event-1".to_owned(), "start".to_owned()),
            ("event-2".to_owned(), "start_while_running".to_owned()),
        ],
        posts: BTreeMap::from([("card".to_owned(), 1), ("artifact:record".to_owned(), 1)]),
        card: Some(("**Chaos** ended, 1 s".to_owned(), "1: Person 0".to_owned())),
        ..Meeting::default()
    };
    let session = Session {
        sid: "sid".to_owned(),
        room: "room".to_owned(),
        meeting: Some("meeting".to_owned()),
        is_over: true,
    };
    let seen = Seen {
        meetings: BTreeMap::from([("meeting".to_owned(), meeting)]),
        sessions: vec![session],
        letters: BTreeMap::new(),
        responses: BTreeMap::from([("hook".to_owned(), 1)]),
    };
    (notes, seen)
}

/// What is said of a run that `spoil` has changed.
fn said(spoil: impl FnOnce(&mut Notes, &mut Seen)) -> Vec<String> {
    let (mut notes, mut seen) = run();
    spoil(&mut notes, &mut seen);
    let wrong = Verdict::of(&notes, &seen).wrong.into_discrepancies();
    wrong
        .into_iter()
        .map(|one| format!("{}: {}", one.id, one.what))
        .collect()
}

fn meeting(seen: &mut Seen) -> &mut Meeting {
    seen.meetings.entry("meeting".to_owned()).or_default()
}

#[test]
fn run_without_fault_has_no_discrepancy() {
    assert!(said(|_, _| {}).is_empty());
    let (notes, seen) = run();
    let counts = Verdict::of(&notes, &seen).counts;
    assert_eq!(
        (
            counts.accepted,
            counts.cards,
            counts.artifacts,
            counts.webhooks_lost
        ),
        (2, 1, 1, 1)
    );
}

#[test]
fn missing_card_is_found() {
    let said = said(|_, seen| {
        meeting(seen).card = None;
        meeting(seen).posts.remove("card");
    });
    assert_eq!(said, ["meeting: no card in "]);
}

#[test]
fn doubled_card_is_found() {
    let said = said(|_, seen| *meeting(seen).posts.entry("card".to_owned()).or_default() = 2);
    assert_eq!(said, ["meeting: the post \"card\" in  is there 2 times"]);
}

#[test]
fn accepted_request_without_meeting_is_found_unless_it_is_a_dead_letter() {
    let lose = |seen: &mut Seen| meeting(seen).requests.truncate(1);
    let found = said(|_, seen| lose(seen));
    assert_eq!(
        found,
        ["event-2: the meeting of request Again of number 00001 is missing"]
    );
    let buried = said(|_, seen| {
        lose(seen);
        seen.letters
            .insert("event-2".to_owned(), "poison".to_owned());
    });
    assert!(buried.is_empty(), "{buried:?}");
}

#[test]
fn request_in_two_meetings_is_found() {
    let found = said(|_, seen| {
        let mut second = meeting(seen).clone();
        second.id = "second".to_owned();
        second.state = "failed".to_owned();
        second.card = Some(("it could not be started".to_owned(), String::new()));
        second.requests.truncate(1);
        seen.meetings.insert("second".to_owned(), second);
    });
    assert_eq!(
        found,
        ["event-1: the meeting of request Start of number 00001 is there 2 times"]
    );
}

#[test]
fn untrue_card_is_found() {
    let running = said(|_, seen| {
        meeting(seen).card = Some((
            "alice started **Chaos**".to_owned(),
            "1: Person 0".to_owned(),
        ));
    });
    assert!(
        running.len() == 1 && running[0].contains("should say"),
        "{running:?}"
    );
    let nameless =
        said(|_, seen| meeting(seen).card = Some(("**Chaos** ended".to_owned(), String::new())));
    assert!(
        nameless.len() == 1 && nameless[0].contains("Person 0"),
        "{nameless:?}"
    );
}

#[test]
fn what_is_missing_otherwise_is_found() {
    let artifact = said(|_, seen| {
        meeting(seen).posts.remove("artifact:record");
    });
    assert_eq!(
        artifact,
        ["meeting: recording or summary record was never posted"]
    );
    let answer = said(|_, seen| seen.responses.clear());
    assert_eq!(
        answer,
        ["event-2: second start of number 00001 was never answered"]
    );
    let room = said(|_, seen| {
        let orphan = Session {
            meeting: Some("nobody".to_owned()),
            room: "other".to_owned(),
            ..seen.sessions[0].clone()
        };
        seen.sessions.push(orphan);
    });
    assert_eq!(
        room,
        ["other: a room of the meeting nobody, which is not there"]
    );
    let silent = said(|notes, _| notes.asked[0].fate = Fate::Silent("500".to_owned()));
    assert!(silent[0].contains("nobody sees why"), "{silent:?}");
}

#[test]
fn command_lost_at_its_source_is_counted_and_a_post_must_be_found_later() {
    let (mut notes, seen) = run();
    let fate = Fate::Lost("connection refused".to_owned());
    let mut lost = asked(2, What::Start, String::new(), None, fate);
    lost.is_post = false;
    notes.asked.push(lost.clone());
    let verdict = Verdict::of(&notes, &seen);
    assert_eq!(verdict.wrong, Reconciliation::default());
    assert_eq!(verdict.counts.lost, 1);
    lost.is_post = true;
    notes.asked.push(lost);
    let wrong = Verdict::of(&notes, &seen).wrong.into_discrepancies();
    assert!(wrong.len() == 1 && wrong[0].id == "channel-2", "{wrong:?}");
}
