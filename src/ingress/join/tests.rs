#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod limits;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::domain::{ConversationKind, Meeting, Moderators, RequestId, State};
use crate::ingress::inbound::{FORM, Inbound, fresh_id};
use crate::ingress::reply::Answer;
use crate::ingress::tests::{
    AccountState, FakeBehavior, IngressBench, Mint, NOW, OneMeeting, OnePerson, meeting, people,
    post, request,
};
use crate::ports::{ConferenceError, DeliveryMethod};
use crate::token::Link;

const ANA: &str = "6taiyi7pxiyudgedj17rdifoge";

fn token(bench: &IngressBench, link: &Link) -> String {
    bench
        .links
        .join(link)
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned()
}

fn open() -> Link {
    Link::Open(request())
}

fn own(user: &str) -> Link {
    Link::Own(request(), user.parse().unwrap())
}

fn get() -> Inbound {
    let mut inbound = post(FORM, "");
    (inbound.method, inbound.headers) = (Method::GET, HeaderMap::new());
    inbound
}

async fn answer(bench: &IngressBench, link: &Link, inbound: Inbound) -> Answer {
    bench
        .ingress()
        .join
        .answer(&token(bench, link), inbound)
        .await
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body().to_vec()).unwrap()
}

async fn seen(bench: &IngressBench, link: &Link) -> String {
    let answer = answer(bench, link, get()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    text(&answer)
}

fn bench(state: State) -> IngressBench {
    IngressBench::new(Some(meeting(state)))
}

fn with(change: impl FnOnce(&mut Meeting)) -> IngressBench {
    let mut meeting = meeting(State::Live);
    change(&mut meeting);
    IngressBench::new(Some(meeting))
}

#[tokio::test]
async fn link_waits_while_the_room_is_made() {
    let page = seen(&bench(State::Creating), &open()).await;
    assert!(
        page.contains("http-equiv=\"refresh\"") && page.contains("Weekly &lt;sync&gt;"),
        "{page}"
    );
    assert!(!page.contains("<form"));
}

#[tokio::test]
async fn link_lets_in_while_the_meeting_runs() {
    let page = seen(&bench(State::Open), &open()).await;
    assert!(
        page.contains("nobody is in it yet") && page.contains("name=\"name\""),
        "{page}"
    );
    let page = seen(&bench(State::Live), &open()).await;
    assert!(page.contains("2 people are in it"), "{page}");
    assert!(
        !page.contains("refresh"),
        "a page that is typed into stays as it is"
    );
}

#[tokio::test]
async fn owner_of_a_link_is_greeted_and_asked_nothing() {
    let page = seen(&bench(State::Live), &own(ANA)).await;
    assert!(
        page.contains("Hello Ana Müller.") && !page.contains("<input"),
        "{page}"
    );
    let page = seen(&bench(State::Live), &own("somebodyelse")).await;
    assert!(
        page.contains("your own link") && !page.contains("Hello"),
        "{page}"
    );
}

#[tokio::test]
async fn link_is_the_recap_afterwards() {
    let page = seen(&bench(State::Ended), &open()).await;
    for expected in [
        "Sat 21 Nov 2026, 06:37 UTC",
        "<dd>07:01 UTC</dd>",
        "24 min",
        "<dd>2</dd>",
        "Ana Müller",
        "&lt;b&gt;Ben&lt;&#x2f;b&gt;",
        "<h3>Decisions</h3>",
        "<strong>Ship</strong>",
        "https:&#x2f;&#x2f;relay.example.org&#x2f;artifact&#x2f;",
        ">Recording<",
        ">Transcript<",
    ] {
        assert!(page.contains(expected), "{expected} is missing in {page}");
    }
    assert!(!page.contains("<script") && !page.contains("<form"));
    let page = seen(&bench(State::Missed), &own(ANA)).await;
    assert!(page.contains("Nobody came"), "{page}");
}

#[tokio::test]
async fn recap_lists_everybody_and_not_only_those_of_the_card() {
    let mut meeting = meeting(State::Ended);
    for number in 10..40 {
        people(&mut meeting, number, &format!("Person {number}"), NOW, true);
    }
    let page = seen(&IngressBench::new(Some(meeting)), &open()).await;
    assert!(
        page.contains("Person 39") && page.contains("<dd>32</dd>"),
        "{page}"
    );
}

#[tokio::test]
async fn failed_and_cancelled_meetings_say_what_to_do() {
    let page = seen(&bench(State::Failed), &open()).await;
    assert!(
        page.contains("refuses the key") && page.contains("administrator"),
        "{page}"
    );
    assert!(page.contains(&format!("ref {}", request())), "{page}");
    let page = seen(&bench(State::Cancelled), &open()).await;
    assert!(page.contains("Cancelled"), "{page}");
}

#[tokio::test]
async fn request_that_the_store_does_not_know_waits_until_it_is_too_late() {
    let bench = IngressBench::new(None);
    let ago = |seconds| -> Link {
        Link::Open(RequestId::from(fresh_id(
            NOW.minus(Duration::from_secs(seconds)),
        )))
    };
    for seconds in [0, 899] {
        let page = seen(&bench, &ago(seconds)).await;
        assert!(page.contains("Being prepared"), "{page}");
    }
    let page = seen(&bench, &ago(902)).await;
    assert!(
        page.contains("was not started") && !page.contains("refresh"),
        "{page}"
    );
}

#[tokio::test]
async fn bad_link_is_a_404_like_any_other() {
    let bench = bench(State::Live);
    let ingress = bench.ingress();
    let artifact = Link::Artifact("a".parse().unwrap(), crate::domain::ArtifactKind::Recording);
    for bad in ["", "x", &"x".repeat(9999), &token(&bench, &artifact)] {
        let answer = ingress.join.answer(bad, get()).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{bad:.20}");
        assert!(text(&answer).contains("There is nothing here"));
    }
}

#[tokio::test(start_paused = true)]
async fn page_says_so_and_reloads_when_the_store_is_unavailable() {
    for behavior in [FakeBehavior::Refuses, FakeBehavior::Hangs] {
        let mut bench = bench(State::Live);
        bench.store = Arc::new(OneMeeting {
            behavior,
            meeting: None,
            asked: std::sync::Mutex::default(),
        });
        for inbound in [get(), post(FORM, "name=Ana")] {
            let answer = answer(&bench, &open(), inbound).await;
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.headers()["retry-after"], "10");
            assert!(text(&answer).contains("refresh"));
        }
    }
}

