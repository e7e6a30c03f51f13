//! The main job without a person: each step waits for what a person would see, and says how long it took.

use std::time::{Duration, Instant};

use anyhow::Context;
use world::mattermost::{Model, Post};

use crate::stage::Stage;

/// How long a step may take before the script fails.
const PATIENCE: Duration = Duration::from_secs(30);

const SUMMARY: &str =
    "<h3>Decisions</h3><ul><li>The release goes out on <strong>Thursday</strong>.</li></ul>";

/// Plays it, with the queue that the argument names.
pub async fn play(queue: &str) -> anyhow::Result<()> {
    let mut steps = Steps {
        began: Instant::now(),
        last: Instant::now(),
    };
    let stage = Stage::set(0, queue).await?;
    steps.done("relay and both fakes are up");
    let played = play_on(&stage, &mut steps).await;
    stage.strike().await?;
    played?;
    steps.done("relay stopped cleanly");
    println!("{:>9.3} s  in all", steps.began.elapsed().as_secs_f64());
    Ok(())
}

async fn play_on(stage: &Stage, steps: &mut Steps) -> anyhow::Result<()> {
    let chat = &stage.chat;
    chat.say("ana", "weekly", "meet now: weekly sync").await;
    steps.done("Ana wrote \"meet now: weekly sync\", the webhook was answered");
    let card = see(stage, "the card", |chat| {
        card_with(chat, "Join the meeting")
    })
    .await?;
    steps.done("the card with its Join link is in the channel");

    let token = join(&link_of(&card)?, "Guest Greta").await?;
    steps.done("the Join page sent a guest on to plugNmeet");
    let (room, name) = stage
        .conference
        .join_with_token(&token)
        .map_err(|why| anyhow::anyhow!(why))?;
    stage
        .conference
        .join(&room, "Bob Berger", "demo-bob")
        .map_err(|why| anyhow::anyhow!(why))?;
    see(stage, "people on the card", |chat| {
        let shown = shown(chat.post(&card.id)?);
        (shown.contains(&name) && shown.contains("Bob Berger")).then_some(())
    })
    .await?;
    steps.done("the card names both people");

    stage
        .conference
        .start_recording(&room)
        .context("recording starts")?;
    stage
        .conference
        .finish_recording(&room)
        .context("recording ends")?;
    anyhow::ensure!(stage.conference.end_room(&room), "the room ends");
    see(stage, "the ended notice", |chat| {
        chat.post(&card.id)
            .filter(|post| post.message.contains("ended"))
            .map(|_| ())
    })
    .await?;
    steps.done("the meeting ended at plugNmeet and the card says so");
    stage
        .conference
        .make_summary(&room, SUMMARY)
        .context("summary")?;
    see(stage, "recording and summary", |chat| {
        let thread = chat.thread(&card.id);
        let has = |words: &str| thread.iter().any(|post| post.message.contains(words));
        (has("/artifact/") && has("Thursday")).then_some(())
    })
    .await?;
    steps.done("recording and summary are in its thread");

    let answer = chat
        .command("bob", "dev", "/plugnmeet start Retro", None)
        .await;
    anyhow::ensure!(
        answer.status == 200 && answer.text.contains("/join/"),
        "{answer:?}"
    );
    steps.done("/plugnmeet start was answered with Bob's own link");
    let card = see(stage, "the second card", |chat| card_with(chat, "Retro")).await?;
    steps.done("its card is there");
    chat.command("bob", "dev", "/plugnmeet end", None).await;
    see(stage, "its end", |chat| {
        let post = chat.post(&card.id)?;
        (!shown(post).contains("Join the meeting")).then_some(())
    })
    .await?;
    steps.done("/plugnmeet end ended it");
    let unexpected: Vec<String> =
        [chat.unexpected().all(), stage.conference.unexpected().all()].concat();
    anyhow::ensure!(unexpected.is_empty(), "unexpected requests: {unexpected:?}");
    Ok(())
}

struct Steps {
    began: Instant,
    last: Instant,
}

impl Steps {
    fn done(&mut self, what: &str) {
        let (took, at) = (self.last.elapsed(), self.began.elapsed());
        println!(
            "{:>9.3} s  +{:.3} s  {what}",
            at.as_secs_f64(),
            took.as_secs_f64()
        );
        self.last = Instant::now();
    }
}

async fn see<T>(
    stage: &Stage,
    what: &str,
    look: impl FnMut(&Model) -> Option<T>,
) -> anyhow::Result<T> {
    Ok(stage.chat.wait_for(what, PATIENCE, look).await?)
}

fn card_with(chat: &Model, words: &str) -> Option<Post> {
    ["weekly", "dev"]
        .iter()
        .flat_map(|channel| chat.posts(channel))
        .find(|post| !post.attachments().is_empty() && shown(post).contains(words))
}

fn shown(post: &Post) -> String {
    format!(
        "{}\n{}",
        post.message,
        serde_json::Value::from(post.attachments().to_vec())
    )
}

/// The address behind "Join the meeting".
fn link_of(card: &Post) -> anyhow::Result<String> {
    let attachment = card
        .attachments()
        .first()
        .context("a card has an attachment")?;
    Ok(attachment["title_link"]
        .as_str()
        .context("a card's title is a link")?
        .to_owned())
}

/// What a browser does: GET the page, POST the name, follow to plugNmeet; gives the token in the address.
async fn join(link: &str, name: &str) -> anyhow::Result<String> {
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()?;
    let page = browser.get(link).send().await?;
    anyhow::ensure!(
        page.status() == 200,
        "the Join page answered {}",
        page.status()
    );
    let sent = browser.post(link).form(&[("name", name)]).send().await?;
    anyhow::ensure!(
        sent.status() == 303,
        "the Join button answered {}",
        sent.status()
    );
    let location = sent.headers()["location"].to_str()?;
    let address = url::Url::parse(location)?;
    let token = address.query_pairs().find(|(key, _)| key == "access_token");
    Ok(token.context("the address holds a token")?.1.into_owned())
}
