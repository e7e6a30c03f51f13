//! A queue that does not answer (I20).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use world::broker::Broker;

use crate::harness::{BackEnd, Setup, World, client};

/// Requests at a time.
const CROWD: usize = 20;
/// The time in which every command is answered, and as much again for a machine with more to do than this test.
const WITHIN: Duration = Duration::from_secs(2);

async fn relay_at(broker: &Arc<Broker>, spool: &str) -> World {
    let vhost = broker.new_vhost().await;
    let world = Setup::default()
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .set("SPOOL__MAX_BYTES", spool)
        .back_end(BackEnd::Own(Arc::clone(broker), vhost))
        .start()
        .await;
    for check in ["amqp_publisher", "amqp_consumer"] {
        let line = format!("meetrelay_ready{{check=\"{check}\"}} 1");
        world.relay.await_metric(&line).await;
    }
    world
}

/// Everybody types the command at once; tells what was answered, and the longest wait.
async fn ask(world: &World) -> (Vec<String>, Duration) {
    let url = format!("{}/mattermost/command", world.relay.ports.public_url());
    let (channel, user) = (world.chat.channel("dev").id, world.chat.user("ana").id);
    let mut asked = JoinSet::new();
    for number in 0..CROWD {
        let form = [
            ("token", world.command_token.clone()),
            ("channel_id", channel.clone()),
            ("channel_name", "dev".to_owned()),
            ("user_id", user.clone()),
            ("user_name", "ana".to_owned()),
            ("text", format!("start --new Slow {number}")),
            ("trigger_id", format!("slow-{number}")),
        ];
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&form)
            .finish();
        let request = client()
            .post(&url)
            .header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(form);
        asked.spawn(async move {
            let since = Instant::now();
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            (answer.text().await.unwrap(), since.elapsed())
        });
    }
    let (texts, took): (Vec<_>, Vec<_>) = asked.join_all().await.into_iter().unzip();
    (texts, took.into_iter().max().unwrap())
}

#[tokio::test]
async fn i20_commands_are_answered_in_time_while_the_queue_is_slow() {
    let BackEnd::Own(broker, _) = BackEnd::own().await else {
        unreachable!("it was asked for")
    };
    let spooling = relay_at(&broker, "64MiB").await;
    let without = relay_at(&broker, "0B").await;
    broker.freeze().await;
    // The first meets a publish that hangs, the second a link that is known to hang.
    for round in 0..2 {
        let (texts, longest) = ask(&spooling).await;
        eprintln!("i20: {CROWD} commands, round {round}: the longest wait was {longest:?}");
        assert!(longest < WITHIN, "{longest:?}");
        for text in texts {
            assert!(
                text.contains("/join/") && text.contains("ephemeral"),
                "{text}"
            );
        }
    }
    let (texts, longest) = ask(&without).await;

    assert!(longest < WITHIN, "{longest:?}");
    for text in texts {
        assert!(text.contains("ref ") && !text.contains("/join/"), "{text}");
    }
    broker.thaw().await;
    spooling
        .see("a card each", |chat| {
            let posts = chat.posts("dev");
            let cards = posts.iter().filter(|post| !post.attachments().is_empty());
            (cards.count() >= CROWD).then_some(())
        })
        .await;
    // The second round repeated the first one's trigger ids.
    assert_eq!(spooling.cards("dev").len(), CROWD);
    assert_eq!(spooling.conference.rooms().len(), CROWD);
    spooling.finish().await;
    without.finish().await;
}
