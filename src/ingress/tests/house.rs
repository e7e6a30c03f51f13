//! A complete ingress over fakes, and meetings in every state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;
use uuid::Uuid;

use super::outside::{AccountState, FakeBehavior, Mint, OneMeeting, OnePerson};
use super::{FixedClock, NOW, Notes, Sink, Storage, envelope_queue};
use crate::domain::meeting::{Artifact, Presence, Request, RequestPurpose, Session};
use crate::domain::rule::Rules;
use crate::domain::{
    ArtifactKind, Conversation, ConversationKind, EndSaid, Meeting, MeetingId, Moderators, Person,
    RequestId, RuleChoice, ServerName, State, Timestamp, TriggerSource,
};
use crate::ingress::inbound::fresh_id;
use crate::ingress::{Ingress, IngressDeps, IngressSettings};
use crate::ports::DeliveryMethod;
use crate::token::{Links, Signer};
use crate::trigger::{MissedPosts, OwnUser};

/// The fakes of an ingress under test.
pub(in crate::ingress) struct IngressBench {
    pub(in crate::ingress) sink: Arc<Sink>,
    pub(in crate::ingress) store: Arc<OneMeeting>,
    pub(in crate::ingress) chat: Arc<OnePerson>,
    pub(in crate::ingress) mint: Arc<Mint>,
    pub(in crate::ingress) notes: Arc<Notes>,
    pub(in crate::ingress) own_user: OwnUser,
    pub(in crate::ingress) missed_posts: Option<MissedPosts>,
    pub(in crate::ingress) links: Arc<Links>,
    pub(in crate::ingress) rules: Arc<Rules>,
}

impl IngressBench {
    /// Everything works, and this is the only meeting.
    pub(in crate::ingress) fn new(meeting: Option<Meeting>) -> Self {
        let public_url = Url::parse("https://relay.example.org").unwrap();
        let signer = Signer::new(&SecretString::from("x".repeat(32)), &[]);
        Self {
            sink: Sink::new(Storage::Works),
            store: Arc::new(OneMeeting {
                behavior: FakeBehavior::Answers,
                meeting,
                asked: Mutex::default(),
            }),
            chat: Arc::new(OnePerson {
                behavior: FakeBehavior::Answers,
                display_name: "Ana Müller".to_owned(),
                is_system_admin: false,
                is_channel_admin: false,
                account_state: AccountState::Active,
                delivery_method: DeliveryMethod::Posts,
            }),
            mint: Arc::new(Mint {
                answer: Ok("https://meet.example.org/?access_token=SECRET"),
                hangs: false,
                joiners: Mutex::default(),
                downloads: Mutex::default(),
            }),
            notes: Arc::default(),
            own_user: OwnUser::unknown(),
            missed_posts: None,
            links: Arc::new(Links::new(&public_url, signer)),
            rules: Arc::new(Rules::built_in()),
        }
    }

    /// The ingress with these fakes.
    pub(in crate::ingress) fn ingress(&self) -> Ingress {
        let mut settings = IngressSettings::new(
            "plugnmeet".to_owned(),
            SecretString::from("zumyyYWqv7KR2kUqvYdq4z4sXg7XTBD2ljT6"),
            Url::parse("https://meet.example.org/some/path").unwrap(),
        );
        settings.outgoing_tokens = vec!["outgoing-1".into(), "outgoing-2".into()];
        settings.command_tokens = vec!["command-1".into(), "command-2".into()];
        Ingress::new(
            settings,
            IngressDeps {
                queue: envelope_queue(&self.sink),
                rules: self.rules.clone(),
                links: self.links.clone(),
                store: self.store.clone(),
                chat: self.chat.clone(),
                conference: self.mint.clone(),
                clock: Arc::new(FixedClock),
                own_user: self.own_user.clone(),
                missed_posts: self.missed_posts.clone(),
                observer: self.notes.clone(),
            },
        )
        .unwrap()
    }
}

/// The request that every meeting of these tests was made for: a minute before [`NOW`].
pub(in crate::ingress) fn request() -> RequestId {
    static REQUEST: LazyLock<RequestId> =
        LazyLock::new(|| fresh_id(NOW.minus(Duration::from_secs(60))).into());
    *REQUEST
}

