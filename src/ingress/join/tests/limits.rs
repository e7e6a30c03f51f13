//! How often people may join, and links whose owner has no active account.

use super::*;
use crate::domain::MeetingId;

fn with_cookie(body: &'static str, cookie: &str) -> Inbound {
    let mut inbound = post(FORM, body);
    let cookie = HeaderValue::from_str(cookie).unwrap();
    inbound.headers.insert("cookie", cookie);
    inbound
}

fn guest_cookie(answer: &Answer) -> String {
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn s6_guest_who_tries_too_often_must_wait_and_others_need_not() {
    let bench = bench(State::Live);
    let ingress = bench.ingress();
    let token = token(&bench, &open());
    let first = ingress.join.answer(&token, post(FORM, "name=Zoe")).await;
    let cookie = guest_cookie(&first);
    let again = || {
        ingress
            .join
            .answer(&token, with_cookie("name=Zoe", &cookie))
    };
    for _ in 0..10 {
        assert_eq!(again().await.status(), StatusCode::SEE_OTHER);
    }
    let refused = again().await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "6");
    let page = text(&refused);
    assert!(
        page.contains("You have tried this many times") && page.contains("Wait 6 seconds"),
        "{page}"
    );
    let other = ingress.join.answer(&token, post(FORM, "name=Ben")).await;
    assert_eq!(other.status(), StatusCode::SEE_OTHER);
    let asked = bench.mint.joiners.lock().unwrap().len();
    assert_eq!(asked, 12, "the refused one did not reach plugNmeet");
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(again().await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test(start_paused = true)]
async fn s6_owner_of_a_link_is_bounded_before_the_chat_is_asked() {
    let mut bench = bench(State::Live);
    bench.chat = Arc::new(OnePerson {
        behavior: FakeBehavior::Hangs,
        display_name: "Ana Müller".to_owned(),
        is_system_admin: false,
        is_channel_admin: false,
        account_state: AccountState::Active,
        delivery_method: DeliveryMethod::Posts,
    });
    let ingress = bench.ingress();
    let token = token(&bench, &own(ANA));
    let joins = (0..50).map(|_| ingress.join.answer(&token, post(FORM, "")));
    let answers = futures_util::future::join_all(joins).await;
    let count = |status| {
        let with = answers.iter().filter(|answer| answer.status() == status);
        with.count()
    };
    assert_eq!(count(StatusCode::SEE_OTHER), 10);
    assert_eq!(count(StatusCode::TOO_MANY_REQUESTS), 40);
}

#[tokio::test]
async fn s8_deactivated_or_deleted_account_cannot_join_and_moderates_nothing() {
    for account_state in [AccountState::Deactivated, AccountState::Deleted] {
        for moderators in [Moderators::Everyone, Moderators::Starter] {
            let mut bench = with(|meeting| meeting.rule.moderators = moderators);
            bench.chat = Arc::new(OnePerson {
                behavior: FakeBehavior::Answers,
                display_name: "Ana Müller".to_owned(),
                is_system_admin: false,
                is_channel_admin: true,
                account_state,
                delivery_method: DeliveryMethod::Posts,
            });
            for user in [ANA, "somebodyelse"] {
                let answer = answer(&bench, &own(user), post(FORM, "")).await;
                assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{account_state:?}");
                let page = text(&answer);
                assert!(page.contains("deactivated"), "{page}");
            }
            assert!(bench.mint.joiners.lock().unwrap().is_empty());
            // The card's link is for everybody.
            let guest = answer(&bench, &open(), post(FORM, "name=Ana")).await;
            assert_eq!(guest.status(), StatusCode::SEE_OTHER);
        }
    }
}

#[tokio::test]
async fn s_guest_is_somebody_else_in_the_next_meeting() {
    let one = bench(State::Live);
    let first = answer(&one, &open(), post(FORM, "name=Zoe")).await;
    let cookie = guest_cookie(&first);
    let other = with(|meeting| meeting.id = MeetingId::from_uuid(uuid::Uuid::from_u128(8)));
    answer(&other, &open(), with_cookie("name=Zoe", &cookie)).await;
    let seen = [&one, &other].map(|bench| {
        let joiners = bench.mint.joiners.lock().unwrap();
        joiners[0].identity.clone()
    });
    assert_ne!(seen[0], seen[1]);
    assert!(seen.iter().all(|one| !cookie.contains(one.as_str())));
}