#[tokio::test]
async fn page_keeps_to_itself() {
    let bench = bench(State::Live);
    let answer = answer(&bench, &open(), get()).await;
    let header = |name: &str| answer.headers()[name].to_str().unwrap();
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(
        policy.contains("form-action 'self' https://meet.example.org;"),
        "{policy}"
    );
    assert!(policy.contains("style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(header("referrer-policy"), "same-origin");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-content-type-options"), "nosniff");
    let page = text(&answer);
    assert!(
        !page.contains("style=\"") && !page.contains("<script"),
        "{page}"
    );
}

#[tokio::test]
async fn style_sheet_of_a_page_is_the_one_that_the_policy_allows() {
    use base64::Engine;
    use sha2::Digest;
    let bench = bench(State::Live);
    let answer = answer(&bench, &open(), get()).await;
    let page = text(&answer);
    let style = page
        .split("<style>")
        .nth(1)
        .unwrap()
        .split("</style>")
        .next()
        .unwrap();
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(style));
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(policy.contains(&format!("'sha256-{hash}'")), "{policy}");
}

#[tokio::test]
async fn get_never_mints_a_token() {
    let bench = bench(State::Live);
    for method in [Method::GET, Method::HEAD] {
        let mut inbound = get();
        inbound.method = method;
        inbound
            .headers
            .insert("user-agent", HeaderValue::from_static("Mattermost-Bot/1.1"));
        let answer = answer(&bench, &own(ANA), inbound).await;
        assert!(!answer.headers().contains_key("set-cookie"));
    }
    assert!(bench.mint.joiners.lock().unwrap().is_empty());
}