/// A meeting in a state, with what belongs to it.
pub(in crate::ingress) fn meeting(state: State) -> Meeting {
    let requested_at = NOW.minus(Duration::from_secs(3600));
    let mut meeting = Meeting {
        id: MeetingId::from_uuid(Uuid::from_u128(7)),
        conference: ServerName::default_server(),
        place: Conversation {
            server: ServerName::default_server(),
            team: None,
            team_name: "eng".to_owned(),
            channel: "mpa8m9xzb3ymjdbmu6ynkqjznh".parse().unwrap(),
            channel_name: "town-square".to_owned(),
            thread: None,
            kind: ConversationKind::Channel,
        },
        room: "mm-abcdefghijklm".parse().unwrap(),
        rule: RuleChoice {
            title: "Weekly <sync>".to_owned(),
            title_source: None,
            moderators: Moderators::Everyone,
            start_deadline: Duration::from_secs(900),
            notify: Default::default(),
        },
        number: 2,
        requested_at,
        requests: vec![Request {
            id: request(),
            by: Person {
                user_id: "6taiyi7pxiyudgedj17rdifoge".parse().unwrap(),
                user_name: "ana".to_owned(),
            },
            via: TriggerSource::SlashCommand { hook: None },
            received_at: requested_at,
            told: None,
            purpose: RequestPurpose::Start,
        }],
        refused: None,
        held_up: None,
        sessions: Vec::new(),
        breakouts: BTreeSet::new(),
        people: BTreeMap::new(),
        artifacts: BTreeMap::new(),
        recordings: BTreeMap::new(),
        end: None,
        polled: 0,
        polled_at: None,
        artifacts_step: 0,
        end_known_at: None,
        given_up: BTreeSet::new(),
        version: 1,
        changed_at: requested_at,
        round: 0,
        wakes: 0,
        wake_at: None,
        published_until: requested_at,
        posts: BTreeMap::new(),
    };
    let minutes = |minutes: u64| requested_at.plus(Duration::from_secs(60 * minutes));
    match state {
        State::Creating => {}
        State::Failed => meeting.refused = Some(crate::domain::Refusal::Unauthorized),
        State::Cancelled => {
            meeting.end = Some(crate::domain::meeting::EndRequest {
                wanted_at: minutes(1),
                tried: 1,
                tried_at: None,
                gone: true,
            });
        }
        State::Open | State::Live | State::Ended | State::Missed => {
            let mut session = Session::new("s-1".parse().unwrap(), minutes(1));
            session.answered_at = Some(minutes(1));
            if matches!(state, State::Ended | State::Missed) {
                session.note_end(EndSaid::SessionEnded, minutes(25), minutes(25));
            }
            meeting.sessions.push(session);
        }
    }
    if matches!(state, State::Live | State::Ended) {
        for (number, name) in [(1, "Ana Müller"), (2, "<b>Ben</b>")] {
            people(
                &mut meeting,
                number,
                name,
                minutes(2),
                state == State::Ended,
            );
        }
    }
    if state == State::Ended {
        for (id, kind, text) in [
            ("rec-1", ArtifactKind::Recording, None),
            (
                "sum-1",
                ArtifactKind::Summary,
                Some("### Decisions\n\n- **Ship** on Friday\n- <script>x</script>"),
            ),
            ("tra-1", ArtifactKind::Transcript, None),
        ] {
            let artifact = Artifact {
                kind,
                sid: "s-1".parse().unwrap(),
                known_at: minutes(30),
                text: text.map(str::to_owned),
            };
            meeting.artifacts.insert(id.parse().unwrap(), artifact);
        }
    }
    assert_eq!(meeting.state(), state);
    meeting
}

/// Somebody who is, or was, in the meeting.
pub(in crate::ingress) fn people(
    meeting: &mut Meeting,
    number: u32,
    name: &str,
    joined_at: Timestamp,
    has_left: bool,
) {
    let presence = Presence {
        sid: "s-1".parse().unwrap(),
        identity: format!("u-{number}").parse().unwrap(),
        name: name.to_owned(),
        joined_at: Some(joined_at),
        left_at: has_left.then(|| joined_at.plus(Duration::from_secs(600))),
        never_joined: false,
    };
    meeting
        .people
        .insert(format!("PA_{number}").parse().unwrap(), presence);
}
