//! Only what a relay signed comes out of a queue of envelopes readable, whatever back end it stands on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use meetrelay::clock::SystemClock;
use meetrelay::domain::{Event, EventId, Fact, MeetingId, Origin, Timestamp};
use meetrelay::envelope::{EnvelopeQueue, EnvelopeSigner, encode};
use meetrelay::ports::{
    Body, Delivery, Envelope, Message, Outgoing, Posting, Queue, QueueError, QueueName, Receipt,
    ReturnedMessage, ReturnedMessages, Settled,
};
use meetrelay::queue::{EmbeddedQueue, EmbeddedSettings};

fn signer() -> EnvelopeSigner {
    let signer = EnvelopeSigner::new(&"one".to_owned().into(), &[]);
    signer.set_reads_unsigned(false);
    signer
}

/// The order to end a meeting.
fn order(number: u128) -> Envelope {
    let at = Timestamp::from_seconds(1_795_269_720);
    let meeting = MeetingId::from_uuid(Uuid::from_u128(1));
    let event = Event {
        id: EventId::from_uuid(Uuid::from_u128(number)),
        origin: Origin::relay(number),
        received_at: at,
        fact: Fact::EndOrdered { meeting },
    };
    Envelope::first(Body::Event(event), at)
}

fn embedded(directory: &std::path::Path) -> Arc<EmbeddedQueue> {
    let settings = EmbeddedSettings {
        path: directory.join("queue.db"),
        bytes_max: 1 << 20,
    };
    Arc::new(EmbeddedQueue::open(settings, Arc::new(SystemClock)).unwrap())
}

#[tokio::test]
async fn s11_only_what_was_signed_comes_out_of_a_queue_readable() {
    let directory = tempfile::tempdir().unwrap();
    let queue = embedded(directory.path());
    let mail = EnvelopeQueue::new(Arc::clone(&queue) as _, signer());
    let posting = |number| Posting {
        queue: QueueName::Events,
        message: order(number),
        delay: Duration::ZERO,
    };
    mail.accept(&posting(1)).await.unwrap();
    mail.send(&[posting(2)]).await.unwrap();
    let forged = Outgoing {
        queue: QueueName::Events,
        message: encode(&order(3)).unwrap(),
        delay: Duration::ZERO,
    };
    queue.publish(forged).await.unwrap();
    let received = mail.receive(QueueName::Events, 10).await.unwrap();
    let [one, two, three] = &received[..] else {
        panic!("three messages: {received:?}");
    };
    assert_eq!(one.content, Ok(order(1)));
    assert_eq!(two.content, Ok(order(2)));
    assert!(
        three
            .content
            .as_ref()
            .is_err_and(|why| why.contains("not signed"))
    );
    // What is tried again is signed again.
    let again = Settled::Again {
        receipt: one.receipt,
        next: posting(4),
    };
    let done = [two, three].map(|received| Settled::Done(received.receipt));
    mail.settle(done.into_iter().chain([again]).collect())
        .await
        .unwrap();
    let received = mail.receive(QueueName::Events, 10).await.unwrap();
    let contents: Vec<_> = received
        .into_iter()
        .map(|received| received.content)
        .collect();
    assert_eq!(contents, [Ok(order(4))]);
    queue.close().await;
}

/// Puts these messages aside, read by nobody who knows of signatures.
struct PutAside(Vec<Delivery>);

#[async_trait]
impl ReturnedMessages for PutAside {
    async fn receive(&self, _: usize) -> Result<Vec<ReturnedMessage>, QueueError> {
        let returned = |delivery| ReturnedMessage {
            delivery,
            reason: "given up".to_owned(),
        };
        Ok(self.0.iter().cloned().map(returned).collect())
    }

    async fn settle(&self, _: Vec<Receipt>) -> Result<(), QueueError> {
        Ok(())
    }
}

#[tokio::test]
async fn s11_what_was_put_aside_is_verified_too() {
    let cut_off = Message {
        id: "cut off".to_owned(),
        body: Bytes::from_static(b"{"),
    };
    let delivery = |message, damaged| Delivery {
        queue: QueueName::Events,
        message,
        receipt: Receipt(1),
        redelivered: false,
        damaged,
    };
    let messages = vec![
        delivery(signer().encode(&order(1)).unwrap(), false),
        delivery(encode(&order(2)).unwrap(), false),
        delivery(cut_off, false),
        delivery(signer().encode(&order(3)).unwrap(), true),
    ];
    let directory = tempfile::tempdir().unwrap();
    let mail = EnvelopeQueue::new(embedded(directory.path()), signer());
    let contents = mail
        .receive_returned(&PutAside(messages), 10)
        .await
        .unwrap();
    let contents: Vec<_> = contents.into_iter().map(|it| it.delivery.content).collect();
    let [signed, forged, cut_off, damaged] = &contents[..] else {
        panic!("four messages: {contents:?}");
    };
    assert_eq!(signed, &Ok(order(1)));
    assert!(forged.as_ref().is_err_and(|why| why.contains("not signed")));
    assert!(cut_off.as_ref().is_err_and(|why| why.contains("JSON")));
    assert!(
        damaged
            .as_ref()
            .is_err_and(|why| why.contains("its checksum does not match"))
    );
}