#[tokio::test]
async fn guest_joins_under_the_name_given_and_stays_the_same_person() {
    let bench = bench(State::Live);
    let first = answer(&bench, &open(), post(FORM, "name=+Zo%C3%AB%0A+")).await;
    assert_eq!(first.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        first.headers()["location"],
        "https://meet.example.org/?access_token=SECRET"
    );
    assert_eq!(first.headers()["cache-control"], "no-store");
    assert_eq!(first.headers()["referrer-policy"], "no-referrer");
    assert!(!format!("{first:?}").contains("SECRET"));
    let cookie = first.headers()["set-cookie"].to_str().unwrap();
    let mut again = post(FORM, "name=Zoe");
    let pair = cookie.split(';').next().unwrap();
    again
        .headers
        .insert("cookie", HeaderValue::from_str(pair).unwrap());
    answer(&bench, &open(), again).await;
    let joiners = bench.mint.joiners.lock().unwrap();
    assert_eq!(joiners[0].name, "Zoë");
    assert!(joiners[0].identity.as_str().starts_with("g-") && joiners[0].is_moderator);
    assert_eq!(joiners[0].identity, joiners[1].identity);
}

#[tokio::test]
async fn guest_without_a_name_is_asked_again() {
    let bench = bench(State::Live);
    let unseen = [
        "name=%E2%80%8B%EF%BB%BF",
        "name=%E3%85%A4",
        "name=%E2%A0%80",
        "name=%CC%81",
    ];
    for body in ["", "name=", "name=+%00+", "other=x"]
        .into_iter()
        .chain(unseen)
    {
        let answer = answer(&bench, &open(), post(FORM, body)).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{body}");
        assert!(text(&answer).contains("Please write the name"));
    }
    for (inbound, status) in [
        (
            post("application/json", "{}"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (post(FORM, "name=%ff"), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(answer(&bench, &open(), inbound).await.status(), status);
    }
    assert!(bench.mint.joiners.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn owner_joins_under_the_chats_name_for_them_else_under_the_one_known() {
    for (behavior, user, name) in [
        (FakeBehavior::Answers, ANA, "Ana Müller"),
        (FakeBehavior::Refuses, ANA, "ana"),
        (FakeBehavior::Hangs, ANA, "ana"),
        (FakeBehavior::Hangs, "somebodyelse", "Guest"),
    ] {
        let mut bench = bench(State::Open);
        bench.chat = Arc::new(OnePerson {
            behavior,
            display_name: "Ana Müller".to_owned(),
            is_system_admin: false,
            is_channel_admin: false,
            account_state: AccountState::Active,
            delivery_method: DeliveryMethod::Posts,
        });
        let began = tokio::time::Instant::now();
        let answer = answer(&bench, &own(user), post(FORM, "name=Mallory")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert!(!answer.headers().contains_key("set-cookie"));
        assert!(began.elapsed() <= Duration::from_millis(1001));
        let joiners = bench.mint.joiners.lock().unwrap();
        assert_eq!(
            (joiners[0].identity.as_str(), joiners[0].name.as_str()),
            (user, name)
        );
    }
}

#[tokio::test]
async fn moderators_are_everyone_or_the_starter_and_the_administrators() {
    let rights = [(false, false), (true, false), (false, true)];
    for (is_system_admin, is_channel_admin) in rights {
        let mut bench = with(|meeting| meeting.rule.moderators = Moderators::Starter);
        bench.chat = Arc::new(OnePerson {
            behavior: FakeBehavior::Answers,
            display_name: "X".to_owned(),
            is_system_admin,
            is_channel_admin,
            account_state: AccountState::Active,
            delivery_method: DeliveryMethod::Posts,
        });
        answer(&bench, &own(ANA), post(FORM, "")).await;
        answer(&bench, &own("somebodyelse"), post(FORM, "")).await;
        answer(&bench, &open(), post(FORM, "name=Guest")).await;
        let joiners = bench.mint.joiners.lock().unwrap();
        let moderators: Vec<_> = joiners.iter().map(|joiner| joiner.is_moderator).collect();
        assert_eq!(
            moderators,
            [true, is_system_admin || is_channel_admin, false]
        );
    }
}

#[tokio::test]
async fn post_when_there_is_nothing_to_join_leads_back_to_the_page() {
    for state in [
        State::Creating,
        State::Ended,
        State::Missed,
        State::Failed,
        State::Cancelled,
    ] {
        let bench = bench(state);
        let answer = answer(&bench, &own(ANA), post(FORM, "")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(
            answer.headers()["location"],
            bench.links.join(&own(ANA)).as_str()
        );
        assert!(bench.mint.joiners.lock().unwrap().is_empty());
    }
    let bench = IngressBench::new(None);
    let answer = answer(&bench, &open(), post(FORM, "name=Ana")).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn f29_form_on_somebody_elses_site_brings_nobody_in() {
    let bench = bench(State::Live);
    let mut inbound = post(FORM, "name=Ana");
    let origin = HeaderValue::from_static("https://evil.example");
    inbound.headers.insert("origin", origin);
    let answer = answer(&bench, &open(), inbound).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(text(&answer).contains("Open the page"));
    assert!(!answer.headers().contains_key("set-cookie"));
    assert!(bench.mint.joiners.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn refusals_of_the_meeting_server_become_pages() {
    let unreachable = ConferenceError::Unreachable {
        why: "CANARY".to_owned(),
    };
    for (result, hangs, status, says) in [
        (
            Err(ConferenceError::RoomGone),
            false,
            409,
            "over, or its room is just being prepared",
        ),
        (
            Err(ConferenceError::Blocked),
            false,
            403,
            "removed from this meeting",
        ),
        (Err(unreachable), false, 503, "Try again"),
        (Ok("https://meet.example.org/"), true, 503, "Try again"),
        (Ok("no\naddress"), false, 503, "Please wait"),
    ] {
        let mut bench = bench(State::Live);
        bench.mint = Arc::new(Mint {
            answer: result,
            hangs,
            joiners: std::sync::Mutex::default(),
            downloads: std::sync::Mutex::default(),
        });
        let answer = answer(&bench, &open(), post(FORM, "name=Ana")).await;
        assert_eq!(answer.status().as_u16(), status);
        let page = text(&answer);
        assert!(page.contains(says) && !page.contains("CANARY"), "{page}");
        assert!(!answer.headers().contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn owner_of_a_link_without_a_known_name_is_asked_for_one() {
    let mut bench = bench(State::Live);
    bench.chat = Arc::new(OnePerson {
        behavior: FakeBehavior::Answers,
        display_name: "Ana Müller".to_owned(),
        is_system_admin: false,
        is_channel_admin: false,
        account_state: AccountState::Active,
        delivery_method: DeliveryMethod::Notices,
    });
    // The request identifies the starter, so no rights are asked for.
    assert!(!seen(&bench, &own(ANA)).await.contains("name=\"name\""));
    answer(&bench, &own(ANA), post(FORM, "name=Mallory")).await;
    let stranger = own("somebodyelse");
    assert!(seen(&bench, &stranger).await.contains("name=\"name\""));
    let nameless = answer(&bench, &stranger, post(FORM, "")).await;
    assert_eq!(nameless.status(), StatusCode::BAD_REQUEST);
    answer(&bench, &stranger, post(FORM, "name=Bob")).await;
    let joiners = bench.mint.joiners.lock().unwrap();
    let joiners: Vec<_> = joiners
        .iter()
        .map(|joiner| (joiner.identity.as_str(), joiner.name.as_str()))
        .collect();
    assert_eq!(joiners, [(ANA, "ana"), ("somebodyelse", "Bob")]);
}

#[tokio::test]
async fn place_of_a_direct_message_is_not_shown_by_its_ids() {
    let bench = with(|meeting| {
        meeting.place.kind = ConversationKind::Direct;
        meeting.place.channel_name = format!("{ANA}__{ANA}");
    });
    let page = seen(&bench, &open()).await;
    assert!(
        page.contains("in a direct message") && !page.contains(ANA),
        "{page}"
    );
}

#[tokio::test]
async fn other_methods_are_refused() {
    let mut inbound = get();
    inbound.method = Method::PUT;
    let answer = answer(&bench(State::Live), &open(), inbound).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}
