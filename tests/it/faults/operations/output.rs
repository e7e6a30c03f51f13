//! Standard output that is full or closed (O10): lines are lost, work is not.

use std::fs::File;
use std::process::Stdio;

use crate::harness::World;

async fn works_with(name: &str, output: impl Fn() -> Stdio) {
    let mut world = World::start().await;
    world.relay.stop().await;
    world.relay.start_writing_to(output(), output()).await;
    let title = format!("meet now: {name}");
    world.chat.say("ana", "dev", &title).await;
    let card = world.card("dev", name).await;
    let room = world.room().await;
    assert!(world.conference.end_room(&room.room_id));
    world
        .see("the end", |chat| {
            let post = chat.post(&card.id)?;
            (!post.attachments()[0]
                .to_string()
                .contains("Join the meeting"))
            .then_some(())
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn o10_full_disk_under_the_log_stops_no_work() {
    works_with("full", || {
        let full = File::options().write(true).open("/dev/full").unwrap();
        Stdio::from(full)
    })
    .await;
}

#[tokio::test]
async fn o10_reader_of_the_log_that_hung_up_stops_no_work() {
    works_with("closed", || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    })
    .await;
}
