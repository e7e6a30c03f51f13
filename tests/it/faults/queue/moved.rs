//! An operator moves messages (Q22): whatever is needed stands in the message or in the store.

use lapin::options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions};
use lapin::{Connection, ConnectionProperties};

use crate::faults::storage::{ask, each_has_one_card, is_accepted};
use crate::harness::{BackEnd, Setup};

/// Takes every message of every queue out and puts it back, as a shovel there and back does: nothing is left of how
/// it was delivered.
async fn move_all(url: &str, queues: &[String]) -> usize {
    let connection = Connection::connect(url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut taken = Vec::new();
    for queue in queues {
        while let Some(message) = channel
            .basic_get(queue.as_str().into(), BasicGetOptions::default())
            .await
            .unwrap()
        {
            message
                .delivery
                .ack(BasicAckOptions::default())
                .await
                .unwrap();
            taken.push(message.delivery);
        }
    }
    for message in &taken {
        let published = channel.basic_publish(
            message.exchange.clone(),
            message.routing_key.clone(),
            BasicPublishOptions::default(),
            &message.data,
            message.properties.clone(),
        );
        published.await.unwrap().await.unwrap();
    }
    connection.close(200, "done".into()).await.unwrap();
    taken.len()
}

#[tokio::test]
async fn q22_messages_that_were_moved_by_hand_are_worked_on() {
    let mut world = Setup::default()
        .back_end(BackEnd::own().await)
        .set("MATTERMOST__STARTS_PER_MINUTE", "1000")
        .start()
        .await;
    world.chat.stop().await;
    let mut channels = Vec::new();
    for number in 0..5 {
        let channel = format!("room-{number}");
        assert!(is_accepted(&ask(&world, &channel).await));
        channels.push(channel);
    }
    world.rooms(channels.len()).await;
    world.relay.stop().await;
    let (broker, vhost) = world.back_end.broker().unwrap();
    let moved = move_all(&broker.url(vhost), &broker.queues(vhost).await).await;
    assert!(moved >= channels.len(), "{moved} messages waited");
    world.relay.start_again().await;
    world.chat.start_again().await.unwrap();
    each_has_one_card(&world, &channels).await;
    let letters = world.relay.dead_letters().await;
    assert!(
        letters.iter().all(|letter| letter["kind"] != "unreadable"),
        "{letters:?}"
    );
    world.finish().await;
}
