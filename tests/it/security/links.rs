//! Links in the wrong hands: what their holders make plugNmeet do, and what a guest tells about themselves.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use world::Fault;
use world::mattermost::Post;

use crate::harness::{PATIENCE, World, client, link_in, page_with};

/// How long plugNmeet takes for a token.
const TOKEN_TAKES: Duration = Duration::from_millis(150);
/// Programs that look at links for others, as they call themselves.
const BOTS: [&str; 22] = [
    "Mattermost-Bot/1.1",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Slackbot 1.0 (+https://api.slack.com/robots)",
    "Slack-ImgProxy (+https://api.slack.com/robots)",
    "Twitterbot/1.0",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Facebot",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "WhatsApp/2.23.20.0",
    "TelegramBot (like TwitterBot)",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "AdsBot-Google (+http://www.google.com/adsbot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "Mozilla/5.0 (compatible; Applebot/0.1; +http://www.apple.com/go/applebot)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 (compatible; Embedly/0.2; +http://support.embed.ly/)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "Pinterestbot/1.0 (+https://www.pinterest.com/bot.html)",
];
/// People's browsers, one of which is on a telephone whose maker's name ends in the word.
const BROWSERS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Mattermost/5.9.0 Chrome/126.0.0.0 Electron/31.2.1 Safari/537.36",
];

/// A meeting that runs in a channel: its card, its room and the card's link.
async fn running(world: &World, channel: &str, title: &str) -> (Post, String, String) {
    let before = world.conference.rooms().len();
    let text = format!("meet now: {title}");
    world.chat.say("ana", channel, &text).await;
    let card = world.card(channel, title).await;
    let room = world
        .conference
        .wait_for("its room", PATIENCE, |fake| {
            let rooms = fake.rooms();
            (rooms.len() > before).then(|| rooms.last().unwrap().room_id.clone())
        })
        .await;
    let link = world
        .see("the card's link", |chat| {
            let post = chat.post(&card.id)?;
            let shown = post.attachments()[0].to_string();
            shown.contains("/join/").then(|| link_in(&shown, "/join/"))
        })
        .await;
    page_with(&link, "<form").await;
    (card, room, link)
}

/// The link of a recording of this meeting.
async fn recording(world: &World, card: &Post, room: &str) -> String {
    world.conference.join(room, "Ben", "u-ben").unwrap();
    world.conference.start_recording(room).unwrap();
    world.conference.finish_recording(room).unwrap();
    let reply = world
        .see("the recording's link", |chat| {
            let mut thread = chat.thread(&card.id).into_iter();
            thread.find(|post| post.message.contains("/artifact/"))
        })
        .await;
    link_in(&reply.message, "/artifact/")
}

/// Joins as the form does.
async fn join(http: &reqwest::Client, link: &str, cookie: &str) -> reqwest::Response {
    let sent = http
        .post(link)
        .header("cookie", cookie)
        .form(&[("name", "Zoë")])
        .send();
    sent.await.unwrap()
}

fn guest_cookie(answer: &reqwest::Response) -> String {
    let cookies = answer.headers().get_all("set-cookie").iter();
    let mut cookies = cookies.map(|cookie| cookie.to_str().unwrap());
    let cookie = cookies.find(|cookie| cookie.contains("meetrelay_guest"));
    cookie.unwrap().split(';').next().unwrap().to_owned()
}

fn token(answer: &reqwest::Response) -> String {
    let location = answer.headers()["location"].to_str().unwrap();
    location.split("access_token=").nth(1).unwrap().to_owned()
}

/// Since then plugNmeet was never asked for a third token while it had not answered for two.
fn assert_two_at_a_time(world: &World, since: Instant, operation: &str, words: &str) {
    let requests = world.conference.requests().into_iter();
    let asked: Vec<_> = requests
        .filter(|one| one.operation == operation && one.body.contains(words))
        .map(|one| one.at)
        .filter(|at| *at >= since)
        .collect();
    for three in asked.windows(3) {
        let apart = three[2].duration_since(three[0]);
        assert!(apart >= TOKEN_TAKES, "three within {apart:?}");
    }
}

#[tokio::test]
async fn s6_three_hundred_downloads_at_once_are_two_at_a_time_for_plugnmeet() {
    const DOWNLOADS: usize = 300;
    let world = World::start().await;
    let (card, room, _) = running(&world, "dev", "recorded").await;
    let file = format!("{}/file", recording(&world, &card, &room).await);
    let faults = world.conference.faults();
    faults.set("recording.token", Fault::Stall(TOKEN_TAKES));
    let since = Instant::now();
    let http = client();
    let answers = join_all((0..DOWNLOADS).map(|_| http.get(&file).send())).await;
    let (mut minted, mut refused) = (0, 0);
    for answer in answers {
        let answer = answer.unwrap();
        match answer.status().as_u16() {
            302 => minted += 1,
            503 => {
                assert_eq!(answer.headers()["retry-after"], "2");
                refused += 1;
            }
            status => panic!("{status}"),
        }
    }
    assert_eq!(minted + refused, DOWNLOADS);
    assert!(minted >= 2 && refused > 0, "{minted} and {refused}");
    let asked = world.conference.count("recording.token");
    assert_eq!(asked, u64::try_from(minted).unwrap());
    assert_two_at_a_time(&world, since, "recording.token", "");
    // And then the link works again.
    faults.clear();
    assert_eq!(http.get(&file).send().await.unwrap().status(), 302);
    world.finish().await;
}

#[tokio::test]
async fn s6_guest_with_fifty_joins_at_once_keeps_nobody_out() {
    let world = World::start().await;
    let (_, room, link) = running(&world, "dev", "open house").await;
    let answer = world
        .chat
        .command("bob", "weekly", "/plugnmeet start Retro", None)
        .await;
    let own = link_in(&answer.text, "/join/");
    page_with(&own, "<form").await;
    let http = client();
    let first = join(&http, &link, "").await;
    assert_eq!(first.status(), 303);
    let cookie = guest_cookie(&first);
    let faults = world.conference.faults();
    faults.set("room.token", Fault::Stall(TOKEN_TAKES));
    let since = Instant::now();
    let flood = join_all((0..50).map(|_| join(&http, &link, &cookie)));
    let (flood, other, owner) = tokio::join!(flood, join(&http, &link, ""), join(&http, &own, ""));
    assert_eq!(other.status(), 303, "another guest of this meeting");
    assert_eq!(owner.status(), 303, "somebody with a link of their own");
    let (mut minted, mut refused) = (0, 0);
    for answer in flood {
        match answer.status().as_u16() {
            303 => minted += 1,
            429 => {
                let wait = answer.headers()["retry-after"].to_str().unwrap();
                // One token in six seconds, counted from when each request came: not all come in their order.
                assert!((1..=12).contains(&wait.parse::<u32>().unwrap()), "{wait}");
                let page = answer.text().await.unwrap();
                assert!(page.contains("You have tried this many times"), "{page}");
                refused += 1;
            }
            status => panic!("{status}"),
        }
    }
    // Ten at once, and one more every six seconds.
    assert!(minted >= 9 && refused >= 30, "{minted} and {refused}");
    assert_two_at_a_time(&world, since, "room.token", &room);
    world.finish().await;
}

#[tokio::test]
async fn s_previews_of_links_mint_nothing() {
    let world = World::start().await;
    let (card, room, open) = running(&world, "dev", "previewed").await;
    let artifact = recording(&world, &card, &room).await;
    let answer = world
        .chat
        .command("bob", "dev", "/plugnmeet start Retro", None)
        .await;
    let own = link_in(&answer.text, "/join/");
    let file = format!("{artifact}/file");
    let http = client();
    for agent in BOTS {
        for address in [&open, &own, &artifact, &file] {
            for request in [http.get(address), http.head(address)] {
                let answer = request.header("user-agent", agent).send().await.unwrap();
                assert_eq!(answer.status(), 200, "{agent}");
                assert!(!answer.headers().contains_key("set-cookie"), "{agent}");
            }
        }
    }
    for name in ["sec-purpose", "purpose", "x-moz"] {
        let ahead = http.get(&file).header(name, "prefetch;prerender").send();
        assert_eq!(ahead.await.unwrap().status(), 200, "{name}");
    }
    for operation in ["room.token", "recording.token", "artifact.token"] {
        assert_eq!(world.conference.count(operation), 0, "{operation}");
    }
    for agent in BROWSERS {
        let person = http.get(&file).header("user-agent", agent).send();
        assert_eq!(person.await.unwrap().status(), 302, "{agent}");
    }
    world.finish().await;
}

#[tokio::test]
async fn s_guest_is_somebody_else_in_each_meeting() {
    let world = World::start().await;
    let http = client();
    let mut cookie = String::new();
    let mut seen = Vec::new();
    for (channel, title) in [("dev", "first"), ("weekly", "second")] {
        let (_, room, link) = running(&world, channel, title).await;
        // Or the room might end while the guest is outside.
        world.conference.join(&room, "Ben", "u-ben").unwrap();
        for _ in 0..2 {
            let answer = join(&http, &link, &cookie).await;
            assert_eq!(answer.status(), 303);
            cookie = guest_cookie(&answer);
            let token = token(&answer);
            world.conference.join_with_token(&token).unwrap();
            let inside = world.conference.room(&room).unwrap().participants;
            let guest = inside.into_iter().find(|one| one.0.starts_with("g-"));
            seen.push(guest.unwrap().0);
            world.conference.leave_with_token(&token).unwrap();
        }
    }
    assert_eq!(seen[0], seen[1], "a rejoin is the same person");
    assert_eq!(seen[2], seen[3]);
    assert_ne!(seen[0], seen[2], "nobody can follow the guest");
    assert!(seen.iter().all(|one| !cookie.contains(one)), "{cookie}");
    world.finish().await;
}
